"""What a configuration may say, checked before anything is built and without importing torch.

`schema` has the root keys, `check` collects all problems, `signatures` reads what a `_target_` accepts from its source,
`rules/` holds what no signature can know, a file a topic. `identity` is the part that can change a result.
A new rule is a generator of lines `path: problem; remedy` in `rules/`.
"""

__all__ = ["check", "former_targets", "identity", "inputs", "plain", "rules", "schema", "signatures"]

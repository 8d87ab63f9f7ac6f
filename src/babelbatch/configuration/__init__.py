"""The settings of a configuration, checked before anything is built and without importing torch.

`schema` has the root keys, `check` collects all problems, `signatures` reads the parameters of a `_target_` from its
source, `rules/` has the checks across settings, one file per topic. `identity` is the part that can change a result.
`saved` reads the file of a run back, which may come from anywhere. A new rule is a generator of lines `path: problem;
remedy` in `rules/`.
"""

__all__ = [
    "check",
    "former_targets",
    "home",
    "identity",
    "inputs",
    "key_paths",
    "plain",
    "rules",
    "saved",
    "schema",
    "shipped",
    "signatures",
]

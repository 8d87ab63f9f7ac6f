"""Checks of prompts: each is a text, for a benchmark or a part of the corpus that is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from babelbatch.configuration.signatures import closest


def problems_of_prompts(cfg: dict[str, Any]) -> Iterator[str]:
    """Yields `path: problem; remedy` for each problem. Only plain values of the configuration are used."""
    names = [str(name) for name in cfg.get("benchmarks") or {}]
    for path in ("corpus", "validation"):
        parts = (cfg.get(path) or {}).get("parts") if isinstance(cfg.get(path), dict) else None
        names += [str(name) for name in parts or {}]
    known = list(dict.fromkeys(names))
    teacher = (cfg.get("loss") or {}).get("teacher")
    for path, node in (("encoder", cfg.get("encoder")), ("loss.teacher", teacher)):
        prompts = node.get("query_prompts") if isinstance(node, dict) else None
        for name, prompt in (prompts or {}).items() if isinstance(prompts, dict) else ():
            place = f"{path}.query_prompts.{name}"
            if not isinstance(prompt, str):
                yield f"{place}: {prompt!r} is no text; quote it"
            if str(name) not in known:
                yield (
                    f"{place}: there is no benchmark or part of a mixture of this name{closest(str(name), known)} "
                    f"(there are: {', '.join(known) or 'none'}); for all queries, set {path}.query_prefix"
                )

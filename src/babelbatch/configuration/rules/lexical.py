"""Checks of a lexical encoder: settings that only a dense encoder supports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def is_lexical(encoder: dict[str, Any]) -> bool:
    """Whether an encoder's configuration is that of a lexical one."""
    return str(encoder.get("_target_")).startswith("babelbatch.lexical.")


def problems_of_lexical(cfg: dict[str, Any], schema: str) -> Iterator[str]:
    """Yields `path: problem; remedy` for settings that a lexical encoder does not support."""
    encoder = cfg["encoder"]
    name = encoder["_target_"].rpartition(".")[2]
    if schema != "evaluate":
        what = {"train": "is not trained", "describe": "truncates no texts", "encode": "has no dense vectors"}.get(
            schema
        )
        what = what or "has no vectors to search"
        yield f"encoder: {name} {what}; choose another, and see how good it is with babelbatch-evaluate"
        return
    evaluation = cfg["evaluation"]
    if cfg["checkpoint"] is not None:
        yield f"checkpoint: {name} is evaluated without one; leave out either checkpoint or encoder"
    if evaluation.get("index") is not None:
        yield f"evaluation.index: {name} ranks all candidates; set evaluation=default"
    if evaluation.get("debias", "none") != "none":
        yield f"evaluation.debias: {name} has no dense vectors to take a language from; leave it out"
    if evaluation.get("dimensions"):
        yield f"evaluation.dimensions: {name} has no dense vectors to cut; leave it out"
    if evaluation.get("vectors"):
        yield f"evaluation.vectors: {name} has no dense vectors to read; leave it out"
    for key in ("token_budget", "precision", "vector_cache"):
        if evaluation.get(key):
            yield f"evaluation.{key}: {name} has no forward pass; leave it out"
    if cfg["device"] not in {"auto", "cpu"}:
        yield f"device: {name} is computed on the CPU; leave it out"

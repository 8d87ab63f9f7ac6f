"""Checks of babelbatch-encode, and of the commands that read the vectors that it writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babelbatch.configuration.signatures import closest
from babelbatch.search.shard_plan import parse_shard


def problems_of_shard(cfg: dict[str, Any]) -> Iterator[str]:
    """Yields `path: problem; remedy` for the settings of babelbatch-encode."""
    if not cfg["benchmarks"] and not cfg["corpus"] and cfg["passages"] is None:
        yield "benchmarks: there are no texts to encode; set benchmarks=, corpus=, passages=, or several"
    if cfg["output"] is None:
        yield "output: missing; set it to a folder for the vectors"
    try:
        parse_shard(cfg["shard"])
    except ValueError as error:
        yield str(error)
    yield from problems_of_passages(cfg)
    for key, names in (("dtype", ("float32", "float16")), ("precision", ("float32", "bfloat16"))):
        if cfg[key] not in names:
            yield f"{key}: '{cfg[key]}' is not one of {', '.join(names)}{closest(cfg[key], list(names))}"


def problems_of_passages(cfg: dict[str, Any]) -> Iterator[str]:
    """Yields `path: problem; remedy` for how passages are read."""
    if (chosen := cfg["on_bad_row"]) not in (names := ("error", "skip")):
        yield f"on_bad_row: '{chosen}' is not one of {', '.join(names)}{closest(chosen, list(names))}"


def problems_of_vectors(cfg: dict[str, Any], schema: str) -> Iterator[str]:
    """Yields `path: problem; remedy` for vectors that are read instead of computed."""
    evaluation = cfg.get("evaluation") or {}
    for path, folders in (("evaluation.vectors", evaluation.get("vectors")), ("vectors", cfg.get("vectors"))):
        if not folders:
            continue
        if schema == "train":
            yield f"{path}: a training run changes its vectors; leave it out, and set it in babelbatch-evaluate"
        names = [folders] if isinstance(folders, str) else folders
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            yield f"{path}: {folders} is no folder; set it to one, or to a list of folders"
            continue
        for folder in names:
            if not Path(folder).is_dir():
                yield f"{path}: there is no folder '{folder}'"

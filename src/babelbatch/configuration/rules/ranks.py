"""Checks of a command that does not train and that torchrun or srun started as several ranks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from babelbatch.distributed.ranks import ranks_of_step


def problems_of_ranks(cfg: dict[str, Any], schema: str) -> Iterator[str]:
    """Yields `path: problem; remedy` for work that the ranks would repeat instead of dividing it."""
    if (ranks := ranks_of_step()) == 1:
        return
    path = {"evaluate": "evaluation.index", "mine": "index", "search": "index"}.get(schema)
    index = cfg["evaluation"].get("index") if schema == "evaluate" else cfg.get("index")
    if path is None or not isinstance(index, dict):
        return
    if str(index.get("_target_")).endswith((".IVF", ".HNSW")) and index.get("part_rows") is None:
        yield (
            f"{path}.part_rows: each of {ranks} processes would build the whole index; set it, and each builds the "
            "indexes of its parts"
        )


def problems_of_ranks_in_sweep(schema: str) -> Iterator[str]:
    """Yields `path: problem; remedy` for ranks that would each run through the jobs of a sweep at their own pace."""
    if schema in {"evaluate", "mine"} and (ranks := ranks_of_step()) > 1:
        yield f"hydra/launcher: {ranks} processes were started, which divide one job; type each job without -m"

"""Checks of a command that does not train and that torchrun or srun started as several ranks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from babelbatch.distributed.ranks import world_size


def problems_of_ranks(cfg: dict[str, Any], schema: str) -> Iterator[str]:
    """Yields `path: problem; remedy` for work that the ranks would repeat instead of dividing it."""
    ranks = world_size() or 1
    if ranks == 1:
        return
    if schema == "encode":
        yield (
            f"shard: {ranks} processes were started, and each would write shard {cfg['shard']}; start one process for "
            "each shard, without torchrun"
        )
    path = {"evaluate": "evaluation.index", "mine": "index", "search": "index"}.get(schema)
    index = cfg["evaluation"].get("index") if schema == "evaluate" else cfg.get("index")
    if path is None or not isinstance(index, dict):
        return
    if str(index.get("_target_")).endswith((".IVF", ".HNSW")) and index.get("part_rows") is None:
        yield (
            f"{path}.part_rows: each of {ranks} processes would build the whole index; set it, and each builds the "
            "indexes of its parts"
        )

"""Checks of the ranges of numeric settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from babelbatch.configuration.signatures import is_number

_RANGES = {  # path: (minimum, maximum)
    "sampling.alpha": (0, 1),
    "sampling.batch_size": (2, None),
    "data.validation_fraction": (0, 0.5),
    "data.validation_steps": (1, None),
    "data.validation_queries": (0, None),
    "data.num_workers": (0, None),
    "loss.temperature": (0.001, None),
    "loss.kl_temperature": (0.001, None),
    "loss.weight": (0, None),
    "loss.contrastive_weight": (0, 1),
    "loss.warmup": (0, 1),
    "scheduler.warmup": (0, 1),
    "scheduler.final": (0, 1),
    "tuning.frozen_layers": (0, None),
    "tuning.rank": (1, None),
    "tuning.dropout": (0, 0.99),
    "data.forward_overhead": (0, None),
    "data.chunk_tokens": (1, None),
    "callbacks.checkpoint.every_minutes": (0, None),
    "callbacks.checkpoint.every_n_steps": (1, None),
    "optimizer.lr": (0, None),
    "evaluation.token_budget": (1, None),
    "evaluation.sample_queries": (1, None),
    "evaluation.components": (1, None),
    "evaluation.trec_depth": (1, None),
    "evaluation.index.lists": (1, None),
    "evaluation.index.probes": (1, None),
    "evaluation.index.seed": (0, 2**31 - 1),
    "evaluation.index.part_rows": (1, None),
    "evaluation.index.links": (2, None),
    "evaluation.index.construction": (1, None),
    "evaluation.index.search": (1, None),
    "encoder.k1": (0, None),
    "encoder.b": (0, 1),
    "encoder.least": (1, None),
    "encoder.most": (1, None),
    "corpus.negatives": (0, None),
    "corpus.limit": (1, None),
    "corpus.triples": (1, None),
    "corpus.seed": (0, 2**32 - 1),
    "transform.probability": (0, 1),
    "transform.copies": (1, None),
    "sample": (1, None),
    "trainer.max_steps": (1, None),
    "trainer.max_tokens": (1, None),
    "trainer.stuck_minutes": (0.1, None),
    "trainer.shards": (2, None),
    "trainer.accumulate_grad_batches": (1, None),
    "mining.negatives": (1, None),
    "mining.first_rank": (1, None),
    "mining.relative_margin": (0, 1),
    "mining.absolute_margin": (0, None),
    "mining.seed": (0, 2**32 - 1),
    "index.lists": (1, None),
    "index.probes": (1, None),
    "index.seed": (0, 2**31 - 1),
    "index.part_rows": (1, None),
    "index.links": (2, None),
    "index.construction": (1, None),
    "index.search": (1, None),
    "token_budget": (1, None),
    "top": (1, None),
    "components": (1, None),
    "dimensions": (1, None),
    "seed": (0, 2**32 - 1),
    "threads": (1, None),
}


_CORPUS = re.compile(r"^(corpus|validation)(\.parts\.[^.]+)?\.")  # one range for every corpus


def problems_of_ranges(cfg: dict[str, Any]) -> Iterator[str]:
    places = list(_RANGES)
    found = [(_CORPUS.sub("corpus.", path), path, value) for path, value in leaves(cfg, "")]
    known = sorted((one for one in found if one[0] in _RANGES), key=lambda one: places.index(one[0]))
    for place, path, value in known:
        minimum, maximum = _RANGES[place]
        if not is_number(value) or (path == "trainer.max_steps" and value == -1 and _has_token_budget(cfg)):
            continue
        if not value >= minimum or (maximum is not None and value > maximum):
            allowed = f"between {minimum} and {maximum}" if maximum is not None else f"at least {minimum}"
            yield f"{path}: {value} is not {allowed}"


def _has_token_budget(cfg: dict[str, Any]) -> bool:
    return cfg["trainer"].get("max_tokens") is not None


def leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value that is no mapping, with its path."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, node

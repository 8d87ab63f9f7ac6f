"""Custom metrics: functions of the ranks of a query's relevant candidates, named in `evaluation.metrics`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from babelbatch.evaluation import bias
from babelbatch.evaluation.metrics import NAMES, POOL_NAMES, order_within_queries

SEARCHED_PLACES = 100
"""Ranks that a search returns; a metric that needs more is computed from a full ranking only."""
CUSTOM = "custom_metric/"
"""Prefix of the facts that name a run's custom metrics and their direction."""
RESERVED = {*NAMES, *POOL_NAMES, *bias.NAMES, "same_language_lift@10", "top10_share", "relevant"}
_NAME = re.compile(r"[\w.@+-]+")


class Metric(Protocol):
    """What an entry of `evaluation.metrics` builds: a function of one query in one cell, or over the pool.

    Optional attributes. depth: how many places it uses; without it the metric needs the full ranking, which
    `evaluation=search` does not compute. lower_is_better: True if a smaller score is better.
    """

    def __call__(self, ranks: NDArray[np.int64], gains: NDArray[np.float64]) -> float:
        """The score of one query; NaN where it is undefined.

        ranks: (r,) of its relevant candidates, from 1, ascending; r is at least 1. A search gives the rank 2 ** 40 to a
            candidate that it did not return.
        gains: (r,) graded relevance of each, 1 without grades.
        """
        ...


def check_metrics(metrics: Mapping[str, object], *, searched: bool) -> None:
    """Raises ValueError for a name that is taken or invalid in a key, and for an entry that does not score a query.

    Each metric is called once, so that a mistake in it is found before training and not after.

    searched: whether candidates are searched; then also for a metric that needs more ranks than a search returns.
    """
    for name, metric in metrics.items():
        path = f"evaluation.metrics.{name}"
        if name in RESERVED:
            raise ValueError(f"{path}: babelbatch has a metric of this name; choose another name")
        if not _NAME.fullmatch(name):
            raise ValueError(f"{path}: a name is made of letters, digits and . @ + - _; choose another name")
        if not callable(metric):
            kind = type(metric).__name__
            raise ValueError(f"{path}: {kind} is not callable; name a class with __call__(ranks, gains)")
        _score(name, metric, np.array([1, 3]), np.ones(2))
        depth = getattr(metric, "depth", None)
        if searched and not (isinstance(depth, int) and depth <= SEARCHED_PLACES):
            raise ValueError(
                f"{path}: a search knows the first {SEARCHED_PLACES} places only, and this metric has no depth of "
                f"{SEARCHED_PLACES} or less; give it one, or set evaluation=default"
            )


def per_query_custom_metrics(
    metrics: Mapping[str, Metric],
    ranks: NDArray[np.int64],
    offsets: NDArray[np.int64],
    gains: NDArray[np.float64] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Each of `metrics` for Q queries, (Q,) float64; ranks, offsets and gains as in `metrics.per_query_metrics`.

    Raises ValueError if a metric returns something that is not a number, or an infinite one.
    """
    if not metrics:
        return {}
    order = order_within_queries(ranks, offsets)
    ranks = ranks[order]
    gains = np.ones(len(ranks)) if gains is None else gains[order].astype(np.float64)
    spans = [slice(start, stop) for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    found = {}
    for name, metric in metrics.items():
        found[name] = np.array([_score(name, metric, ranks[span], gains[span]) for span in spans])
    return found


def _score(name: str, metric: Metric, ranks: NDArray[np.int64], gains: NDArray[np.float64]) -> float:
    """The score of one query. Raises ValueError, with the ranks of that query, if it is no finite number nor NaN."""
    path = f"evaluation.metrics.{name}"
    try:
        score = float(metric(ranks, gains))
    except Exception as error:
        some = ", ".join(map(str, ranks[:5].tolist())) + (", ..." if len(ranks) > 5 else "")
        raise ValueError(
            f"{path}: it fails for a query with ranks [{some}] ({type(error).__name__}: {error}); return one number "
            "for each query"
        ) from error
    if np.isinf(score):
        raise ValueError(f"{path}: a score is infinite; return a finite number, or NaN for none")
    return score


def directions(metrics: Mapping[str, Metric]) -> dict[str, object]:
    """`custom_metric/<name>` -> "higher" or "lower", whichever is better: facts of a run, for the report."""
    return {
        f"{CUSTOM}{name}": "lower" if getattr(metric, "lower_is_better", False) else "higher"
        for name, metric in metrics.items()
    }

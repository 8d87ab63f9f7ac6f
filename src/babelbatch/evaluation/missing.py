"""Relevant candidates that a benchmark names and does not have: never found, and part of the divisors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from babelbatch.evaluation.metrics import MISSED
from babelbatch.records import ABSENT, Benchmark

Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64] | None]


def with_missing(
    benchmark: Benchmark,
    queries: NDArray[np.int64],
    ranks: NDArray[np.int64],
    offsets: NDArray[np.int64],
    gains: NDArray[np.float64] | None,
    language: int | None = None,
) -> Pairs:
    """Ranks, offsets and gains with those of `Benchmark.missing` added, whose rank is MISSED.

    queries: (Q,) rows of the benchmark's queries, ascending. ranks, offsets, gains: of their relevant candidates, as in
    `metrics.per_query_metrics`. language: the number of the queries' language: only what was judged in
    it, or in a language that is not known, is added; None adds all.
    """
    if benchmark.missing is None:
        return ranks, offsets, gains
    rows = np.array(benchmark.missing.queries, np.int64)
    place = np.minimum(np.searchsorted(queries, rows), len(queries) - 1)
    here = queries[place] == rows
    if language is not None and benchmark.missing.languages:
        here &= np.isin(benchmark.missing.languages, (ABSENT, language))
    at = offsets[place[here] + 1]
    gains = np.ones(len(ranks)) if gains is None else gains
    more = np.bincount(place[here], minlength=len(queries))
    return (
        np.insert(ranks, at, MISSED),
        offsets + np.append(0, np.cumsum(more)),
        np.insert(gains, at, np.array(benchmark.missing.gains)[here]),
    )

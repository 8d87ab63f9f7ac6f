"""Retrieval metrics as functions of the ranks of relevant candidates, counted from 1.

The full ranking is never needed: `per_query_metrics` computes every metric from the ranks of the relevant candidates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SETTINGS = ("monolingual", "crosslingual", "multilingual")
NAMES = ("map", "map@20", "mrr@100", "ndcg@10", "ndcg@20", "recall@1", "recall@10", "recall@100")
"""Defined wherever a query has at least one relevant candidate."""
SEARCH_NAMES = tuple(name for name in NAMES if name != "map")
"""Those defined by the first hundred places, which a search returns."""
TITLES = {
    "map": "mAP",
    "map@20": "mAP@20",
    "mrr@100": "MRR@100",
    "ndcg@10": "nDCG@10",
    "ndcg@20": "nDCG@20",
    "recall@1": "R@1",
    "recall@10": "R@10",
    "recall@100": "R@100",
}
"""Names as papers write them."""
MISSED = 1 << 40
"""The rank of a candidate that a search or a list does not have: beyond all places."""
POOL_NAMES = ("rank_distance", "rank_distance_normalised")
"""Defined on the multilingual pool: they compare the ranks of a passage and its translations."""


def per_query_metrics(
    ranks: NDArray[np.int64], offsets: NDArray[np.int64], gains: NDArray[Any] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Every metric of `NAMES` for Q queries, each (Q,) float64.

    ranks, offsets: ranks of the relevant candidates in CSR form: query q has `ranks[offsets[q]:offsets[q + 1]]`, in any
        order, at least one. A candidate with the rank MISSED gains nothing.
    gains: graded relevance of each, above 0, used by nDCG; None for 1 each.
    """
    sizes = np.diff(offsets)
    assert (sizes > 0).all(), "a query without relevant candidates has no score"
    by_rank = order_within_queries(ranks, offsets)
    ranks = ranks[by_rank]
    order = np.arange(len(ranks)) - np.repeat(offsets[:-1], sizes) + 1  # 1, 2, ... within each query
    precision: NDArray[np.float64] = np.where(ranks < MISSED, order / ranks, 0.0)
    gains = np.ones(len(ranks)) if gains is None else gains[by_rank].astype(np.float64)
    greatest_first = gains if (gains == 1).all() else gains[order_within_queries(-gains, offsets)]

    def mean_over(values: NDArray[np.float64], divisor: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(np.add.reduceat(values, offsets[:-1]) / divisor)

    def ndcg(cutoff: int) -> NDArray[np.float64]:
        # The ideal ranking has the greatest gains first.
        ideal = np.where(order <= cutoff, greatest_first / np.log2(order + 1), 0.0)
        gained = np.where(ranks <= cutoff, gains / np.log2(ranks + 1), 0.0)
        return mean_over(gained, np.add.reduceat(ideal, offsets[:-1]))

    first = ranks[offsets[:-1]]
    return {
        "map": mean_over(precision, sizes),
        "map@20": mean_over(np.where(ranks <= 20, precision, 0.0), np.minimum(sizes, 20)),
        "mrr@100": np.where(first <= 100, 1 / first, 0.0),
        "ndcg@10": ndcg(10),
        "ndcg@20": ndcg(20),
        "recall@1": mean_over((ranks <= 1).astype(np.float64), sizes),
        "recall@10": mean_over((ranks <= 10).astype(np.float64), sizes),
        "recall@100": mean_over((ranks <= 100).astype(np.float64), sizes),
    }


def rank_distance(ranks: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """(Q,) largest minus smallest rank of each query's relevant candidates (arXiv 2408.10536, footnote 6).

    0 for a query with one relevant candidate. Lower is better; a perfect ranking gives |R| - 1, a random one of n
    candidates (|R| - 1)(n + 1) / (|R| + 1) on average.
    """
    starts = offsets[:-1]
    return np.asarray(np.maximum.reduceat(ranks, starts) - np.minimum.reduceat(ranks, starts), np.float64)


def order_within_queries(values: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """(R,) the permutation that sorts the values of each query, query after query. offsets: in CSR form."""
    return np.lexsort((values, np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))))

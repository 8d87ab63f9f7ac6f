"""Language bias of a retriever over a pool of all languages: pure functions of ranks, languages and scores.

A retriever without language bias ranks a candidate by its content, independent of its language and the query's. These
numbers do not measure quality: read them beside mAP, and compare retrievers of equal mAP.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

NAMES = ("language_preference", "same_language@10", "mrc@10", "peer@100")
"""Defined on the multilingual pool, for each query."""
TOP = 10
"""Places used by the same-language share, the language shares and MRC."""

_BLOCK_PAIRS = 10_000


def language_preference(
    ranks: NDArray[np.int64], offsets: NDArray[np.int64], same_language: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(Q,) 1 if the best-ranked relevant candidate of a query is in the query's language, else 0.

    NaN for a query whose relevant candidates are all in its language, or none. The mean is the language preference
    rate (LPR; MLAIRE, arXiv 2605.07249, which gives no formula). With one relevant candidate in each of L languages an
    unbiased retriever has 1 / L; 1 means that the query's language always wins.

    ranks: in the pool, in CSR form (see `metrics.per_query_metrics`). same_language: of each pair, whether query and
    candidate share their language.
    """
    starts = offsets[:-1]
    best = np.minimum.reduceat(ranks, starts)
    best_same_language = np.minimum.reduceat(np.where(same_language, ranks, np.iinfo(np.int64).max), starts)
    count = np.add.reduceat(same_language.astype(np.int64), starts)
    defined = (count > 0) & (count < np.diff(offsets))
    return np.where(defined, best_same_language == best, np.nan)


def top_shares(top_languages: NDArray[np.integer[Any]], languages: int) -> NDArray[np.float64]:
    """(Q, L) share of each language among the top k of each query. Rows sum to 1.

    top_languages: (Q, k) language of the candidate at each place.
    """
    queries, k = top_languages.shape
    cells = np.arange(queries)[:, None] * languages + top_languages
    counts = np.bincount(cells.ravel(), minlength=queries * languages).reshape(queries, languages)
    return np.asarray(counts / k)


def peer(
    ranks: NDArray[np.int64], offsets: NDArray[np.int64], languages: NDArray[np.integer[Any]], cutoff: int = 100
) -> NDArray[np.float64]:
    """(Q,) PEER: probability of ranks at least as uneven if all languages rank a query's relevant candidates alike.

    Yang, Jänich, Mayfield and Lawrie 2024 (arXiv 2405.00978), binary relevance: the p-value of the Kruskal-Wallis test
    on the relevant candidates, grouped by their language; those beyond `cutoff` are tied at the end. With G groups, N
    relevant candidates, ranks r among these N (tied ones share the mean), and the mean rank of each group:

        H = (N - 1) sum_g n_g (mean_g - mean)^2 / sum (r - mean)^2,    p = P(chi^2 with G - 1 degrees > H)

    1 where nothing can differ: one language, or no candidate within the cut-off. Higher is fairer. With one relevant
    candidate per language, as in XQuAD-R, PEER is degenerate: H is N - 1 in any order, and p a constant (0.4405 for
    eleven languages) unless all are beyond the cut-off (1). It needs several relevant candidates per language.

    languages: of each pair, the candidate's.
    """
    sizes = np.diff(offsets)
    query = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((ranks, query))
    place = np.empty(len(ranks))
    place[order] = np.arange(len(ranks)) - np.repeat(offsets[:-1], sizes) + 1
    within = np.add.reduceat((ranks <= cutoff).astype(np.int64), offsets[:-1])
    tied = (within + 1 + sizes) / 2  # the mean of the places from within + 1 to N
    place = np.where(ranks <= cutoff, place, tied[query])
    deviation = place - ((sizes + 1) / 2)[query]
    total = np.add.reduceat(deviation**2, offsets[:-1])

    groups, group = np.unique(query * (languages.max() + 1) + languages, return_inverse=True)
    query_of_group = groups // (languages.max() + 1)
    members = np.bincount(group)
    between = np.bincount(query_of_group, np.bincount(group, deviation) ** 2 / members, minlength=len(sizes))
    degrees = np.bincount(query_of_group, minlength=len(sizes)) - 1
    testable = (degrees > 0) & (total > 0)
    statistic = (sizes - 1) * np.divide(between, total, out=np.zeros(len(sizes)), where=testable)
    return np.where(testable, chdtrc(np.maximum(degrees, 1), statistic), 1.0)


def rank_correlation(
    top: NDArray[np.int64], scores: NDArray[np.float32], pairs: NDArray[np.int64], across: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(Q,) MRC: rank correlation of a query's ranking with those of its translations, averaged.

    Mean rank correlation (MultiEuP-v2; arXiv 2509.06195, which multiplies by 100): for two versions a and b of one
    query, Spearman's correlation of their scores on the union of both top k, ties given their average rank; the mean
    over b. 1 if the language of the query makes no difference. Two rankings with disjoint top k get about -0.75 and not
    0, because each puts its own k candidates first. NaN for a query without a translation, or with equal scores.

    top: (Q, k) candidates in the first places of each query. scores: (Q, k) their scores.
    pairs: (P, 2) rows a and b of two versions, each pair once. across: (P, 2, k) the scores that a gives the top k of
    b, and that b gives the top k of a.
    """
    sums, counts = np.zeros(len(top)), np.zeros(len(top))
    for start in range(0, len(pairs), _BLOCK_PAIRS):
        some = slice(start, start + _BLOCK_PAIRS)
        a, b = pairs[some].T
        # The union of the top k: those of a, and those of b that a does not have.
        new = (top[b][:, :, None] != top[a][:, None, :]).all(axis=2)
        present = np.concatenate([np.ones_like(new), new], axis=1)
        found = _spearman(
            np.concatenate([scores[a], across[some, 0]], axis=1),
            np.concatenate([across[some, 1], scores[b]], axis=1),
            present,
        )
        defined = ~np.isnan(found)
        for rows in (a, b):
            np.add.at(sums, rows[defined], found[defined])
            np.add.at(counts, rows[defined], 1)
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(len(top), np.nan), where=counts > 0)
    return means


def _spearman(x: NDArray[np.float32], y: NDArray[np.float32], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(P,) Spearman's correlation of each row of `x` with that of `y`, both (P, n), where `present`."""
    ranks_x, ranks_y = (_average_ranks(values, present) for values in (x, y))
    size = present.sum(axis=1, keepdims=True)
    ranks_x, ranks_y = (np.where(present, ranks - (size + 1) / 2, 0.0) for ranks in (ranks_x, ranks_y))
    spread = np.sqrt((ranks_x**2).sum(axis=1) * (ranks_y**2).sum(axis=1))
    products = (ranks_x * ranks_y).sum(axis=1)
    correlations: NDArray[np.float64] = np.divide(products, spread, out=np.full(len(x), np.nan), where=spread > 0)
    return correlations


def _average_ranks(values: NDArray[np.float32], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Ranks within each row, ascending from 1, of the values that are present; ties share the mean of their ranks."""
    less, equal = np.zeros(values.shape, np.int16), np.zeros(values.shape, np.int16)
    for other, counts in zip(values.T[:, :, None], present.T[:, :, None], strict=True):
        less += (other < values) & counts
        equal += (other == values) & counts
    return np.asarray(less + (equal + 1) / 2)

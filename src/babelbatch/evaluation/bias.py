"""Language bias of a retriever over a pool of all languages: pure functions of ranks, languages and scores.

A retriever without language bias ranks a candidate by what it says, whatever language it and the question are in. None
of these numbers says how good a retriever is: read them beside mAP, and compare at equal mAP.
"""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc

NAMES = ("language_preference", "same_language@10", "mrc@10", "peer@100")
"""Defined on the multilingual pool, for each question."""
TOP = 10
"""Places that the same-language share, the histogram and MRC look at."""

_PAIRS_AT_ONCE = 10_000


def language_preference(ranks: np.ndarray, offsets: np.ndarray, same_language: np.ndarray) -> np.ndarray:
    """(Q,) 1 if the best-ranked relevant candidate of a question is in the question's language, else 0.

    NaN for a question that leaves no choice: all its relevant candidates are in its language, or none is. The mean is
    the language preference rate (LPR; MLAIRE, arXiv 2605.07249, gives no formula: this is the natural one). With one
    relevant candidate in each of L languages an unbiased retriever has 1 / L, 1 means that the question's language
    always wins.

    ranks: in the pool, in CSR form (see `metrics.per_query_metrics`). same_language: for each pair of it, whether query
    and candidate share their language.
    """
    starts = offsets[:-1]
    best = np.minimum.reduceat(ranks, starts)
    best_of_own = np.minimum.reduceat(np.where(same_language, ranks, np.iinfo(np.int64).max), starts)
    own = np.add.reduceat(same_language.astype(np.int64), starts)
    choice = (own > 0) & (own < np.diff(offsets))
    return np.where(choice, best_of_own == best, np.nan)


def top_shares(top_languages: np.ndarray, languages: int) -> np.ndarray:
    """(Q, L) share of each language among the top k of each question. Rows sum to 1.

    top_languages: (Q, k) language of the candidate at each place.
    """
    queries, k = top_languages.shape
    cells = np.arange(queries)[:, None] * languages + top_languages
    return np.bincount(cells.ravel(), minlength=queries * languages).reshape(queries, languages) / k


def peer(ranks: np.ndarray, offsets: np.ndarray, languages: np.ndarray, cutoff: int = 100) -> np.ndarray:
    """(Q,) PEER: how probable the ranks of a question's relevant candidates are if all languages rank alike.

    Yang, Jänich, Mayfield and Lawrie 2024 (arXiv 2405.00978), binary relevance: the p-value of the Kruskal-Wallis test
    on the relevant candidates, grouped by their language; those beyond `cutoff` are tied at the end. With G groups, N
    relevant candidates, ranks r among these N (tied ones share the mean), and the mean rank of each group:

        H = (N - 1) sum_g n_g (mean_g - mean)^2 / sum (r - mean)^2,    p = P(chi^2 with G - 1 degrees > H)

    1 where there is nothing to tell apart: one language, or no candidate within the cut-off. Higher is fairer.

    Degenerate with one relevant candidate in each language, as in XQuAD-R: every group is a single number, H is N - 1
    in whatever order they come, and p a constant (0.4405 for eleven languages) until all are beyond the cut-off (1).
    PEER says something only where languages have several relevant candidates each.

    languages: for each pair, the candidate's.
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


def rank_correlation(top: np.ndarray, scores: np.ndarray, pairs: np.ndarray, across: np.ndarray) -> np.ndarray:
    """(Q,) MRC: how alike a question ranks the candidates in its own and in each of its other languages.

    Mean rank correlation (MultiEuP-v2; arXiv 2509.06195, which multiplies by 100): for two versions a and b of one
    question, Spearman's correlation of their scores on the union of both top k, ties given their average rank; the mean
    over b. 1 if the language of the question makes no difference. Two rankings that have nothing in common get about
    -0.75 rather than 0, because each has its own k candidates ahead of the other's. NaN for a question without another
    version, or whose scores are all equal.

    top: (Q, k) candidates in the first places of each question. scores: (Q, k) their scores.
    pairs: (P, 2) rows a and b of two versions, each pair once. across: (P, 2, k) the scores that a gives the top k of
    b, and that b gives the top k of a.
    """
    sums, counts = np.zeros(len(top)), np.zeros(len(top))
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = slice(start, start + _PAIRS_AT_ONCE)
        a, b = pairs[some].T
        # The union: what a has on top, and of b's what a does not have.
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
    return np.divide(sums, counts, out=np.full(len(top), np.nan), where=counts > 0)


def _spearman(x: np.ndarray, y: np.ndarray, present: np.ndarray) -> np.ndarray:
    """(P,) Spearman's correlation of each row of `x` with that of `y`, both (P, n), where `present`."""
    ranks_x, ranks_y = (_average_ranks(values, present) for values in (x, y))
    size = present.sum(axis=1, keepdims=True)
    ranks_x, ranks_y = (np.where(present, ranks - (size + 1) / 2, 0.0) for ranks in (ranks_x, ranks_y))
    spread = np.sqrt((ranks_x**2).sum(axis=1) * (ranks_y**2).sum(axis=1))
    return np.divide((ranks_x * ranks_y).sum(axis=1), spread, out=np.full(len(x), np.nan), where=spread > 0)


def _average_ranks(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Ranks within each row, ascending from 1, among what is present; equal values share the mean of their ranks."""
    less, equal = np.zeros(values.shape, np.int16), np.zeros(values.shape, np.int16)
    for other, counts in zip(values.T[:, :, None], present.T[:, :, None], strict=True):
        less += (other < values) & counts
        equal += (other == values) & counts
    return less + (equal + 1) / 2

"""A test of no difference that exchanges the labels of two groups question by question."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.special import gammainc

from babelbatch.statistics.variance import Group, spread

_BLOCK_SIGNS = 4_000_000  # signs held at once
_TIE = 1 - 1e-12  # sums of the same numbers in another order are equal but for rounding


def exchange_p_value(parts: np.ndarray, groups: Sequence[Group], seed: int, permutations: int) -> float:
    """Two-sided p-value of no difference between two groups of runs.

    parts: (K,) what each question adds to the difference of the groups' mean macro scores. Exchanging the groups'
    labels in a question, in all its languages and cells at once, flips the sign of its part: cells keep their numbers
    of rows. So the macro difference after an exchange is a sum of signed parts, with nothing approximated.

    One run each: the share of exchanges whose difference is at least as large as the one found (Fisher 1935). All 2**K
    are gone through if they are no more than `permutations`, else that many are drawn by `seed`, and the one found
    counts among them (Phipson and Smyth 2010).

    Several runs each: no exchange of questions shows how training varies, and exchanges of runs are too few (three and
    three can be divided in 20 ways, so that no p-value is below 0.1). The difference is therefore divided by the
    standard error over questions and seeds, and its distribution is that of the exchanged sums, at unit variance, over
    the square root of an independent chi-square by its degrees of freedom: Student's t with the exchanged sums in place
    of the normal. Runs that do not differ at all give back the test of one run each.
    """
    squares = float(parts @ parts)
    around = spread(groups, squares)
    if around.variance == 0:
        return 1.0
    statistic = abs(float(parts.sum())) / math.sqrt(around.variance) * _TIE
    if statistic == 0:
        return 1.0
    total = drawn = 0.0
    for sums in _signed_sums(parts / math.sqrt(squares), seed, permutations):
        if math.isinf(around.freedom):
            total += np.count_nonzero(np.abs(sums) >= statistic)
        else:
            total += gammainc(around.freedom / 2, around.freedom / 2 * (sums / statistic) ** 2).sum()
        drawn += len(sums)
    return float(total / drawn) if _all_fit(len(parts), permutations) else float((1 + total) / (1 + drawn))


def _signed_sums(parts: np.ndarray, seed: int, permutations: int) -> Iterator[np.ndarray]:
    """Sums of the parts under changes of sign, in blocks."""
    count = len(parts)
    if _all_fit(count, permutations):
        bits = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        yield (1 - 2 * bits) @ parts
        return
    random = np.random.default_rng(seed)
    rows_at_once = max(1, _BLOCK_SIGNS // count)
    for start in range(0, permutations, rows_at_once):
        rows = min(rows_at_once, permutations - start)
        packed = np.frombuffer(random.bytes(rows * -(-count // 8)), np.uint8).reshape(rows, -1)
        bits = np.unpackbits(packed, axis=1, count=count)
        yield parts.sum() - 2 * (bits @ parts)


def _all_fit(count: int, permutations: int) -> bool:
    return count < 63 and 2**count <= permutations

"""Whether one group dominates another on several measures: worse in none, better in one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import stats

from babelbatch.statistics.comparison import Comparison


def dominance_p_value(comparisons: Sequence[Comparison], margin: float) -> float:
    """One-sided p-value of a dominating b: on no measure worse by the margin or more, and on at least one better.

    comparisons: a minus b on each measure, in one unit, more being better. margin: positive.
    An intersection-union test (Berger 1982): the claim needs non-inferiority on every measure, at its own level, and
    superiority on any, with p-values by Bonferroni; the p-value is the largest of these. Its level is at most nominal,
    however the measures depend on each other.
    """
    if not 0 < margin < math.inf:
        raise ValueError(f"margin is {margin:g}; it must be positive, in the units of the metric")
    not_worse = max(_non_inferiority(each, margin) for each in comparisons)
    better = len(comparisons) * min(map(_superiority, comparisons))
    return min(1.0, max(not_worse, better))


def _non_inferiority(found: Comparison, margin: float) -> float:
    if found.error == 0:
        return 0.0 if found.difference > -margin else 1.0
    return float(stats.t.sf((found.difference + margin) / found.error, found.freedom))


def _superiority(found: Comparison) -> float:
    """One half of the two-sided p-value, whose permutation distribution is symmetric."""
    return found.p_value / 2 if found.difference > 0 else 1 - found.p_value / 2

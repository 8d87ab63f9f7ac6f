"""A second quantity compared where two groups are equally good: read off the curves of their runs over training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats

from babelbatch.statistics.variance import degrees_of_freedom

Curve = Sequence[tuple[float, float]]
"""(quality, other quantity) of one run at each of its evaluations, in the order of training."""


@dataclass(frozen=True, slots=True)
class AtEqualQuality:
    """The mean over runs of a minus that of b, where every run has reached `quality`.

    low, high: of a t interval at `level`. p_value: two-sided, Welch's t test over runs. runs: of a and of b.
    """

    quality: float
    a: float
    b: float
    low: float
    high: float
    level: float
    p_value: float
    runs: tuple[int, int]

    @property
    def difference(self) -> float:
        return self.a - self.b


def common_quality(curves: Sequence[Curve]) -> float | None:
    """The highest quality that all curves reach; None where one of them begins above it: they do not overlap."""
    reached = min(max(quality for quality, _ in curve) for curve in curves)
    return reached if all(curve[0][0] <= reached for curve in curves) else None


def at_quality(curve: Curve, quality: float) -> float:
    """The other quantity where the curve first reaches a quality, by linear interpolation between two evaluations.

    Raises ValueError for a quality that the curve does not pass through.
    """
    if curve[0][0] == quality:
        return curve[0][1]
    if curve[0][0] < quality:
        for (left, before), (right, after) in pairwise(curve):
            if left < quality <= right:
                return before + (after - before) * (quality - left) / (right - left)
    raise ValueError(f"the curve does not pass through {quality:g}")


def compare_at_equal_quality(a: Sequence[Curve], b: Sequence[Curve], level: float = 0.95) -> AtEqualQuality | None:
    """a minus b at their common quality; None where the curves do not overlap.

    a, b: the curves of the runs of two groups. The variance is that over runs; queries are taken as given, because a
    curve has one number an evaluation. Raises ValueError for fewer than two runs of either.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a has {len(a)} and b has {len(b)} runs; a test over runs takes two of each")
    quality = common_quality([*a, *b])
    if quality is None:
        return None
    values = [np.array([at_quality(curve, quality) for curve in group]) for group in (a, b)]
    mean_a, mean_b = (float(each.mean()) for each in values)
    difference, runs = mean_a - mean_b, (len(a), len(b))
    parts = [(float(each.var(ddof=1)) / len(each), len(each) - 1) for each in values]
    error = math.sqrt(sum(part for part, _ in parts))
    if error == 0:
        p_value = 1.0 if difference == 0 else 0.0
        return AtEqualQuality(quality, mean_a, mean_b, difference, difference, level, p_value, runs)
    freedom = float(degrees_of_freedom(parts, 0.0))
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * error
    p_value = 2 * float(stats.t.sf(abs(difference) / error, freedom))
    return AtEqualQuality(quality, mean_a, mean_b, difference - half, difference + half, level, p_value, runs)

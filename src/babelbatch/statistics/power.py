"""How large a difference must be for a test to find it: with the runs at hand, and with other numbers of seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from babelbatch.statistics.comparison import Comparison
from babelbatch.statistics.permutation import smallest_p_value
from babelbatch.statistics.scores import Floats, Scores
from babelbatch.statistics.variance import degrees_of_freedom, query_variance, two_groups

POWER = 0.8
_GRID = 60


def detectable(error: float, freedom: float, alpha: float = 0.05, power: float = POWER) -> float:
    """The smallest true difference that a two-sided test at `alpha` finds with probability `power`.

    error, freedom: standard error of the difference and its degrees of freedom. Noncentral t; the lesser tail is left
    out.
    """
    if error == 0:
        return 0.0
    critical = float(stats.t.isf(alpha / 2, freedom))

    def lack(noncentrality: float) -> float:
        return float(stats.nct.sf(critical, freedom, noncentrality)) - power

    high = critical + 2.0
    while lack(high) < 0:
        high *= 2
    return error * float(optimize.brentq(lack, 0.0, high, xtol=1e-6))


def detectable_by(comparison: Comparison, alpha: float = 0.05, power: float = POWER) -> float:
    """The same, of a comparison that was made; infinite if its clusters are too few for any p-value below `alpha`."""
    if smallest_p_value(comparison.clusters) >= alpha:
        return math.inf
    return detectable(comparison.error, comparison.freedom, alpha, power)


@dataclass(frozen=True, slots=True)
class Design:
    """The variance of a difference between two groups, from which other numbers of seeds are planned.

    seed_variances: of one run of a and of one run of b; 0 for a fixed system. freedoms: of these; 0 for a fixed system.
    query_variance: of the difference, without what is due to the runs at hand. clusters: K.
    """

    seed_variances: tuple[float, float]
    freedoms: tuple[int, int]
    query_variance: float
    clusters: int

    def power(self, difference: float, runs: tuple[int, int], alpha: float = 0.05) -> float:
        """The probability of finding a true difference with these numbers of runs; a fixed system has one."""
        if smallest_p_value(self.clusters) >= alpha:
            return 0.0
        deviation, critical = self._critical(runs, alpha)
        return float(stats.norm.cdf((difference - critical) / deviation).mean())

    def detectable(self, seeds: int, alpha: float = 0.05, power: float = POWER) -> float:
        """The smallest true difference that `seeds` runs in each trained group find with probability `power`; infinite
        if the clusters are too few for any p-value below `alpha`."""
        if smallest_p_value(self.clusters) >= alpha:
            return math.inf
        deviation, critical = self._critical((seeds, seeds), alpha)

        def lack(difference: float) -> float:
            return float(stats.norm.cdf((difference - critical) / deviation).mean()) - power

        return float(optimize.brentq(lack, 0.0, float(critical.max()) + 10 * deviation, xtol=1e-9))

    def seeds_for(self, difference: float, alpha: float = 0.05, power: float = POWER, most: int = 1_000) -> int | None:
        """The fewest runs in each trained group that find a true difference; None if `most` do not: then the queries
        are too few."""
        if self.detectable(most, alpha, power) > difference:
            return None
        low, high = 1, 2
        while self.detectable(high, alpha, power) > difference:
            low, high = high, min(2 * high, most)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.detectable(middle, alpha, power) <= difference else (middle, high)
        return high

    def _critical(self, runs: tuple[int, int], alpha: float) -> tuple[float, Floats]:
        """The standard deviation of the difference, and the differences that would be significant, over a grid of what
        the runs may show of their seed variances: chi-square, at equally probable points."""
        chances = (np.arange(_GRID) + 0.5) / _GRID
        shown: list[Floats] = []
        parts: list[tuple[Floats, int]] = []
        total = self.query_variance
        for side, (variance, count, freedom) in enumerate(zip(self.seed_variances, runs, self.freedoms, strict=True)):
            if freedom == 0:
                continue
            of_mean = variance / count
            estimated = of_mean * stats.chi2.ppf(chances, count - 1) / (count - 1)
            estimated = estimated[:, None] if side == 0 else estimated[None, :]
            shown.append(estimated)
            parts.append((estimated, count - 1))
            total += of_mean
        parts.append((np.full((1, 1), self.query_variance), self.clusters - 1))
        freedoms = degrees_of_freedom(parts, 0.0)
        errors = np.sqrt(sum(shown, np.full((1, 1), self.query_variance)))
        return math.sqrt(total), np.asarray(stats.t.isf(alpha / 2, freedoms) * errors)


def design(a: Sequence[Scores], b: Sequence[Scores], *, fixed_a: bool = False, fixed_b: bool = False) -> Design:
    """The design at hand. Raises ValueError as `comparison.compare`, and for one run each of trained systems, which do
    not show how much training varies."""
    groups = two_groups(a, b, fixed_a=fixed_a, fixed_b=fixed_b)
    if any(group.runs == 1 and not group.fixed for group in groups):
        raise ValueError("a single run does not show how much training varies; planning takes two seeds or more")
    influences = groups[0].influences.mean(axis=0) - groups[1].influences.mean(axis=0)
    residual = sum(group.residual_variance for group in groups)
    of_seeds = [max(group.seed_variance, group.residual_variance) * group.runs for group in groups]
    return Design(
        (of_seeds[0], of_seeds[1]),
        (groups[0].runs - 1, groups[1].runs - 1),
        max(query_variance(influences) - residual, 0.0),
        len(influences),
    )

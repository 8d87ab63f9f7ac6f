"""How large a difference must be for a test to find it: with the runs at hand, and with other numbers of seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import optimize, stats

from babelbatch.statistics.comparison import Comparison
from babelbatch.statistics.scores import Scores
from babelbatch.statistics.variance import degrees_of_freedom, query_variance, two_groups

POWER = 0.8


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
    """The same, of a comparison that was made."""
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

    def error_and_freedom(self, runs: tuple[int, int]) -> tuple[float, float]:
        """Standard error of the difference and its degrees of freedom with these numbers of runs; a fixed system has
        one."""
        parts = [
            (variance / count, count - 1)
            for variance, count, freedom in zip(self.seed_variances, runs, self.freedoms, strict=True)
            if freedom > 0
        ]
        total = sum(variance for variance, _ in parts) + self.query_variance
        return math.sqrt(total), degrees_of_freedom([*parts, (self.query_variance, self.clusters - 1)], 0.0)

    def power_at_hand(self, difference: float, alpha: float = 0.05) -> float:
        """The probability of finding a true difference with the numbers of runs at hand."""
        error, freedom = self.error_and_freedom((self.freedoms[0] + 1, self.freedoms[1] + 1))
        return float(stats.nct.sf(stats.t.isf(alpha / 2, freedom), freedom, difference / error))

    def detectable(self, seeds: int, alpha: float = 0.05, power: float = POWER) -> float:
        """The smallest true difference that `seeds` runs in each trained group find with probability `power`."""
        return detectable(*self.error_and_freedom((seeds, seeds)), alpha, power)

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

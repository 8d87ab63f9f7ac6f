"""How much a mean score over runs, or a difference of two such means, varies with other queries and other trainings.

Runs (seeds) and clusters of queries are crossed: every run answers every query, as every reader reads every case in a
study of readers. The method is the two-way analysis of variance of pseudo-values of such studies (Dorfman, Berbaum and
Metz 1992) with degrees of freedom after Hillis (2007). The runs of two groups are not paired, so each group has its own
seed variance, as in Welch's t test. A fixed system (no seed) has a seed variance of 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from babelbatch.statistics.scores import Floats, Scores, check_same_rows, influence, macro

_ROUNDING = 1e-24  # equal runs may have means that differ in the last digit


@dataclass(frozen=True, slots=True)
class Spread:
    """The variance of a mean or of a difference of means, and how well it is known.

    variance: over clusters of queries and, where a group has several runs, over trainings.
    freedom: degrees of freedom, the query part taken as known; infinite without a seed part.
    freedom_of_all: the same, with the K - 1 degrees of freedom of the query part; finite.
    """

    variance: float
    freedom: float
    freedom_of_all: float


@dataclass(frozen=True, slots=True)
class Group:
    """The runs of one group in numbers.

    macros: (S,) scores. influences: (S, K) of the clusters. fixed: the only run is a system without a seed.
    """

    macros: Floats
    influences: Floats
    fixed: bool = False

    @property
    def runs(self) -> int:
        return len(self.macros)

    @property
    def seed_variance(self) -> float:
        """Variance of the mean over runs, as the scores of the runs show it. 0 for a single run."""
        return float(self.macros.var(ddof=1)) / self.runs if self.runs > 1 else 0.0

    @property
    def residual_variance(self) -> float:
        """The part of that variance that is due to runs answering single queries differently."""
        runs, clusters = self.influences.shape
        if runs == 1:
            return 0.0
        residuals = self.influences - self.influences.mean(axis=0)
        return float(float((residuals**2).sum()) * clusters / ((clusters - 1) * runs * (runs - 1)))


def one_group(runs: Sequence[Scores], name: str = "runs", *, fixed: bool = False) -> Group:
    """The numbers of a group. fixed: the one run is a system without a seed.

    Raises ValueError for no run, one cluster, several runs of a fixed system, and runs that do not score the same rows.
    """
    if len(runs) == 0:
        raise ValueError(f"{name} is empty; at least one run is needed")
    if fixed and len(runs) > 1:
        raise ValueError(f"{name} has {len(runs)} runs of a fixed system; a system without a seed has one run")
    check_same_rows(_named(name, runs))
    if len(runs[0].clusters) < 2:
        raise ValueError("there is one cluster of queries; to estimate how scores vary over queries takes at least two")
    return Group(np.array([macro(run) for run in runs]), np.array([influence(run) for run in runs]), fixed)


def two_groups(
    a: Sequence[Scores], b: Sequence[Scores], *, fixed_a: bool = False, fixed_b: bool = False
) -> tuple[Group, Group]:
    """Two groups to compare. Raises ValueError as `one_group`, and for several runs beside one run of a trained
    system, which does not show how much its training varies."""
    groups = one_group(a, "a", fixed=fixed_a), one_group(b, "b", fixed=fixed_b)
    check_same_rows({**_named("a", a), **_named("b", b)})
    if max(len(a), len(b)) > 1 and any(group.runs == 1 and not group.fixed for group in groups):
        raise ValueError(
            f"a has {len(a)} and b has {len(b)} runs: a single run does not show how much training varies; "
            "give its group a second seed, or compare one run of each"
        )
    return groups


def query_variance(influences: Floats) -> float:
    """Variance over queries of a score, from the (K,) influences of their clusters on it."""
    clusters = len(influences)
    return float(influences @ influences) * clusters / (clusters - 1)


def spread(groups: Sequence[Group], over_queries: float) -> Spread:
    """Puts the sources together. groups: one (a mean) or two (a difference). over_queries: its query variance.

    Seed variance and query variance both contain the residual variance, so it is subtracted once:
    V = V_S + V_Q - V_E, which is unbiased whatever the distributions, but never less than V_S or V_Q alone.
    """
    clusters = groups[0].influences.shape[1]
    of_seeds = sum(group.seed_variance for group in groups)
    both = of_seeds + over_queries - sum(group.residual_variance for group in groups)
    variance = max(both, of_seeds, over_queries)
    rest = variance - of_seeds
    parts = [(group.seed_variance, group.runs - 1) for group in groups if group.runs > 1]
    of_all = float(degrees_of_freedom([*parts, (rest, clusters - 1)], 0.0))
    return Spread(variance, float(degrees_of_freedom(parts, rest)), min(of_all, 1e9))


def widening(around: Spread, influences: Floats, over_queries: float) -> float:
    """Factor, 1 or more, by which a t interval of a mean is widened because a few clusters dominate it.

    1 + 3 * g^2 / K * (the queries' share of the variance), g: skewness of the (K,) influences. The second-order term
    of the distribution of Student's t has 1.1 in place of 3 (Hall 1992, The Bootstrap and Edgeworth Expansion), for
    the skewness of the population; the squared skewness of a sample with a long tail is several times too small. With
    3 the intervals of `bench/statistics_simulation.py` cover also where queries are log-normal.
    """
    if not over_queries or not around.variance:
        return 1.0
    square, cube = float((influences**2).mean()), float((influences**3).mean())
    skewness = cube / (square * math.sqrt(square))
    return 1 + 3 * skewness * skewness / len(influences) * min(1.0, over_queries / around.variance)


def degrees_of_freedom(parts: Sequence[tuple[float | Floats, int]], known: float) -> Floats:
    """Of a sum of estimated variances and a known one; infinite if only the known one counts.

    parts: (variance, its degrees of freedom); variances may be arrays, which broadcast.

    Satterthwaite's formula (1946), with each variance of f degrees of freedom counted 1 + 4 / f**2 times. A variance
    from two or three runs is too small more often than too large. Satterthwaite's formula then reports the many
    degrees of freedom of the known part, and intervals are too short (Ballico 2000). The factor keeps the level of
    three or more runs below 6.5 % in every case that `bench/statistics_simulation.py` covers.
    """
    counted = [(np.asarray(variance) * (1 + 4 / freedom**2), freedom) for variance, freedom in parts]
    total = sum((variance for variance, _ in counted), np.asarray(known))
    squares = sum((variance**2 / freedom for variance, freedom in counted), np.zeros(()))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(squares > _ROUNDING * total**2, total**2 / squares, math.inf)
    return found


def _named(group: str, runs: Sequence[Scores]) -> dict[str, Scores]:
    return {f"{group}[{number}]": run for number, run in enumerate(runs)}

"""What a group of runs scores, how sure that is, and whether two groups differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from babelbatch.statistics.permutation import permutation_p_value
from babelbatch.statistics.scores import Floats, Scores, contributions
from babelbatch.statistics.variance import Group, Spread, one_group, query_variance, spread, two_groups, widening

OVER_BOTH, OVER_QUERIES = "queries and seeds", "queries"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean score over runs, with an interval.

    low, high: ends of the interval. level: its nominal coverage.
    seeds, clusters: how many runs and clusters of queries. over: what the interval covers. "queries and seeds": other
        queries of this kind, and other trainings. "queries", of a single run: other queries for this trained model;
        another seed may well lie outside.
    """

    value: float
    low: float
    high: float
    level: float
    seeds: int
    clusters: int
    over: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The mean score of group a minus that of group b.

    low, high, level, clusters, over: as in `Estimate`. runs: of a and of b.
    error, freedom: standard error of the difference and its degrees of freedom.
    p_value: two-sided, of no difference.
    effect_size: Cohen's d_z over clusters of queries: the difference divided by the standard deviation of the clusters'
        own differences (averages over runs). How large the difference is beside the scatter between clusters (0.2
        small, 0.5 medium, 0.8 large: Cohen 1988), not how sure it is.
    """

    difference: float
    low: float
    high: float
    level: float
    error: float
    freedom: float
    p_value: float
    effect_size: float
    runs: tuple[int, int]
    clusters: int
    over: str


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Whether a is worse than b by less than a margin.

    bound: one-sided confidence bound of a minus b at `level` on the worse side: the lower one, or where less is better
        the upper one. holds: the bound is on the good side of the margin; so is p_value < 1 - level, always.
    p_value: one-sided, of a being worse than b by the margin or more.
    loss_p_value: one-sided, of the opposite: of a being worse by the margin or less.
    difference: a minus b. margin, level: as asked.
    """

    difference: float
    bound: float
    margin: float
    level: float
    p_value: float
    loss_p_value: float
    holds: bool
    over: str


def estimate(runs: Sequence[Scores], level: float = 0.95) -> Estimate:
    """The mean score over runs. runs: the seeds of one group, in any order.

    The interval is a t interval, with the variance of `variance.spread`, widened by `variance.widening`.
    Raises ValueError for fewer than two clusters, and for runs that do not score the same rows.
    """
    _check_level(level)
    group = one_group(runs)
    value = float(group.macros.mean())
    influences = group.influences.mean(axis=0)
    over_queries = query_variance(influences)
    around = spread([group], over_queries)
    half = _quantile(around, (1 + level) / 2) * math.sqrt(around.variance) * widening(around, influences, over_queries)
    over = OVER_BOTH if group.runs > 1 else OVER_QUERIES
    return Estimate(value, value - half, value + half, level, group.runs, group.influences.shape[1], over)


def compare(
    a: Sequence[Scores], b: Sequence[Scores], level: float = 0.95, *, fixed_a: bool = False, fixed_b: bool = False
) -> Comparison:
    """a minus b. a, b: the runs of two groups on the same benchmark; queries are paired, seeds are not.

    fixed_a, fixed_b: the group is a system without a seed, whose one run has no seed variance. The interval is a t
    interval, with the variance of `variance.spread`. The p-value is of `permutation.permutation_p_value`.
    Raises ValueError for fewer than two clusters, for runs that do not score the same rows, and for several runs beside
    a single one of a trained system.
    """
    _check_level(level)
    groups = two_groups(a, b, fixed_a=fixed_a, fixed_b=fixed_b)
    difference, influences, around = _difference(groups)
    error = math.sqrt(around.variance)
    half = _quantile(around, (1 + level) / 2) * error
    parts: Floats = np.mean([contributions(run) for run in a], axis=0) - np.mean(
        [contributions(run) for run in b], axis=0
    )
    return Comparison(
        difference=difference,
        low=difference - half,
        high=difference + half,
        level=level,
        error=error,
        freedom=around.freedom_of_all,
        p_value=permutation_p_value(parts, groups),
        effect_size=_effect_size(difference, influences),
        runs=(len(a), len(b)),
        clusters=len(influences),
        over=_over(groups),
    )


def non_inferior(
    a: Sequence[Scores],
    b: Sequence[Scores],
    margin: float,
    level: float = 0.95,
    *,
    higher_is_better: bool = True,
    fixed_a: bool = False,
    fixed_b: bool = False,
) -> NonInferiority:
    """Is a worse than b by less than `margin`? margin: positive, in the units of the metric, chosen beforehand.

    One-sided at error rate 1 - level, 5 % by default: the lower end of a 90 % interval of `compare` must be above
    -margin (for a metric of which less is better, such as rank distance, the upper end below margin).
    Raises ValueError as `compare` does.
    """
    _check_level(level)
    if not 0 < margin < math.inf:
        raise ValueError(f"margin is {margin:g}; it must be positive, in the units of the metric")
    groups = two_groups(a, b, fixed_a=fixed_a, fixed_b=fixed_b)
    difference, _, around = _difference(groups)
    better = difference if higher_is_better else -difference
    error = math.sqrt(around.variance)
    bound = better - _quantile(around, level) * error
    if error > 0:
        statistic = (better + margin) / error
        p_value, loss = (float(stats.t.sf(side, around.freedom_of_all)) for side in (statistic, -statistic))
    else:
        p_value, loss = (0.0, 1.0) if better > -margin else (1.0, 0.0)
    return NonInferiority(
        difference=difference,
        bound=bound if higher_is_better else -bound,
        margin=margin,
        level=level,
        p_value=p_value,
        loss_p_value=loss,
        holds=bound > -margin,
        over=_over(groups),
    )


def _difference(groups: tuple[Group, Group]) -> tuple[float, Floats, Spread]:
    """The difference of the groups' means, the (K,) influences of the clusters on it, and how it varies."""
    a, b = groups
    influences = a.influences.mean(axis=0) - b.influences.mean(axis=0)
    return float(a.macros.mean() - b.macros.mean()), influences, spread(groups, query_variance(influences))


def _effect_size(difference: float, influences: Floats) -> float:
    deviation = math.sqrt(query_variance(influences) * len(influences))
    if deviation > 1e-12 * abs(difference):
        return difference / deviation
    return math.copysign(math.inf, difference) if difference else 0.0


def _quantile(around: Spread, share: float) -> float:
    return float(stats.t.ppf(share, around.freedom_of_all))


def _over(groups: tuple[Group, Group]) -> str:
    return OVER_BOTH if max(group.runs for group in groups) > 1 else OVER_QUERIES


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is {level:g}; it must lie between 0 and 1, such as 0.95")

"""What a group of runs scores, how sure that is, and whether two groups differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from babelbatch.statistics.exchange import exchange_p_value
from babelbatch.statistics.scores import Scores, contributions
from babelbatch.statistics.variance import Group, Spread, one_group, question_variance, spread, two_groups

OVER_BOTH, OVER_QUESTIONS = "questions and seeds", "questions"
PERMUTATIONS = 9_999


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean macro score over runs, with an interval.

    low, high: ends of the interval. level: its nominal coverage.
    seeds, questions: how many runs and question clusters. over: what the interval speaks about. "questions and seeds":
        other questions of this kind, and other trainings. "questions", of a single run: other questions for this
        trained model; another seed may well lie outside.
    """

    value: float
    low: float
    high: float
    level: float
    seeds: int
    questions: int
    over: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The mean macro score of group a minus that of group b.

    low, high, level, questions, over: as in `Estimate`. seeds: runs of the smaller group.
    p_value: two-sided, of no difference.
    effect_size: Cohen's d_z over questions: the difference divided by the standard deviation of the questions' own
        differences (averages over runs). It says how large the difference is beside the scatter from question to
        question, 0.2 small, 0.5 medium, 0.8 large (Cohen 1988); not how sure it is.
    """

    difference: float
    low: float
    high: float
    level: float
    p_value: float
    effect_size: float
    seeds: int
    questions: int
    over: str


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Whether a is worse than b by less than a margin.

    bound: one-sided confidence bound of a minus b at `level` on the worse side: the lower one, or where less is better
        the upper one. holds: the bound is on the good side of the margin; so is p_value < 1 - level, always.
    p_value: one-sided, of a being worse than b by the margin or more.
    difference: a minus b. margin, level: as asked.
    """

    difference: float
    bound: float
    margin: float
    level: float
    p_value: float
    holds: bool
    over: str


def estimate(runs: Sequence[Scores], level: float = 0.95) -> Estimate:
    """The mean over runs of the macro score. runs: the seeds of one group, in any order.

    The interval is a t interval, with the variance of `variance.spread`.
    Raises ValueError for fewer than two questions, and for runs that do not score the same rows.
    """
    _check_level(level)
    group = one_group(runs)
    value = float(group.macros.mean())
    around = spread([group], question_variance(group.influences.mean(axis=0)))
    half = _quantile(around, (1 + level) / 2) * math.sqrt(around.variance)
    questions = group.influences.shape[1]
    over = OVER_BOTH if len(runs) > 1 else OVER_QUESTIONS
    return Estimate(value, value - half, value + half, level, len(runs), questions, over)


def compare(
    a: Sequence[Scores], b: Sequence[Scores], level: float = 0.95, seed: int = 0, permutations: int = PERMUTATIONS
) -> Comparison:
    """a minus b. a, b: the runs of two groups on the same benchmark; questions are paired, seeds are not.

    The interval is a t interval, with the variance of `variance.spread`. The p-value is of `exchange.exchange_p_value`;
    seed and permutations are its own.
    Raises ValueError for fewer than two questions, for runs that do not score the same rows, and for several runs
    beside a single one.
    """
    _check_level(level)
    if permutations < 1:
        raise ValueError(f"permutations is {permutations}; it must be at least 1")
    groups = two_groups(a, b)
    difference, influences, around = _difference(groups)
    half = _quantile(around, (1 + level) / 2) * math.sqrt(around.variance)
    parts = np.mean([contributions(run) for run in a], axis=0) - np.mean([contributions(run) for run in b], axis=0)
    return Comparison(
        difference=difference,
        low=difference - half,
        high=difference + half,
        level=level,
        p_value=exchange_p_value(parts, groups, seed, permutations),
        effect_size=_effect_size(difference, influences),
        seeds=min(len(a), len(b)),
        questions=len(influences),
        over=_over(groups),
    )


def non_inferior(
    a: Sequence[Scores], b: Sequence[Scores], margin: float, level: float = 0.95, *, higher_is_better: bool = True
) -> NonInferiority:
    """Is a worse than b by less than `margin`? margin: positive, in the units of the metric, chosen beforehand.

    One-sided at error rate 1 - level, 5 % by default: the lower end of a 90 % interval of `compare` must be above
    -margin (for a metric of which less is better, such as rank distance, the upper end below margin).
    Raises ValueError as `compare` does.
    """
    _check_level(level)
    if not 0 < margin < math.inf:
        raise ValueError(f"margin is {margin:g}; it must be positive, in the units of the metric")
    groups = two_groups(a, b)
    difference, _, around = _difference(groups)
    better = difference if higher_is_better else -difference
    error = math.sqrt(around.variance)
    bound = better - _quantile(around, level) * error
    if error > 0:
        p_value = float(stats.t.sf((better + margin) / error, around.freedom_of_all))
    else:
        p_value = 0.0 if better > -margin else 1.0
    return NonInferiority(
        difference=difference,
        bound=bound if higher_is_better else -bound,
        margin=margin,
        level=level,
        p_value=p_value,
        holds=bound > -margin,
        over=_over(groups),
    )


def _difference(groups: list[Group]) -> tuple[float, np.ndarray, Spread]:
    """The difference of the groups' means, the (K,) influences of the questions on it, and how it varies."""
    a, b = groups
    influences = a.influences.mean(axis=0) - b.influences.mean(axis=0)
    return float(a.macros.mean() - b.macros.mean()), influences, spread(groups, question_variance(influences))


def _effect_size(difference: float, influences: np.ndarray) -> float:
    deviation = math.sqrt(question_variance(influences) * len(influences))
    if deviation > 1e-12 * abs(difference):
        return difference / deviation
    return math.copysign(math.inf, difference) if difference else 0.0


def _quantile(around: Spread, share: float) -> float:
    return float(stats.t.ppf(share, around.freedom_of_all))


def _over(groups: list[Group]) -> str:
    return OVER_BOTH if len(groups[0].macros) > 1 else OVER_QUESTIONS


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is {level:g}; it must lie between 0 and 1, such as 0.95")

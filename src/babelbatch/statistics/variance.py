"""How much the mean macro score of some runs, or a difference of two such means, would vary with other questions and
other trainings.

Runs (seeds) and questions are crossed: every run answers every question. That is the layout of studies in which several
readers read the same cases, and the method is theirs: a two-way analysis of variance of pseudo-values with readers and
cases random (Dorfman, Berbaum and Metz 1992), the degrees of freedom of Hillis (2007). A run is a reader, a question a
case, the macro score plus K times a question's influence a pseudo-value. The runs of two groups are not paired, so each
group has a variance of its own, as in Welch's t test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from babelbatch.statistics.scores import Scores, check_same_rows, influence, macro

_ROUNDING = 1e-24  # equal runs may have means that differ in the last digit


@dataclass(frozen=True, slots=True)
class Spread:
    """The variance of a mean or of a difference of means, and how well it is known.

    variance: over questions and, where every group has several runs, over trainings.
    freedom: degrees of freedom of its seed part by Satterthwaite (1946), as Hillis has them; infinite without seed
        part, since it takes the question part as known.
    freedom_of_all: the same, with the K - 1 degrees of freedom of the question part; finite.
    """

    variance: float
    freedom: float
    freedom_of_all: float


@dataclass(frozen=True, slots=True)
class Group:
    """The runs of one group in numbers: (S,) macro scores and (S, K) influences of the questions."""

    macros: np.ndarray
    influences: np.ndarray

    @property
    def seed_variance(self) -> float:
        """Of the mean over runs, as the runs' macro scores show it. 0 for a single run, which shows none."""
        runs = len(self.macros)
        return float(self.macros.var(ddof=1)) / runs if runs > 1 else 0.0

    @property
    def residual_variance(self) -> float:
        """Of the mean over runs, the part that comes of runs answering single questions differently."""
        runs, questions = self.influences.shape
        if runs == 1:
            return 0.0
        residuals = self.influences - self.influences.mean(axis=0)
        return float((residuals**2).sum()) * questions / ((questions - 1) * runs * (runs - 1))


def one_group(runs: Sequence[Scores], name: str = "runs") -> Group:
    """The numbers of a group. Raises ValueError for no run, one question, and runs that do not score the same rows."""
    if len(runs) == 0:
        raise ValueError(f"{name} is empty; at least one run is needed")
    check_same_rows(_named(name, runs))
    if len(runs[0].clusters) < 2:
        raise ValueError("there is one question only; to say how scores vary over questions takes at least two")
    return Group(np.array([macro(run) for run in runs]), np.array([influence(run) for run in runs]))


def two_groups(a: Sequence[Scores], b: Sequence[Scores]) -> list[Group]:
    """Two groups to be compared. Raises ValueError as `one_group` does, and for several runs beside a single one."""
    groups = [one_group(a, "a"), one_group(b, "b")]
    check_same_rows({**_named("a", a), **_named("b", b)})
    if min(len(a), len(b)) == 1 < max(len(a), len(b)):
        raise ValueError(
            f"a has {len(a)} and b has {len(b)} runs: a single run does not show how much training varies; "
            "give its group a second seed, or compare one run of each"
        )
    return groups


def question_variance(influences: np.ndarray) -> float:
    """Variance over questions of a score, from the (K,) influences of the questions on it."""
    questions = len(influences)
    return float(influences @ influences) * questions / (questions - 1)


def spread(groups: Sequence[Group], over_questions: float) -> Spread:
    """Puts the sources together. groups: one (a mean) or two (a difference). over_questions: its question variance.

    Seed variance and question variance both hold the residual variance, so it is taken off once: V = V_S + V_Q - V_E,
    which is unbiased whatever the distributions, but never less than V_S or V_Q alone.
    """
    questions = groups[0].influences.shape[1]
    of_seeds = [group.seed_variance for group in groups]
    both = sum(of_seeds) + over_questions - sum(group.residual_variance for group in groups)
    variance = max(both, sum(of_seeds), over_questions)
    seeds = sum(
        part**2 / (len(group.macros) - 1) for part, group in zip(of_seeds, groups, strict=True) if len(group.macros) > 1
    )
    rest = (variance - sum(of_seeds)) ** 2 / (questions - 1)
    return Spread(
        variance=variance,
        freedom=variance**2 / seeds if seeds > _ROUNDING * variance**2 else math.inf,
        freedom_of_all=variance**2 / (seeds + rest) if seeds + rest > 0 else questions - 1.0,
    )


def _named(group: str, runs: Sequence[Scores]) -> dict[str, Scores]:
    return {f"{group}[{number}]": run for number, run in enumerate(runs)}

"""What a comparison of two groups came to. Three states: better, not significantly different, not tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from babelbatch.report.grouping import Group
from babelbatch.report.measures import Measure
from babelbatch.statistics import Comparison, detectable_by, holm


@dataclass(frozen=True, slots=True)
class Pair:
    """A test that was made: group `a` minus group `b`.

    p_value: adjusted by Holm over its family, of `family` tests. alpha: the level that Holm tested it at, where it is
        not significant: the family's level over the number of tests that were left.
    of_runs: it compares single runs, at least one of them trained: another seed might turn it.
    """

    a: str
    b: str
    measure: Measure
    comparison: Comparison
    p_value: float
    alpha: float
    of_runs: bool
    family: int

    def settled(self, level: float) -> bool:
        """Whether the difference is significant."""
        return self.p_value < 1 - level

    def better(self) -> str:
        """The group with the better estimate."""
        return self.a if (self.comparison.difference > 0) == self.measure.higher_is_better else self.b

    @property
    def detectable(self) -> float:
        """The smallest true difference that the test finds with probability 0.8."""
        return detectable_by(self.comparison, self.alpha)


@dataclass(frozen=True, slots=True)
class Better:
    """`winner` is significantly better than `loser`."""

    winner: str
    loser: str
    pair: Pair


@dataclass(frozen=True, slots=True)
class NotDifferent:
    """The test found no significant difference."""

    pair: Pair

    @property
    def detectable(self) -> float:
        """The smallest true difference that the test finds with probability 0.8."""
        return self.pair.detectable


@dataclass(frozen=True, slots=True)
class NotTested:
    """No test was made of a against b. reason: a clause that says why."""

    a: str
    b: str
    reason: str


Outcome = Better | NotDifferent | NotTested


def why_not_tested(a: Group, b: Group) -> str | None:
    """The reason why two groups cannot be compared; None if they can.

    A comparison uses all runs of both groups. One run of a trained system beside several runs of another does not show
    how much its own training varies. One run each is a comparison of runs; a system without a seed is fixed.
    """
    for single, other in ((a, b), (b, a)):
        if len(single.runs) == 1 and not single.fixed and len(other.runs) > 1:
            return f"{single.label} has one run, which does not show how much its training varies"
    return None


def of_runs(a: Group, b: Group) -> bool:
    """Whether a comparison of the two speaks of single trained runs, not of what made them."""
    return max(len(a.runs), len(b.runs)) == 1 and not (a.fixed and b.fixed)


def corrected(tests: Sequence[tuple[Group, Group, Measure, Comparison]], level: float) -> tuple[Pair, ...]:
    """The pairs of one family of tests, with p-values by Holm."""
    adjusted = holm([comparison.p_value for *_, comparison in tests])
    left = max(1, len(tests) - sum(p_value < 1 - level for p_value in adjusted))
    return tuple(
        Pair(a.label, b.label, measure, comparison, p_value, (1 - level) / left, of_runs(a, b), len(tests))
        for (a, b, measure, comparison), p_value in zip(tests, adjusted, strict=True)
    )

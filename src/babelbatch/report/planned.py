"""The comparisons that an experiment was planned for (`report.contrasts`), tested as one family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from babelbatch.report.contrasts import Contrast
from babelbatch.report.grouping import Group, like_pairing
from babelbatch.report.measures import PLACES, RANK_DISTANCE, Measure, of_setting
from babelbatch.report.numbers import fixed, interval_and_p, p_text
from babelbatch.report.outcomes import why_not_tested
from babelbatch.statistics import (
    Comparison,
    NonInferiority,
    Scores,
    compare,
    detectable_by,
    holm,
    non_inferior,
)

_MOST_CLAUSES = 3
"""That a headline spells out."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A contrast between two groups that it names.

    test: the difference a minus b, or with a margin the test of non-inferiority; None if there was none.
    p_value: adjusted by Holm over the planned tests of the benchmark; 1 without a test.
    detectable: the smallest true difference that a test for a difference finds with probability 0.8.
    reason: why there was no test.
    """

    contrast: Contrast
    a: Group
    b: Group
    measure: Measure
    test: Comparison | NonInferiority | None
    p_value: float
    detectable: float | None
    reason: str

    def holds(self, level: float) -> bool:
        """Whether `a` is significantly better, or significantly not worse by the margin."""
        if self.test is None or self.p_value >= 1 - level:
            return False
        return isinstance(self.test, NonInferiority) or self._is_better(self.test.difference)

    def fails(self, level: float) -> bool:
        """Whether `a` is significantly worse."""
        significant = isinstance(self.test, Comparison) and self.p_value < 1 - level
        return significant and not self.holds(level)

    def _is_better(self, difference: float) -> bool:
        return (difference > 0) == self.measure.higher_is_better


def planned_tests(
    contrasts: Sequence[Contrast],
    groups: Sequence[Group],
    metric: str,
    scores: Mapping[tuple[str, int | None, Measure], Scores],
    level: float,
) -> tuple[Planned, ...]:
    """The tests of the groups that the contrasts name. Two groups are compared if strategy and alpha are all that they
    differ in, so a contrast of two strategies is tested once for each encoder, for instance, and without `alpha` once
    for each share of X-X batches; never twice."""
    made: list[tuple[Contrast, Group, Group, Measure, Comparison | NonInferiority | None, str]] = []
    known: set[tuple[str, str, Measure, float | None]] = set()
    for contrast in contrasts:
        measure = RANK_DISTANCE if contrast.measure == "rank_distance" else of_setting(contrast.measure, metric)
        for a, b in pairs_of(contrast, groups):
            test_of = (a.label, b.label, measure, contrast.margin)
            if test_of in known:  # as with `alpha` in some plans and without in others
                continue
            known.add(test_of)
            of_a, of_b = ([scores.get((each.label, seed, measure)) for seed in each.seeds] for each in (a, b))
            own = [found for found in of_a if found is not None]
            other = [found for found in of_b if found is not None]
            lacking = len(own) < len(of_a) or len(other) < len(of_b)
            reason = "there are no scores by query there" if lacking else why_not_tested(a, b) or ""
            test = None if reason else _tested(contrast, measure, a, b, own, other, level)
            made.append((contrast, a, b, measure, test, reason))
    tests = [test for *_, test, _ in made if test is not None]
    adjusted = iter(holm([test.p_value for test in tests]))
    p_values = [1.0 if test is None else next(adjusted) for *_, test, _ in made]
    left = max(1, len(tests) - sum(p_value < 1 - level for p_value in p_values))
    return tuple(
        Planned(
            contrast,
            a,
            b,
            measure,
            test,
            p_value,
            detectable_by(test, (1 - level) / left) if isinstance(test, Comparison) else None,
            reason,
        )
        for (contrast, a, b, measure, test, reason), p_value in zip(made, p_values, strict=True)
    )


def pairs_of(contrast: Contrast, groups: Sequence[Group]) -> list[tuple[Group, Group]]:
    """The pairs of groups that a contrast is about."""
    return [
        (a, b)
        for a in groups
        if a.strategy == contrast.group and contrast.alpha in (None, a.alpha)
        for b in groups
        if b.strategy == contrast.against and contrast.against_alpha in (None, b.alpha) and a.rest == b.rest
        if not (a.on_the_curve and b.on_the_curve) or like_pairing(a.pairing, b.pairing)
    ]


def headline(planned: Sequence[Planned], level: float) -> str:
    """Which of the planned comparisons are significant; of many significant ones, how many hold."""
    holding = [each for each in planned if each.holds(level)]
    failing = [each for each in planned if each.fails(level)]
    untested = sum(each.test is None for each in planned)
    rest = len(planned) - len(holding) - len(failing) - untested
    if untested == len(planned):
        return "None of the planned comparisons could be tested"
    beside = f"; {untested} could not be tested" if untested else ""
    if not holding and not failing:
        return f"None of the planned comparisons{' that could be tested' if untested else ''} is significant{beside}"
    if len(holding) + len(failing) > _MOST_CLAUSES:
        text = _counts(planned, holding, failing)
        return text + (f"; {rest} {'is' if rest == 1 else 'are'} not significant" if rest else "") + beside
    text = "; ".join(_clause(each, level) for each in planned if each.holds(level) or each.fails(level))
    open_ = f"; {rest} of {len(planned)} planned comparisons {'is' if rest == 1 else 'are'} not significant"
    return _capitalised(text) + (open_ if rest else "") + beside


def _counts(planned: Sequence[Planned], holding: Sequence[Planned], failing: Sequence[Planned]) -> str:
    names = {each.a.label for each in planned}
    if len(names) > 1:
        return f"Of {len(planned)} planned comparisons {len(holding)} hold and {len(failing)} fail"
    with_margin = any(isinstance(each.test, NonInferiority) for each in holding)
    better = "is better, or loses less than the margin," if with_margin else "is better"
    worse = f", and worse in {len(failing)}" if failing else ""
    return _capitalised(f"{names.pop()} {better} in {len(holding)} of {len(planned)} planned comparisons{worse}")


def _capitalised(text: str) -> str:
    """With a capital letter, unless it begins with a name such as `x_y`."""
    return f"{text[0].upper() if text[0].islower() and text.split()[0].isalpha() else text[0]}{text[1:]}"


def sentences(planned: Sequence[Planned], level: float) -> list[str]:
    """One for each planned comparison."""
    found = []
    for each in planned:
        if each.test is None:
            found.append(f"{each.a.label} against {each.b.label} {place(each)}: not tested, because {each.reason}.")
            continue
        clause = _clause(each, level)
        sentence = f"{clause[0].upper()}{clause[1:]}" if clause.split()[0].islower() else clause
        found.append(f"{sentence} ({_numbers(each, level)}).")
    return found


def place(each: Planned) -> str:
    """Where the contrast is, as the end of a sentence."""
    return "in rank distance" if each.measure == RANK_DISTANCE else PLACES[each.measure.setting]


def _tested(
    contrast: Contrast,
    measure: Measure,
    a: Group,
    b: Group,
    own: Sequence[Scores],
    other: Sequence[Scores],
    level: float,
) -> Comparison | NonInferiority:
    if contrast.margin is None:
        return compare(own, other, level, fixed_a=a.fixed, fixed_b=b.fixed)
    return non_inferior(
        own,
        other,
        contrast.margin,
        level,
        higher_is_better=measure.higher_is_better,
        fixed_a=a.fixed,
        fixed_b=b.fixed,
    )


def _clause(each: Planned, level: float) -> str:
    a, b = each.a.subject, each.b.subject
    if each.contrast.margin is not None:
        if each.holds(level):
            return f"{a} keeps the {each.measure.name} of {b} {place(each)} to within {each.contrast.margin:g}"
        kept = f"{a} keeps the {each.measure.name} of {b} {place(each)} to within {each.contrast.margin:g}"
        return f"that {kept} is not shown"
    if each.holds(level):
        return f"{a} is better than {b} {place(each)}"
    if each.fails(level):
        return f"{a} is worse than {b} {place(each)}"
    return f"{a} is not significantly different from {b} {place(each)}"


def _numbers(each: Planned, level: float) -> str:
    test = each.test
    assert test is not None, "an untested comparison has no numbers"
    digits = 3 if each.measure.digits == 4 else 1
    difference = f"{each.measure.name} {fixed(test.difference, digits, signed=True)}"
    if isinstance(test, NonInferiority):
        return f"{difference}, {p_text(each.p_value)}"
    low, high = each.measure.difference_within(test.low, test.high)
    text = f"{difference}, {interval_and_p(low, high, digits, level, each.p_value, signed=True)}"
    if each.p_value >= 1 - level and each.detectable is not None:
        text += f"; {each.measure.found(each.detectable, digits)}"
    return text

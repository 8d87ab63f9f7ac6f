"""Does the difference between two groups depend on where it is measured? Differences of differences, tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from babelbatch.report.grouping import Group
from babelbatch.report.numbers import fixed, interval_and_p, p_text
from babelbatch.report.outcomes import why_not_tested
from babelbatch.statistics import Comparison, Scores, compare, holm


@dataclass(frozen=True, slots=True)
class Interaction:
    """The difference group minus reference in one place minus the same difference in another.

    where: the place, as a clause names it. p_value: adjusted by Holm over the section.
    """

    group: Group
    reference: Group
    where: str
    comparison: Comparison
    p_value: float


def interactions(
    tests: Sequence[tuple[Group, Group, str, Sequence[Scores], Sequence[Scores]]], level: float
) -> list[Interaction]:
    """Tests of one section. Each: group, reference, where, and the runs of both, scored by a contrast.

    Pairs of groups that cannot be tested are left out (`outcomes.why_not_tested`).
    """
    made = [
        (group, reference, where, compare(a, b, level, fixed_a=group.fixed, fixed_b=reference.fixed))
        for group, reference, where, a, b in tests
        if why_not_tested(group, reference) is None
    ]
    adjusted = holm([comparison.p_value for *_, comparison in made])
    return [Interaction(*test, p_value) for test, p_value in zip(made, adjusted, strict=True)]


def sentences(found: Sequence[Interaction], level: float, *, elsewhere: str, others: str) -> list[str]:
    """A sentence for every significant interaction, and one for all others of a group.

    elsewhere: completes "... not significantly different", as in "between the scripts". others: the same where one of
        the group's is significant, as in "for the other scripts".
    """
    lines = []
    for each in found:
        if each.p_value < 1 - level:
            by = each.comparison.difference
            lines.append(
                f"The difference of {each.group.subject} from {each.reference.subject} is "
                f"{fixed(abs(by), 3)} {'higher' if by > 0 else 'lower'} {each.where} ({sure(each, level)})."
            )
    for group in dict.fromkeys(each.group.label for each in found):
        rest = [each for each in found if each.group.label == group and each.p_value >= 1 - level]
        if rest:
            first, alone = rest[0], len(rest) == 1
            all_open = all(each.p_value >= 1 - level for each in found if each.group.label == group)
            there = first.where.replace(" than ", " and ", 1) if alone else elsewhere if all_open else others
            least = min(rest, key=lambda each: each.p_value)
            lines.append(
                f"The difference of {first.group.subject} from {first.reference.subject} is not significantly "
                f"different {there} ({sure(least, level) if alone else 'smallest ' + p_text(least.p_value)})."
            )
    return lines


def sure(each: Interaction, level: float) -> str:
    both = each.comparison
    return interval_and_p(both.low, both.high, 3, level, each.p_value, signed=True)

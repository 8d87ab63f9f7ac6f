"""Does language bias differ between strategies, as it was measured at the end?"""

from __future__ import annotations

from babelbatch.report.comparisons import PREFERENCE, SAME_LANGUAGE, Measure, Study, reference_of
from babelbatch.report.grouping import Group
from babelbatch.report.numbers import MISSING, fixed, interval, p_text, percent
from babelbatch.report.outcomes import Better, NotDifferent, NotTested, why_not_tested
from babelbatch.report.section import Section
from babelbatch.report.tables import Cell, Data, Grid
from babelbatch.statistics import Comparison, compare, holm

MEASURES = (PREFERENCE, SAME_LANGUAGE)
"""Bias measures with a value for each query, apart from rank distance, which all pairs are tested on."""
_BEST = "the best-ranked relevant candidate"


def bias_tests(study: Study) -> Section | None:
    """Every group against X-X (without X-X, the first group) on `MEASURES`; None where nothing can be tested."""
    reference = reference_of(study.groups) or study.groups[0]
    made: list[tuple[Group, Measure, Comparison]] = []
    for group in study.groups:
        if group is reference or why_not_tested(group, reference) is not None:
            continue
        for measure in MEASURES:
            if all((each.label, measure) in study.estimates for each in (group, reference)):
                a, b = study.of(group, measure), study.of(reference, measure)
                found = compare(a, b, study.level, fixed_a=group.fixed, fixed_b=reference.fixed)
                made.append((group, measure, found))
    if not made:
        return None
    adjusted = holm([comparison.p_value for *_, comparison in made])
    cells: dict[tuple[str, Measure], tuple[str, str]] = {}
    rows: list[tuple[Cell, ...]] = []
    lines = []
    for (group, measure, found), p_value in zip(made, adjusted, strict=True):
        low, high = measure.difference_within(found.low, found.high)
        shown = fixed(found.difference, 3, signed=True)
        cells[group.label, measure] = shown, f"{interval(low, high, 3, signed=True)}, {p_text(p_value)}"
        numbers = (found.difference, found.low, found.high, found.p_value, p_value)
        rows.append((study.benchmark, group.label, reference.label, measure.metric, *numbers))
        if measure == PREFERENCE:
            lines.append(_preference(study, group, reference, found, p_value))
    labels = list(dict.fromkeys(group.label for group, *_ in made))
    used = [measure for measure in MEASURES if any((label, measure) in cells for label in labels)]
    head = ("benchmark", "group", "minus", "metric", "difference", "low", "high", "p", "p by Holm")
    return Section(
        f"bias-tests-{study.benchmark}",
        f"{study.benchmark}: does language bias differ?",
        tuple(lines),
        f"Difference from {reference.label}, with its {percent(study.level)} interval; tested as the pairwise "
        "comparisons are, p by Holm over this table. Less of either is not better as such: it also falls where fewer "
        "right answers are found, so read it beside the quality.",
        Grid(
            "strategy",
            tuple(measure.name for measure in used),
            [(label, "", tuple(cells.get((label, each), (MISSING, "")) for each in used)) for label in labels],
        ),
        Data(f"{study.benchmark}_bias_tests", head, rows),
    )


def _preference(study: Study, group: Group, reference: Group, found: Comparison, p_value: float) -> str:
    one, other = (each.subject for each in (group, reference))
    own, base = (fixed(study.estimates[each.label, PREFERENCE].value, 3) for each in (group, reference))
    low, high = PREFERENCE.difference_within(found.low, found.high)
    numbers = f"{own} against {base}, difference {fixed(found.difference, 3, signed=True)}, {percent(study.level)} "
    numbers += f"interval {interval(low, high, 3, signed=True)}, {p_text(p_value)}"
    if p_value >= 1 - study.level:
        sentence = f"{one} and {other} do not differ significantly in how often {_BEST} is in the query's language"
        return f"{sentence[0].upper()}{sentence[1:]} ({numbers})."
    often = "less" if found.difference < 0 else "more"
    sentence = f"With {one} {_BEST} is in the query's language {often} often than with {other} ({numbers})."
    return f"{sentence}{_beside(study, group, reference)}"


def _beside(study: Study, group: Group, reference: Group) -> str:
    """Whether their quality is alike, without which the bias alone does not differ."""
    quality = study.main("multilingual")
    if quality is None:
        return ""
    match study.outcome(group.label, reference.label, quality):
        case Better():
            return f" Their {quality.name} over the pool differs too."
        case NotDifferent():
            return f" Their {quality.name} over the pool is not significantly different."
        case NotTested():
            return ""

"""Language bias at equal quality: read off the evaluations during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from babelbatch.report.comparisons import PREFERENCE, RANK_DISTANCE, SAME_LANGUAGE, Measure, Study, reference_of
from babelbatch.report.figure import Figure, of_all
from babelbatch.report.grouping import Group
from babelbatch.report.numbers import MISSING, fixed, interval, p_text
from babelbatch.report.runs import Run, read_curves
from babelbatch.report.section import Section
from babelbatch.report.svg import SERIES, Line, Point, chart
from babelbatch.report.tables import Cell, Data, Grid
from babelbatch.statistics import AtEqualQuality, Curve, compare_at_equal_quality, holm

MEASURES = (RANK_DISTANCE, PREFERENCE, SAME_LANGUAGE)


def bias_at_quality(study: Study) -> Section | None:
    """Bias against quality over the evaluations during training, and its difference from the reference where both are
    equally good; None unless two groups were evaluated during training."""
    quality = study.main("multilingual")
    if quality is None:
        return None
    curves = {
        (group.label, measure): of_runs
        for group in study.groups
        for measure in MEASURES
        if all(of_runs := [curve_of(run, study.benchmark, quality, measure) for run in group.runs])
    }
    drawn = [measure for measure in MEASURES if sum(known == measure for _, known in curves) > 1]
    if not drawn:
        return None
    compared, refused = _compared(study, curves, drawn)
    return Section(
        f"bias-quality-{study.benchmark}",
        f"{study.benchmark}: language bias at equal quality",
        (*_sentences(compared, quality, study.level), *(f"{line[0].upper()}{line[1:]}" for line in refused)),
        "Each line follows a strategy from its first evaluation during training to the last one that all its seeds "
        "have, mean over seeds. The "
        f"table has differences at the highest {quality.name} over the pool that every run of both strategies reaches, "
        "each run read off its own curve by linear interpolation, and a t test over runs, p by Holm over this table. "
        "Queries are taken as given. Strategies whose curves do not overlap cannot be compared so.",
        _grid(compared, drawn),
        _data(compared, study.benchmark, quality),
        figures=tuple(_figure(study, quality, measure, curves) for measure in drawn),
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """A measure of two groups at equal quality. p_value: by Holm over all of them."""

    group: str
    reference: str
    measure: Measure
    found: AtEqualQuality
    p_value: float

    @property
    def digits(self) -> int:
        return 3 if self.measure.most == 1 else 1


def _compared(
    study: Study, curves: Mapping[tuple[str, Measure], list[Curve]], drawn: Sequence[Measure]
) -> tuple[list[_Compared], list[str]]:
    """Each group against the reference in each measure; and what cannot be compared, with the reason."""
    found: list[tuple[Group, Group, Measure, AtEqualQuality]] = []
    refused = []
    for measure in drawn:
        reference, *others = _with_curves(study, curves, measure)
        for group in others:
            pair = f"{group.subject} and {reference.subject}, {measure.name}"
            of_both = curves[group.label, measure], curves[reference.label, measure]
            if min(map(len, of_both)) < 2:
                refused.append(f"{pair}: not tested, because a test over runs takes two of each.")
            elif (at_equal := compare_at_equal_quality(*of_both, study.level)) is None:
                refused.append(f"{pair}: not comparable, because their curves do not overlap.")
            else:
                found.append((group, reference, measure, at_equal))
    adjusted = holm([at_equal.p_value for *_, at_equal in found])
    return [
        _Compared(group.label, reference.label, measure, at_equal, float(p_value))
        for (group, reference, measure, at_equal), p_value in zip(found, adjusted, strict=True)
    ], refused


def _sentences(compared: Sequence[_Compared], quality: Measure, level: float) -> list[str]:
    """A sentence for each significant difference, or one if there is none."""
    sentences = []
    for each in compared:
        if each.p_value < 1 - level:
            found, digits = each.found, each.digits
            more = "less" if found.difference < 0 else "more"
            sentences.append(
                f"At equal {quality.name} over the pool, {fixed(found.quality, 3)}, {each.group} has {more} "
                f"{each.measure.name} than {each.reference}: {fixed(found.a, digits)} against "
                f"{fixed(found.b, digits)} ({p_text(each.p_value)})."
            )
    if compared and not sentences:
        return ["At equal quality no difference in language bias is significant."]
    return sentences


def _grid(compared: Sequence[_Compared], drawn: Sequence[Measure]) -> Grid:
    """Groups by measures: the difference and the quality at which it was read, with interval and p."""
    cells: dict[tuple[str, Measure], tuple[str, str]] = {}
    for each in compared:
        found, digits = each.found, each.digits
        shown = f"{fixed(found.difference, digits, signed=True)} at {fixed(found.quality, 3)}"
        numbers = f"{interval(found.low, found.high, digits, signed=True)}, {p_text(each.p_value)}"
        cells[each.group, each.measure] = shown, numbers
    labels = list(dict.fromkeys(each.group for each in compared))
    used = [measure for measure in drawn if any((label, measure) in cells for label in labels)]
    rows = [(label, "", tuple(cells.get((label, each), (MISSING, "")) for each in used)) for label in labels]
    head = tuple(measure.name for measure in used) or ("at equal quality",)
    return Grid("strategy", head, rows or [("–", "", ((MISSING, ""),))])


def _data(compared: Sequence[_Compared], benchmark: str, quality: Measure) -> Data:
    head = (
        "group", "minus", "metric", f"{quality.name} over the pool", "of the group", "of the other", "difference",
        "low", "high", "p", "p by Holm",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (
            each.group, each.reference, each.measure.metric, each.found.quality, each.found.a, each.found.b,
            each.found.difference, each.found.low, each.found.high, each.found.p_value, each.p_value,
        )
        for each in compared
    ]  # fmt: skip
    return Data(f"{benchmark}_bias_at_quality", head, rows)


def curve_of(run: Run, benchmark: str, quality: Measure, measure: Measure) -> Curve:
    """(quality, bias) at each evaluation during training; empty if there were fewer than two."""
    logged = read_curves(run, lambda name: name.startswith(f"{benchmark}/{quality.setting}/"))
    steps = run.metrics.get("steps", 0)
    of_quality, of_measure = (
        {step: value for step, value in logged.get(f"{benchmark}/{each.setting}/{each.metric}", ()) if step <= steps}
        for each in (quality, measure)
    )  # what is logged after the last step is the final evaluation, of all queries
    found = [(of_quality[step], of_measure[step]) for step in sorted(of_quality) if step in of_measure]
    return found if len(found) > 1 and np.isfinite(found).all() else []


def _with_curves(study: Study, curves: Mapping[tuple[str, Measure], Sequence[Curve]], measure: Measure) -> list[Group]:
    """The groups that have curves, X-X first if it is among them: others are compared with the first."""
    known = [group for group in study.groups if (group.label, measure) in curves]
    reference = reference_of(known)
    return sorted(known, key=lambda group: group is not reference)


def _figure(
    study: Study, quality: Measure, measure: Measure, curves: Mapping[tuple[str, Measure], Sequence[Curve]]
) -> Figure:
    lines, rows = [], []
    for number, group in enumerate(study.groups):
        if (group.label, measure) not in curves:
            continue
        points = mean_curve(curves[group.label, measure])
        rows += [(group.label, evaluation, *point) for evaluation, point in enumerate(points, start=1)]
        if number < SERIES:
            lines.append(Line(group.label, tuple(Point(*point) for point in points), number))
    title = f"{measure.name} against {quality.name} over the pool"
    ends = "; ".join(
        f"{line.label} ends at {fixed(line.points[-1].x, 3)}, {measure.shown(line.points[-1].y)}" for line in lines
    )
    columns = ("group", "evaluation", f"{quality.name} over the pool", measure.name)
    return Figure(
        f"{title[0].upper()}{title[1:]}{of_all(len(lines), len({label for label, *_ in rows}))}",
        chart(lines, f"{title}: {ends}", f"{quality.name} over the pool"),
        tuple((line.label, line.series) for line in lines),
        Data(f"{study.benchmark}_curve_{measure.metric.replace('@', '_')}", columns, rows),
    )


def mean_curve(curves: Sequence[Curve]) -> list[tuple[float, float]]:
    """The mean over runs at each evaluation that all of them have."""
    shortest = min(map(len, curves))
    means = np.mean([curve[:shortest] for curve in curves], axis=0)
    return [(float(x), float(y)) for x, y in means]

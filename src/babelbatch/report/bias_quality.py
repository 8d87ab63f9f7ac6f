"""Language bias at equal quality: read off the evaluations during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from babelbatch.report.comparisons import PREFERENCE, RANK_DISTANCE, SAME_LANGUAGE, Measure, Study, reference_of
from babelbatch.report.figure import Figure
from babelbatch.report.grouping import Group
from babelbatch.report.interactions import named
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
    made: list[tuple[Group, Group, Measure, AtEqualQuality]] = []
    refused = []
    for measure in drawn:
        reference, *others = _with_curves(study, curves, measure)
        for group in others:
            pair = f"{named(group, study.of_runs)} and {named(reference, study.of_runs)}, {measure.name}"
            of_both = curves[group.label, measure], curves[reference.label, measure]
            if min(map(len, of_both)) < 2:
                refused.append(f"{pair}: not tested, because a test over runs takes two of each.")
            elif (compared := compare_at_equal_quality(*of_both, study.level)) is None:
                refused.append(f"{pair}: not comparable, because their curves do not overlap.")
            else:
                made.append((group, reference, measure, compared))
    adjusted = holm([found.p_value for *_, found in made])
    rows: list[tuple[Cell, ...]] = []
    cells: dict[tuple[str, Measure], tuple[str, str]] = {}
    sentences = []
    for (group, reference, measure, found), p_value in zip(made, adjusted, strict=True):
        digits = 3 if measure.most == 1 else 1
        numbers = f"{interval(found.low, found.high, digits, signed=True)}, {p_text(p_value)}"
        shown = fixed(found.difference, digits, signed=True)
        cells[group.label, measure] = f"{shown} at {fixed(found.quality, 3)}", numbers
        rows.append((
            group.label, reference.label, measure.metric, found.quality, found.a, found.b, found.difference, found.low,
            found.high, found.p_value, p_value,
        ))  # fmt: skip
        if p_value < 1 - study.level:
            more = "less" if found.difference < 0 else "more"
            sentences.append(
                f"At equal {quality.name} over the pool, {fixed(found.quality, 3)}, {group.label} has {more} "
                f"{measure.name} than {reference.label}: {fixed(found.a, digits)} against {fixed(found.b, digits)} "
                f"({p_text(p_value)})."
            )
    if made and not sentences:
        sentences = ["At equal quality no difference in language bias is significant."]
    labels = list(dict.fromkeys(group.label for group, *_ in made))
    used = [measure for measure in drawn if any((label, measure) in cells for label in labels)]
    head = (
        "group", "minus", "metric", f"{quality.name} over the pool", "of the group", "of the other", "difference",
        "low", "high", "p", "p by Holm",
    )  # fmt: skip
    grid = Grid(
        "strategy",
        tuple(measure.name for measure in used) or ("at equal quality",),
        [(label, "", tuple(cells.get((label, each), (MISSING, "")) for each in used)) for label in labels]
        or [("–", "", ((MISSING, ""),))],
    )
    return Section(
        f"bias-quality-{study.benchmark}",
        f"{study.benchmark}: language bias at equal quality",
        (*sentences, *(f"{line[0].upper()}{line[1:]}" for line in refused)),
        f"Each line follows a strategy from its first evaluation during training to the last one, mean over seeds. The "
        f"table has differences at the highest {quality.name} over the pool that every run of both strategies reaches, "
        "each run read off its own curve by linear interpolation, and a t test over runs, p by Holm over this table. "
        "Queries are taken as given. Strategies whose curves do not overlap cannot be compared so.",
        grid,
        Data(f"{study.benchmark}_bias_at_quality", head, rows),
        figures=tuple(_figure(study, quality, measure, curves) for measure in drawn),
    )


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
        f"{title[0].upper()}{title[1:]}",
        chart(lines, f"{title}: {ends}", f"{quality.name} over the pool"),
        tuple((line.label, line.series) for line in lines),
        Data(f"{study.benchmark}_curve_{measure.metric.replace('@', '_')}", columns, rows),
    )


def mean_curve(curves: Sequence[Curve]) -> list[tuple[float, float]]:
    """The mean over runs at each evaluation that all of them have."""
    shortest = min(map(len, curves))
    means = np.mean([curve[:shortest] for curve in curves], axis=0)
    return [(float(x), float(y)) for x, y in means]

"""Quality against the size of vectors, of runs that were evaluated with `evaluation.dimensions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from babelbatch.evaluation.dimensions import DIMENSIONS
from babelbatch.report.comparisons import Measure, Study
from babelbatch.report.figure import Figure, of_all
from babelbatch.report.grouping import Group
from babelbatch.report.measures import PLACES
from babelbatch.report.numbers import MISSING, percent
from babelbatch.report.runs import Run
from babelbatch.report.section import Section
from babelbatch.report.svg import SERIES, Line, Point, chart
from babelbatch.report.tables import Cell, Data, Grid

Curve = dict[int, float]
"""Size of a vector -> mean score over runs; from the smallest size."""


def dimensions(study: Study) -> Section | None:
    """The main metric of each setting against the size of vectors; None unless a strategy has it at two sizes."""
    measures = [measure for setting in PLACES if (measure := study.main(setting)) is not None]
    curves = {
        (group.label, measure): curve
        for group in study.groups
        for measure in measures
        if len(curve := curve_of(group, study.benchmark, measure)) > 1
    }
    shown = [measure for measure in measures if any(known == measure for _, known in curves)]
    if not shown:
        return None
    last = shown[-1]
    return Section(
        f"dimensions-{study.benchmark}",
        f"{study.benchmark}: quality against the size of vectors",
        tuple(_sentence(label, curve, measure) for (label, measure), curve in curves.items() if measure == last),
        "Vectors are cut to their first components, and scaled to unit length if the encoder scales its own. Means "
        "over seeds, without intervals: the scores of cut vectors are not stored by query. A share below a score is of "
        "the score at the largest size.",
        _grid(curves, shown),
        _data(curves, study.benchmark),
        figures=tuple(_figure(study, measure, curves) for measure in shown),
    )


def curve_of(group: Group, benchmark: str, measure: Measure) -> Curve:
    """The mean at each size at which every run of the group was evaluated."""
    ending = f"/{benchmark}/{measure.setting}/{measure.metric}"
    by_run = [_sizes(run, ending) for run in group.runs]
    shared = sorted(set.intersection(*({*sizes} for sizes in by_run)))
    return {size: float(np.mean([sizes[size] for sizes in by_run])) for size in shared}


def _sizes(run: Run, ending: str) -> Curve:
    return {
        int(key.removeprefix(DIMENSIONS).removesuffix(ending)): value
        for key, value in run.metrics.items()
        if key.startswith(DIMENSIONS) and key.endswith(ending)
    }


def _sentence(label: str, curve: Curve, measure: Measure) -> str:
    smallest, largest = min(curve), max(curve)
    share = percent(curve[smallest] / curve[largest], 1) if curve[largest] > 0 else MISSING
    return (
        f"{label}: with {smallest:,} of {largest:,} dimensions, {measure.name} {measure.title} is "
        f"{measure.shown(curve[smallest])} instead of {measure.shown(curve[largest])} ({share})."
    )


def _grid(curves: Mapping[tuple[str, Measure], Curve], shown: Sequence[Measure]) -> Grid:
    """A row for each strategy and setting, a column for each size."""
    sizes = sorted({size for curve in curves.values() for size in curve}, reverse=True)
    rows = []
    for label in dict.fromkeys(label for label, _ in curves):
        for measure in shown:
            if (curve := curves.get((label, measure))) is None:
                continue
            most = curve[max(curve)]
            cells = tuple(
                (measure.shown(curve[size]), percent(curve[size] / most, 1) if most > 0 else MISSING)
                if size in curve
                else (MISSING, "")
                for size in sizes
            )
            rows.append((label, f"{measure.setting} {measure.name}", cells))
    return Grid("strategy", tuple(f"{size:,}" for size in sizes), rows)


def _data(curves: Mapping[tuple[str, Measure], Curve], benchmark: str) -> Data:
    rows: list[tuple[Cell, ...]] = [
        (label, measure.setting, measure.metric, size, value)
        for (label, measure), curve in curves.items()
        for size, value in curve.items()
    ]
    return Data(f"{benchmark}_dimensions", ("group", "setting", "metric", "dimensions", "value"), rows)


def _figure(study: Study, measure: Measure, curves: Mapping[tuple[str, Measure], Curve]) -> Figure:
    lines, rows = [], []
    for number, group in enumerate(study.groups):
        curve = curves.get((group.label, measure), {})
        rows += [(group.label, size, value) for size, value in curve.items()]
        if curve and number < SERIES:
            lines.append(Line(group.label, tuple(Point(size, value) for size, value in curve.items()), number))
    title = f"{measure.name} {measure.title}"
    ends = "; ".join(
        f"{line.label} from {measure.shown(line.points[0].y)} to {measure.shown(line.points[-1].y)}" for line in lines
    )
    return Figure(
        title + of_all(len(lines), len({label for label, *_ in rows})),
        chart(lines, f"{title} against dimensions: {ends}", "dimensions"),
        tuple((line.label, line.series) for line in lines),
        Data(f"{study.benchmark}_dimensions_{measure.setting}", ("group", "dimensions", measure.name), rows),
    )

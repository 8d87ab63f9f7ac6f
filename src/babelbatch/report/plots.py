"""The line charts of a report, each with the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from babelbatch.report.comparisons import Measure, Study
from babelbatch.report.figure import Figure, of_all
from babelbatch.report.grouping import Group, like_pairing
from babelbatch.report.numbers import fixed
from babelbatch.report.runs import read_curves
from babelbatch.report.svg import SERIES, Line, Point, chart
from babelbatch.report.tables import Data

CURVES = {
    "train/loss/x_x": "training loss, X-X batches",
    "train/loss/x_y": "training loss, X-Y batches",
    "validation/loss/x_x": "validation loss, X-X batches",
    "validation/loss/x_y": "validation loss, X-Y batches",
}
_MOST_POINTS = 60  # of a learning curve


_PLAIN = "other settings at their defaults"  # which labels do not name


def alpha_curves(study: Study) -> list[Figure]:
    """Each measure against alpha, with intervals. Empty if no two groups differ in alpha alone."""
    curves = _families([group for group in study.groups if group.on_the_curve])
    return [_alpha_curve(study, measure, curves) for measure in study.measures] if curves else []


def _families(groups: Sequence[Group]) -> list[dict[float, Group]]:
    """The groups that differ in alpha alone, by alpha. X-X and X-Y are ends of every curve of hybrids that mean the
    same by X-X or X-Y."""
    found: list[dict[float, Group]] = []
    for rest in dict.fromkeys(group.rest for group in groups):
        alike = [group for group in groups if group.rest == rest]
        hybrids = [group for group in alike if None not in group.pairing]
        for pairing in dict.fromkeys(group.pairing for group in hybrids or alike):
            family: dict[float, Group] = {}
            for group in alike:
                if group.alpha is not None and like_pairing(group.pairing, pairing):
                    family.setdefault(group.alpha, group)
            if len(family) > 1 and family not in found:
                found.append(dict(sorted(family.items())))
    return found


def _alpha_curve(study: Study, measure: Measure, curves: Sequence[Mapping[float, Group]]) -> Figure:
    lines, rows = [], []
    for series, groups in enumerate(curves):
        points = []
        for alpha, group in groups.items():
            estimate = study.estimates[group.label, measure]
            points.append(Point(alpha, estimate.value, (estimate.low, estimate.high)))
            rows.append((group.label, alpha, estimate.value, estimate.low, estimate.high))
        if series < SERIES:
            mixed = [group for group in groups.values() if None not in group.pairing]
            lines.append(Line(shared_label(mixed or groups.values()) or _PLAIN, tuple(points), series))
    title = measure.name if measure.metric == "rank_distance" else f"{measure.name} {measure.title}"
    title += "" if measure.higher_is_better else " (less is better)"
    data = Data(
        f"{study.benchmark}_alpha_{measure.setting}_{measure.metric}",
        ("group", "alpha", measure.name, "low", "high"),
        rows,
    )
    alt = f"{title} against alpha: " + "; ".join(f"{alpha:g}: {measure.shown(value)}" for _, alpha, value, *_ in rows)
    legend = tuple((line.label, line.series) for line in lines) if len(lines) > 1 else ()
    title += of_all(len(lines), len(curves), "curves")
    return Figure(title, chart(lines, alt, "alpha: share of X-X batches"), legend, data)


def learning_curves(groups: Sequence[Group]) -> list[Figure]:
    """Losses by batch kind against steps, the mean over seeds, a line a group."""
    logged = {group.label: [read_curves(run) for run in group.runs] for group in groups}
    figures = []
    for metric, title in CURVES.items():
        lines: list[Line] = []
        rows: list[tuple[str, int, float]] = []
        for number, group in enumerate(groups):
            of_seeds = [curves[metric] for curves in logged[group.label] if metric in curves]
            points = downsample(of_seeds)
            if len(points) < 2:
                continue
            of_some = "" if len(of_seeds) == len(group.runs) else f" ({len(of_seeds)} of {len(group.runs)} seeds)"
            label = f"{group.label}{of_some}"
            rows += [(label, step, value) for step, value in points]
            if number < SERIES:
                lines.append(Line(label, tuple(Point(step, value) for step, value in points), number))
        if lines:
            shown = of_all(len(lines), len({label for label, *_ in rows}))
            ends = "; ".join(f"{line.label} ends at {fixed(line.points[-1].y, 3)}" for line in lines)
            svg = chart(lines, f"{title} against steps: {ends}", "steps", markers=False)
            data = Data(f"curve_{metric.replace('/', '_')}", ("group", "step", title), rows)
            figures.append(Figure(f"{title}{shown}", svg, tuple((line.label, line.series) for line in lines), data))
    return figures


def downsample(curves: Sequence[Sequence[tuple[int, float]]]) -> list[tuple[int, float]]:
    """The mean over several seeds' (step, value) curves, as far as all of them go, with at most `_MOST_POINTS` points:
    each the mean of equally many steps. Steps at which a value is not finite are left out."""
    by_step: dict[int, list[float]] = {}
    last = min((max(step for step, _ in curve) for curve in curves), default=0)
    for curve in curves:
        for step, value in curve:
            if step <= last:  # else the seeds that go on would be taken for all
                by_step.setdefault(step, []).append(value)
    means = [(step, float(np.mean(values))) for step, values in sorted(by_step.items()) if np.isfinite(values).all()]
    parts = np.array_split(np.arange(len(means)), min(_MOST_POINTS, len(means))) if means else []
    return [(means[part[-1]][0], float(np.mean([means[index][1] for index in part]))) for part in parts]


def shared_label(groups: Iterable[Group]) -> str:
    """The words that all labels have in common, without strategy and alpha."""
    labels = [group.label.split() for group in groups]
    shared = set.intersection(*map(set, labels)) - {"X-X", "X-Y", "hybrid"}
    return " ".join(word for word in labels[0] if word in shared and not word.startswith("alpha="))

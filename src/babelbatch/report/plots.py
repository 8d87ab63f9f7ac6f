"""The pictures of a report, each with the numbers behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from babelbatch.report.comparisons import Measure, Study
from babelbatch.report.grouping import Group
from babelbatch.report.numbers import fixed
from babelbatch.report.runs import Run, read_curves
from babelbatch.report.svg import Line, Point, chart
from babelbatch.report.tables import Data

CURVES = {
    "train/loss/x_x": "training loss, X-X batches",
    "train/loss/x_y": "training loss, X-Y batches",
    "validation/loss/x_x": "validation loss, X-X batches",
    "validation/loss/x_y": "validation loss, X-Y batches",
}
_POINTS = 60  # of a learning curve
_MOST_LINES = 6
_INK_TURNS = {"plus": (82, 62), "minus": (93, 61)}
"""Percent of the page's two colours (report.css) up to which black is easier to read on them in the light theme, and
white in the dark one. Either way the contrast is at least 4.5 (WCAG AA)."""


@dataclass(frozen=True, slots=True)
class Figure:
    """svg: a whole element. data: what it shows, for the fold below it."""

    title: str
    svg: str
    data: Data


@dataclass(frozen=True, slots=True)
class Heatmap:
    """An L x L table of one number a cell, question language by candidate language. values: NaN where nothing is
    scored. largest: the value of the strongest colour. diverging: whether the sign has a colour."""

    title: str
    name: str
    languages: tuple[str, ...]
    values: np.ndarray
    largest: float
    diverging: bool = False

    def shade(self, row: int, column: int) -> int | None:
        """Strength of the colour in percent; None where there is no value."""
        value = self.values[row, column]
        return None if np.isnan(value) else round(100 * min(1.0, abs(value) / self.largest)) if self.largest else 0

    def colour(self, row: int, column: int) -> str:
        """Class names: which colour, and whether it is so strong that text needs the other ink on it, `strong` in the
        light theme, `bright` in the dark one."""
        sign = "minus" if self.diverging and self.values[row, column] < 0 else "plus"
        light, dark = _INK_TURNS[sign]
        shade = self.shade(row, column) or 0
        return f"{sign}{' strong' if shade > light else ''}{' bright' if shade > dark else ''}"

    def text(self, row: int, column: int) -> str:
        value = self.values[row, column]
        if np.isnan(value):
            return ""
        return fixed(value, 2, signed=self.diverging).replace("0.", ".", 1)

    @property
    def data(self) -> Data:
        rows = [
            (question, candidate, None if np.isnan(value) else float(value))
            for question, values in zip(self.languages, self.values, strict=True)
            for candidate, value in zip(self.languages, values, strict=True)
        ]
        return Data(self.name, ("question language", "candidate language", self.title), rows)


def alpha_curves(study: Study) -> list[Figure]:
    """A measure against alpha, with intervals; nothing if no two groups differ in alpha alone."""
    families: dict[str, dict[float, Group]] = {}
    for group in study.groups:
        if group.on_the_curve:
            families.setdefault(group.rest, {}).setdefault(group.alpha, group)
    curves = [family for family in families.values() if len(family) > 1]
    if not curves:
        return []
    figures = []
    for measure in study.measures:
        lines, rows = [], []
        for number, family in enumerate(curves[:_MOST_LINES]):
            points = []
            for alpha, group in sorted(family.items()):
                found = study.estimates[group.label, measure]
                points.append(Point(alpha, found.value, found.low, found.high))
                rows.append((group.label, alpha, found.value, found.low, found.high))
            lines.append(Line(_family_label(family) if len(curves) > 1 else "", tuple(points), number))
        title = measure.name if measure.metric == "rank_distance" else f"{measure.name} {measure.title}"
        if measure.metric == "rank_distance":
            title += " (less is better)"
        name = f"{study.benchmark}_alpha_{measure.setting}_{measure.metric}"
        data = Data(name, ("group", "alpha", measure.name, "low", "high"), rows)
        alt = f"{title} against alpha: " + "; ".join(f"{row[1]:g}: {measure.shown(row[2])}" for row in rows)
        figures.append(Figure(title, chart(lines, alt, "alpha: share of X-X batches"), data))
    return figures


def learning_curves(groups: Sequence[Group]) -> list[Figure]:
    """Losses by batch kind against steps, the mean over seeds, a line a group."""
    read = {group.label: [read_curves(run) for run in group.runs] for group in groups}
    figures = []
    for metric, title in CURVES.items():
        lines, rows = [], []
        for number, group in enumerate(groups):
            logged = [curves[metric] for curves in read[group.label] if metric in curves]
            points = thinned(logged)
            if len(points) < 2:
                continue
            rows += [(group.label, step, value) for step, value in points]
            if len(lines) < _MOST_LINES:
                lines.append(Line(group.label, tuple(Point(step, value) for step, value in points), number))
        if lines:
            ends = "; ".join(f"{line.label} ends at {line.points[-1].y:.3f}" for line in lines)
            alt = f"{title} against steps: {ends}"
            data = Data(f"curve_{metric.replace('/', '_')}", ("group", "step", title), rows)
            figures.append(Figure(title, chart(lines, alt, "steps", markers=False), data))
    return figures


def thinned(logged: Sequence[Sequence[tuple[int, float]]]) -> list[tuple[int, float]]:
    """Several seeds' (step, value) as one line of at most `_POINTS` points: means of equally many steps."""
    by_step: dict[int, list[float]] = {}
    for curve in logged:
        for step, value in curve:
            by_step.setdefault(step, []).append(value)
    means = [(step, float(np.mean(values))) for step, values in sorted(by_step.items()) if np.isfinite(values).all()]
    parts = np.array_split(np.arange(len(means)), min(_POINTS, len(means))) if means else []
    return [(means[part[-1]][0], float(np.mean([means[index][1] for index in part]))) for part in parts]


def cell_maps(study: Study) -> list[Heatmap]:
    """The first metric of every question and candidate language, a map a group."""
    return [
        Heatmap(group.label, f"{study.benchmark}_cells_{number}", study.languages, cells(study, group), 1.0)
        for number, group in enumerate(study.groups)
    ]


def difference_maps(study: Study, reference: Group) -> list[Heatmap]:
    """The first metric of each group minus that of the reference. All have one scale."""
    base = cells(study, reference)
    others = [group for group in study.groups if group is not reference]
    found = [cells(study, group) - base for group in others]
    scored = np.concatenate([values[~np.isnan(values)] for values in found]) if found else np.zeros(0)
    largest = float(np.abs(scored).max()) if len(scored) else 0.0
    return [
        Heatmap(
            f"{group.label} minus {reference.label}", f"{study.benchmark}_difference_{number}", study.languages, values,
            largest, diverging=True,
        )
        for number, (group, values) in enumerate(zip(others, found, strict=True))
    ]  # fmt: skip


def top10_maps(study: Study) -> list[Heatmap]:
    """The languages of the first ten candidates, by question language, on one scale; nothing where a run does not have
    them."""
    found = []
    for number, group in enumerate(study.groups):
        values = np.full((len(study.languages),) * 2, np.nan)
        for row, question in enumerate(study.languages):
            for column, candidate in enumerate(study.languages):
                key = f"{study.benchmark}/multilingual/top10_share/{question}-{candidate}"
                values[row, column] = mean_of(group.runs, key)
        if not np.isnan(values).all():
            found.append((group.label, f"{study.benchmark}_top10_{number}", values))
    largest = max((float(np.nanmax(values)) for *_, values in found), default=1.0)
    return [Heatmap(label, name, study.languages, values, largest) for label, name, values in found]


def cells(study: Study, group: Group) -> np.ndarray:
    """(L, L) the first metric of a group, the mean over seeds; NaN where no question is scored."""
    values = np.full((len(study.languages),) * 2, np.nan)
    for row, question in enumerate(study.languages):
        for column, candidate in enumerate(study.languages):
            setting, pair = ("monolingual", question) if row == column else ("crosslingual", f"{question}-{candidate}")
            values[row, column] = mean_of(group.runs, f"{study.benchmark}/{setting}/{study.metric}/{pair}")
    return values


def by_language(study: Study, group: Group, measure: Measure) -> list[float]:
    """A pool metric by question language, the mean over seeds; NaN where it is not known."""
    prefix = f"{study.benchmark}/{measure.setting}/{measure.metric}"
    return [mean_of(group.runs, f"{prefix}/{name}") for name in study.languages]


def mean_of(runs: Sequence[Run], key: str) -> float:
    """A metric of metrics.json, the mean over runs; NaN if one of them does not have it."""
    values = [run.metrics.get(key) for run in runs]
    return float(np.mean(values)) if None not in values else float("nan")


def _family_label(family: dict[float, Group]) -> str:
    """What the groups of a curve share in their labels, strategy and alpha left out."""
    words = [set(group.label.split()) for group in family.values()]
    shared = set.intersection(*words)
    first = next(iter(family.values())).label.split()
    return " ".join(word for word in first if word in shared and word not in {"X-X", "X-Y", "hybrid"})

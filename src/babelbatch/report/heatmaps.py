"""The heat-maps of a report: one number for each query language and candidate language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babelbatch.report.comparisons import Study
from babelbatch.report.grouping import Group
from babelbatch.report.numbers import fixed
from babelbatch.report.runs import Run
from babelbatch.report.tables import Data

MOST_ON_A_PHONE = 11
"""Languages whose cells fit the width of a phone."""
_OTHER_INK = {"plus": (82, 62), "minus": (93, 61)}
"""Strength of the page's two colours (report.css), in percent, above which the theme's other ink is easier to read on
them: white in the light theme, black in the dark one. Either way the contrast is at least 4.5 (WCAG AA)."""


@dataclass(frozen=True, slots=True)
class Heatmap:
    """values: (L, L), query language by candidate language, NaN where nothing is scored. largest: the value that has
    the strongest colour. diverging: gains and losses have different colours, and gains a plus."""

    title: str
    name: str
    languages: tuple[str, ...]
    values: NDArray[np.float64]
    largest: float
    diverging: bool = False

    @property
    def wide(self) -> bool:
        """Whether a phone shows it in part."""
        return len(self.languages) > MOST_ON_A_PHONE

    def shade(self, row: int, column: int) -> int | None:
        """Strength of the colour in percent; None where there is no value."""
        value = self.values[row, column]
        if np.isnan(value):
            return None
        return round(100 * min(1.0, abs(value) / self.largest)) if self.largest else 0

    def classes(self, row: int, column: int) -> str:
        """CSS classes of a cell: its colour, and `strong` or `bright` where the light or the dark theme needs the
        other ink on it."""
        sign = "minus" if self.diverging and self.values[row, column] < 0 else "plus"
        light, dark = _OTHER_INK[sign]
        shade = self.shade(row, column) or 0
        return f"{sign}{' strong' if shade > light else ''}{' bright' if shade > dark else ''}"

    def text(self, row: int, column: int) -> str:
        """The value with two decimals and no zero before the point, `.48`."""
        value = self.values[row, column]
        return "" if np.isnan(value) else fixed(value, 2, signed=self.diverging).replace("0.", ".", 1)

    @property
    def data(self) -> Data:
        rows = [
            (query, candidate, None if np.isnan(value) else float(value))
            for query, values in zip(self.languages, self.values, strict=True)
            for candidate, value in zip(self.languages, values, strict=True)
        ]
        return Data(self.name, ("query language", "candidate language", self.title), rows)


def cell_maps(study: Study) -> list[Heatmap]:
    """The first metric in every cell, a map a group."""
    return [
        Heatmap(group.label, f"{study.benchmark}_cells_{number}", study.languages, cell_scores(study, group), 1.0)
        for number, group in enumerate(study.groups)
    ]


def difference_maps(study: Study, reference: Group) -> list[Heatmap]:
    """The first metric of each other group minus that of the reference, on one scale."""
    base = cell_scores(study, reference)
    others = [group for group in study.groups if group is not reference]
    differences = [cell_scores(study, group) - base for group in others]
    sizes = [abs(float(value)) for values in differences for value in values[~np.isnan(values)]]
    return [
        Heatmap(
            f"{group.label} minus {reference.label}", f"{study.benchmark}_difference_{number}", study.languages, values,
            max(sizes, default=0.0), diverging=True,
        )
        for number, (group, values) in enumerate(zip(others, differences, strict=True))
    ]  # fmt: skip


def top10_maps(study: Study) -> list[Heatmap]:
    """The languages of the top 10 candidates by query language, on one scale. Runs without these shares have no map."""
    maps = []
    for number, group in enumerate(study.groups):
        values = _by_cell(study, group, lambda a, b: f"{study.benchmark}/multilingual/top10_share/{a}-{b}")
        if not np.isnan(values).all():
            maps.append((group.label, f"{study.benchmark}_top10_{number}", values))
    largest = max((float(np.nanmax(values)) for *_, values in maps), default=1.0)
    return [Heatmap(label, name, study.languages, values, largest) for label, name, values in maps]


def cell_scores(study: Study, group: Group) -> NDArray[np.float64]:
    """(L, L) the first metric of a group, the mean over seeds; NaN where nothing is scored."""

    def key(query: str, candidate: str) -> str:
        cell = f"monolingual/{study.metric}/{query}"
        if query != candidate:
            cell = f"crosslingual/{study.metric}/{query}-{candidate}"
        return f"{study.benchmark}/{cell}"

    return _by_cell(study, group, key)


def mean_metric(runs: Sequence[Run], key: str) -> float:
    """A number of metrics.json, the mean over runs; NaN if a run lacks it."""
    values = [run.metrics.get(key) for run in runs]
    return float(np.mean([np.nan if value is None else value for value in values]))


def _by_cell(study: Study, group: Group, key: Callable[[str, str], str]) -> NDArray[np.float64]:
    return np.array([[mean_metric(group.runs, key(a, b)) for b in study.languages] for a in study.languages])

"""A benchmark's scores as tables. Every run has them under the same keys, with the same key columns, so that the
dashboard can put runs below each other, or join them on a cell or a language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from babelbatch.evaluation.scoring import Result


@dataclass(frozen=True, slots=True)
class Table:
    """columns: names. rows: a list of values each, in that order; None where a score is not defined."""

    columns: list[str]
    rows: list[list[object]]


def cell_table(result: Result, run: Mapping[str, object]) -> Table:
    """A row a cell: `cell` (`de-zh`), its two languages, its setting, what `run` says, and a column a metric."""
    matrices = matrices_of(result)
    columns = ["cell", "question language", "candidate language", "setting", *run, *matrices]
    rows = [
        [
            f"{query}-{candidate}",
            query,
            candidate,
            "monolingual" if row == column else "crosslingual",
            *run.values(),
            *_cells(matrix[row, column] for matrix in matrices.values()),
        ]
        for row, query in enumerate(result.languages)
        for column, candidate in enumerate(result.languages)
    ]
    return Table(columns, rows)


def language_table(result: Result, run: Mapping[str, object]) -> Table:
    """A row a question language: `language`, what `run` says, and a column `<setting>/<metric>` for each key
    `<benchmark>/<setting>/<metric>/<language>` of the result."""
    scores: dict[str, dict[str, float]] = {}
    for key, value in result.metrics.items():
        name, _, language = key.removeprefix(f"{result.benchmark}/").rpartition("/")
        if language in result.languages:
            scores.setdefault(name, {})[language] = value
    rows = [
        [language, *run.values(), *_cells(of_language.get(language, np.nan) for of_language in scores.values())]
        for language in result.languages
    ]
    return Table(["language", *run, *scores], rows)


def matrices_of(result: Result) -> dict[str, np.ndarray]:
    """metric -> (L, L), question language by candidate language: those that the result holds as matrices, and those of
    the pool that it spells out as `<benchmark>/multilingual/<metric>/<question language>-<candidate language>`."""
    found = dict(result.matrices)
    size = len(result.languages)
    places = {
        f"{query}-{candidate}": (row, column)
        for row, query in enumerate(result.languages)
        for column, candidate in enumerate(result.languages)
    }
    prefix = f"{result.benchmark}/multilingual/"
    for key, value in result.metrics.items():
        metric, _, cell = key.removeprefix(prefix).rpartition("/")
        if key.startswith(prefix) and cell in places and metric not in result.matrices:
            found.setdefault(metric, np.full((size, size), np.nan))[places[cell]] = value
    return found


def _cells(values: Iterable[float]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]

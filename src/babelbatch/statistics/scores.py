"""What statistics work on: one run's scores by question and cell, and how its macro score hangs on each question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Scores:
    """One run on one benchmark in one setting by one metric. K clusters, C cells.

    clusters: K question ids, sorted. The versions of a question in several languages are one cluster, because they are
        not independent.
    cells: C names, sorted, such as "de" (monolingual, multilingual) or "de-zh" (crosslingual).
    sums: (K, C) float64, sum of the metric over the rows of a cluster in a cell.
    counts: (K, C) int64, number of these rows. Every cluster and every cell has at least one.
    """

    clusters: tuple[str, ...]
    cells: tuple[str, ...]
    sums: np.ndarray
    counts: np.ndarray


def scores_of(clusters: Sequence[str], cells: Sequence[str], values: Sequence[float | None] | np.ndarray) -> Scores:
    """The scores in three parallel columns: a row is a question id, a cell, and the metric's value.

    Rows without a value (None or NaN) are left out, and with them clusters and cells that have no other rows. The order
    of the rows does not matter. Raises ValueError if the columns differ in length, if no row has a value, and if a
    value is infinite.
    """
    column = np.array(values, np.float64)
    if not len(clusters) == len(cells) == len(column):
        raise ValueError(
            f"the columns differ in length: {len(clusters)} question ids, {len(cells)} cells, {len(column)} values"
        )
    present = np.flatnonzero(~np.isnan(column))
    if len(present) == 0:
        raise ValueError("no row has a value: the metric is not defined in this setting, or nothing was scored")
    column = column[present]
    if not np.isfinite(column).all():
        row = present[np.flatnonzero(~np.isfinite(column))[0]]
        raise ValueError(f"question '{clusters[row]}' in cell '{cells[row]}' has an infinite value")
    names, row_of = _numbered([clusters[row] for row in present])
    cell_names, column_of = _numbered([cells[row] for row in present])
    shape = (len(names), len(cell_names))
    flat = row_of * len(cell_names) + column_of
    size = shape[0] * shape[1]
    return Scores(
        clusters=names,
        cells=cell_names,
        sums=np.bincount(flat, column, size).reshape(shape),
        counts=np.bincount(flat, minlength=size).reshape(shape),
    )


def macro(scores: Scores) -> float:
    """Mean over the cells of the mean over a cell's rows: the number in metrics.json."""
    return float(cell_means(scores).mean())


def cell_means(scores: Scores) -> np.ndarray:
    """(C,) mean of the metric over the rows of each cell."""
    return scores.sums.sum(axis=0) / scores.counts.sum(axis=0)


def influence(scores: Scores) -> np.ndarray:
    """(K,) first-order effect of each cluster on the macro score; sums to zero.

    The macro score is a mean of ratios, and this is its linearisation (Woodruff 1971): a cluster's residuals about the
    cells' means, each divided by the cell's number of rows, averaged over cells. Where every cluster has one row in
    every cell it is (mean of the cluster - macro) / K, with nothing approximated.
    """
    residuals = scores.sums - cell_means(scores) * scores.counts
    return residuals @ _share_of_a_row(scores)


def contributions(scores: Scores) -> np.ndarray:
    """(K,) what the rows of each cluster add to the macro score; sums to it."""
    return scores.sums @ _share_of_a_row(scores)


def check_same_rows(runs: Mapping[str, Scores]) -> None:
    """Raises ValueError if the runs, by name, do not score the same rows: it says which questions or cells differ."""
    (first, reference), *others = runs.items()
    for name, run in others:
        names = {"questions": (reference.clusters, run.clusters), "cells": (reference.cells, run.cells)}
        for noun, (left, right) in names.items():
            if left != right:
                raise ValueError(
                    f"{first} and {name} have different {noun}: {_beside(first, left, right)}, "
                    f"{_beside(name, right, left)}; compare runs on the same version of the same benchmark"
                )
        unequal = np.argwhere(reference.counts != run.counts)
        if len(unequal):
            row, column = unequal[0]
            raise ValueError(
                f"{first} and {name} score different rows: question '{run.clusters[row]}' in cell "
                f"'{run.cells[column]}' has {reference.counts[row, column]} and {run.counts[row, column]} "
                f"({len(unequal)} such); compare runs on the same version of the same benchmark, by a metric that is "
                "defined in the same rows"
            )


def _numbered(names: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """The distinct names, sorted, and for each name which of them it is."""
    distinct = tuple(sorted(set(names)))
    number = {name: place for place, name in enumerate(distinct)}
    return distinct, np.fromiter((number[name] for name in names), np.int64, len(names))


def _share_of_a_row(scores: Scores) -> np.ndarray:
    """(C,) weight of one row of each cell in the macro score."""
    return 1 / (scores.counts.sum(axis=0) * len(scores.cells))


def _beside(name: str, own: Sequence[str], other: Sequence[str]) -> str:
    only = sorted(set(own) - set(other))
    return f"{len(only)} only in {name}" + (f" (such as '{only[0]}')" if only else "")

"""What statistics work on: one run's scores by cluster and cell, and how its score depends on each cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scores:
    """One run on one benchmark in one setting by one metric. K clusters, C cells.

    clusters: K names, sorted. A cluster holds the queries that are not independent: the versions of a query in several
        languages, and where the benchmark knows it the queries about one article, passage or subject.
    cells: C names, sorted, such as "de" (monolingual, multilingual) or "de-zh" (crosslingual).
    sums: (K, C) float64, sum of the metric over the rows of a cluster in a cell.
    counts: (K, C) int64, number of these rows. Every cluster and every cell has at least one.
    weights: (C,) float64, weight of each cell's mean in the score. None: 1 / C each, the macro average. Weights that
        sum to zero make the score a contrast between cells.
    """

    clusters: tuple[str, ...]
    cells: tuple[str, ...]
    sums: Floats
    counts: NDArray[np.int64]
    weights: Floats | None = None


def scores_of(clusters: Sequence[object], cells: Sequence[str], values: Sequence[float | None] | Floats) -> Scores:
    """The scores in three parallel columns: a row is a cluster (a name or a number), a cell, and the metric's value.

    Rows without a value (None or NaN) are left out, and with them clusters and cells that have no other rows. The order
    of the rows does not matter. Raises ValueError if the columns differ in length, if no row has a value, and if a
    value is infinite.
    """
    column = np.array(values, np.float64)
    if not len(clusters) == len(cells) == len(column):
        raise ValueError(
            f"the columns differ in length: {len(clusters)} clusters, {len(cells)} cells, {len(column)} values"
        )
    present = np.flatnonzero(~np.isnan(column)).tolist()
    if len(present) == 0:
        raise ValueError("no row has a value: the metric is not defined in this setting, or nothing was scored")
    column = column[present]
    if not np.isfinite(column).all():
        row = present[int(np.flatnonzero(~np.isfinite(column))[0])]
        raise ValueError(f"cluster '{clusters[row]}' in cell '{cells[row]}' has an infinite value")
    names, row_of = _numbered([str(clusters[row]) for row in present])
    cell_names, column_of = _numbered([cells[row] for row in present])
    shape = (len(names), len(cell_names))
    flat = row_of * len(cell_names) + column_of
    size = shape[0] * shape[1]
    return Scores(
        clusters=names,
        cells=cell_names,
        sums=np.bincount(flat, column, size).astype(np.float64).reshape(shape),
        counts=np.bincount(flat, minlength=size).astype(np.int64).reshape(shape),
    )


def macro(scores: Scores) -> float:
    """The score: the weighted sum of the cells' means. With equal weights, the number in metrics.json."""
    return float(cell_means(scores) @ cell_weights(scores))


def cell_means(scores: Scores) -> Floats:
    """(C,) mean of the metric over the rows of each cell."""
    means: Floats = scores.sums.sum(axis=0) / scores.counts.sum(axis=0)
    return means


def cell_weights(scores: Scores) -> Floats:
    """(C,) weight of each cell's mean in the score."""
    return np.full(len(scores.cells), 1 / len(scores.cells)) if scores.weights is None else scores.weights


def subset(scores: Scores, columns: Sequence[int]) -> Scores:
    """The scores in some of the cells, equally weighted, without the clusters that have no row there."""
    counts = scores.counts[:, columns]
    rows = np.flatnonzero(counts.sum(axis=1) > 0)
    return Scores(
        clusters=tuple(scores.clusters[row] for row in rows),
        cells=tuple(scores.cells[column] for column in columns),
        sums=scores.sums[rows][:, columns],
        counts=counts[rows],
    )


def contrast(scores: Scores, weights: Floats) -> Scores:
    """The same rows, with the score that `weights` (C,) make of the cells' means.

    With weights that sum to zero a difference between two groups becomes a difference of differences.
    """
    return replace(scores, weights=np.asarray(weights, np.float64))


def between_benchmarks(first: Scores, second: Scores) -> Scores:
    """The score on one benchmark minus the score of the same run on another, as one score.

    Clusters and cells of the two are distinct; every one of them has its rows in one benchmark only.
    """
    parts = (first, second)
    rows, columns = ([len(getattr(part, side)) for part in parts] for side in ("clusters", "cells"))
    sums, counts = np.zeros((sum(rows), sum(columns))), np.zeros((sum(rows), sum(columns)), np.int64)
    for target in (sums, counts):
        name = "sums" if target is sums else "counts"
        target[: rows[0], : columns[0]] = getattr(first, name)
        target[rows[0] :, columns[0] :] = getattr(second, name)
    return Scores(
        clusters=tuple(f"{place}:{name}" for place, part in enumerate(parts) for name in part.clusters),
        cells=tuple(f"{place}:{name}" for place, part in enumerate(parts) for name in part.cells),
        sums=sums,
        counts=counts,
        weights=np.concatenate([cell_weights(first), -cell_weights(second)]),
    )


def influence(scores: Scores) -> Floats:
    """(K,) first-order effect of each cluster on the score; sums to zero.

    The score is a weighted sum of ratios, and this is its linearisation (Woodruff 1971): a cluster's residuals about
    the cells' means, each divided by the cell's number of rows, weighted over cells. Where every cluster has one row
    in every cell it is (mean of the cluster - macro) / K, with nothing approximated.
    """
    residuals = scores.sums - cell_means(scores) * scores.counts
    return residuals @ _weight_of_a_row(scores)


def contributions(scores: Scores) -> Floats:
    """(K,) what the rows of each cluster add to the score; sums to it."""
    return scores.sums @ _weight_of_a_row(scores)


def check_same_rows(runs: Mapping[str, Scores]) -> None:
    """Raises ValueError if the runs, by name, do not score the same rows: it says which clusters or cells differ."""
    (first, reference), *others = runs.items()
    for name, run in others:
        names = {"clusters": (reference.clusters, run.clusters), "cells": (reference.cells, run.cells)}
        for noun, (left, right) in names.items():
            if left != right:
                raise ValueError(
                    f"{first} and {name} have different {noun}: {_only_in(first, left, right)}, "
                    f"{_only_in(name, right, left)}; compare runs on the same version of the same benchmark"
                )
        unequal = np.argwhere(reference.counts != run.counts)
        if len(unequal):
            row, column = unequal[0]
            raise ValueError(
                f"{first} and {name} score different rows: cluster '{run.clusters[row]}' in cell "
                f"'{run.cells[column]}' has {reference.counts[row, column]} and {run.counts[row, column]} "
                f"({len(unequal)} such); compare runs on the same version of the same benchmark, by a metric that is "
                "defined in the same rows"
            )
        assert (cell_weights(reference) == cell_weights(run)).all(), "runs are compared by one score"


def _numbered(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The distinct names, sorted, and for each name which of them it is."""
    distinct = tuple(sorted(set(names)))
    number = {name: place for place, name in enumerate(distinct)}
    return distinct, np.fromiter((number[name] for name in names), np.int64, len(names))


def _weight_of_a_row(scores: Scores) -> Floats:
    """(C,) weight of one row of each cell in the score."""
    weights: Floats = cell_weights(scores) / scores.counts.sum(axis=0)
    return weights


def _only_in(name: str, own: Sequence[str], other: Sequence[str]) -> str:
    only = sorted(set(own) - set(other))
    return f"{len(only)} only in {name}" + (f" (such as '{only[0]}')" if only else "")

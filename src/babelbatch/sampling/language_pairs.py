"""The languages of the query and the passage of each item of a batch, among those that the item has texts in."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babelbatch.records import ABSENT
from babelbatch.sampling.randomness import PAIRS, WEIGHTED, random_below, random_fractions

Tables = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Queries and passages, as `Corpus` has them."""


class SameLanguage:
    """Draws one language for both texts of each item.

    columns: (L,) the languages to draw from. tables: which texts exist; None: all.
    weights: (L,) relative probabilities of the languages; None: equal ones.
    """

    def __init__(
        self, columns: NDArray[np.int64], tables: Tables | None, seed: int, weights: NDArray[np.float64] | None = None
    ) -> None:
        self._columns, self._tables, self._seed, self._weights = columns, tables, seed, weights

    def draw(self, items: NDArray[np.int64], step: int) -> NDArray[np.int64]:
        """(B,) the language of each item."""
        return self._columns[self._places(items, step)]

    def _places(self, items: NDArray[np.int64], step: int) -> NDArray[np.int64]:
        both = None
        if self._tables is not None:
            queries, passages = _existing(self._tables, self._columns, items)
            both = queries & passages
        if (weights := self._weights) is not None:
            draw = random_fractions(len(items), self._seed, WEIGHTED, step)
            return _place_in(weights, draw) if both is None else _row_by_weight(weights[:, None] * both, draw)
        if both is None:
            return random_below(len(self._columns), len(items), self._seed, PAIRS, step)
        running = _running_counts(both)
        return _first_above(random_below(running[-1], len(items), self._seed, PAIRS, step), running)


class CrossLanguage:
    """Draws different languages for the query and the passage of each item.

    columns: (L,) the languages to draw from. tables: which texts exist; None: all.
    weights: (L, L) relative probabilities of a query and a passage language, 0 on the diagonal; None: equal ones.
    """

    def __init__(
        self, columns: NDArray[np.int64], tables: Tables | None, seed: int, weights: NDArray[np.float64] | None = None
    ) -> None:
        self._columns, self._tables, self._seed, self._weights = columns, tables, seed, weights

    def draw(self, items: NDArray[np.int64], step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(B,) and (B,) the languages of the queries and of the passages."""
        if self._weights is not None:
            query, passage = self._weighted(self._weights, items, step)
        elif self._tables is None:
            others = len(self._columns) - 1
            query, passage = np.divmod(self._below((others + 1) * others, len(items), step), others)
            passage += passage >= query
        else:
            query, passage = self._among_existing(self._tables, items, step)
        return self._columns[query], self._columns[passage]

    def _among_existing(
        self, tables: Tables, items: NDArray[np.int64], step: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        queries, passages = _existing(tables, self._columns, items)
        # A query language counts once for each passage in another language.
        pairs = queries * (passages.sum(axis=0, dtype=np.int32) - passages)
        running = _running_counts(pairs)
        draw = self._below(running[-1], len(items), step)
        query = _first_above(draw, running)
        batch = np.arange(len(items))
        draw -= running[query, batch] - pairs[query, batch]
        passages[query, batch] = False
        return query, _first_above(draw, _running_counts(passages))

    def _weighted(
        self, weights: NDArray[np.float64], items: NDArray[np.int64], step: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        first, second = random_fractions(2 * len(items), self._seed, WEIGHTED, step).reshape(2, -1)
        if self._tables is None:
            query = _place_in(weights.sum(axis=1), first)
            return query, _row_by_weight(weights[query].T, second)
        queries, passages = _existing(self._tables, self._columns, items)
        query = _row_by_weight(queries * (weights @ passages), first)
        return query, _row_by_weight(weights[query].T * passages, second)

    def _below(self, limits: NDArray[np.int32] | int, count: int, step: int) -> NDArray[np.int64]:
        return random_below(limits, count, self._seed, PAIRS, step)


def _existing(
    tables: Tables, columns: NDArray[np.int64], items: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(L, B) each, whether an item has a query and whether it has a passage in each of the languages."""
    queries, passages = ((table.take(items, axis=0) != ABSENT).T.take(columns, axis=0) for table in tables)
    return queries, passages


def _running_counts(counts: NDArray[np.bool_] | NDArray[np.int32]) -> NDArray[np.int32]:
    """(L, B) cumulative sums over the rows: several times as fast as cumsum for a long B."""
    return np.stack(list(accumulate(counts.astype(np.int32))))


def _first_above(values: NDArray[Any], running: NDArray[Any]) -> NDArray[np.int64]:
    """(B,) the first row of `running` that exceeds the value."""
    found: NDArray[np.int64] = (running <= values).sum(axis=0)
    return found


def _place_in(weights: NDArray[np.float64], draw: NDArray[np.float64]) -> NDArray[np.int64]:
    """(B,) indices of (n,) weights, in proportion to them, by (B,) numbers in [0, 1)."""
    edges = np.cumsum(weights)
    values = np.minimum(draw * edges[-1], np.nextafter(edges[-1], 0))
    places: NDArray[np.int64] = edges.searchsorted(values, side="right")
    return places


def _row_by_weight(weights: NDArray[np.float64], draw: NDArray[np.float64]) -> NDArray[np.int64]:
    """(B,) a row for each column of (L, B) weights, in proportion to them, by (B,) numbers in [0, 1)."""
    running = np.stack(list(accumulate(weights)))
    return _first_above(np.minimum(draw * running[-1], np.nextafter(running[-1], 0)), running)

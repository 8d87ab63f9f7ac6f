"""In which languages each item of a batch asks and answers."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from babelbatch.records import ABSENT
from babelbatch.sampling.randomness import PAIRS, WEIGHTED, random_below, random_fractions


class LanguagePairs:
    """Draws the languages of the items of a batch, among those that each item has texts in.

    columns: (L,) the languages concerned.
    questions, passages: the tables of a corpus, or None if every text exists.
    same_weights: (L,) how likely a language is for an X-X pair; cross_weights: (L, L) a question and a passage language
        for an X-Y pair, nothing on the diagonal. Of those that an item has, one is drawn in proportion; None: evenly.
    """

    def __init__(
        self,
        columns: np.ndarray,
        queries: np.ndarray | None,
        passages: np.ndarray | None,
        seed: int,
        same_weights: np.ndarray | None = None,
        cross_weights: np.ndarray | None = None,
    ) -> None:
        self._columns = columns
        self._tables = None if queries is None or passages is None else (queries, passages)
        self._seed = seed
        self._same_weights = same_weights
        self._cross_weights = cross_weights

    def same(self, items: np.ndarray, step: int) -> np.ndarray:
        """(B,) a language for both texts of each item."""
        if self._same_weights is not None:
            draw = random_fractions(len(items), self._seed, WEIGHTED, step)
            if self._tables is None:
                return self._columns[_drawn_from(self._same_weights, draw)]
            queries, passages = self._exist(items)
            return self._columns[_chosen(draw, self._same_weights[:, None] * (queries & passages))]
        if self._tables is None:
            return self._columns[self._draw(len(self._columns), len(items), step)]
        queries, passages = self._exist(items)
        running = _running(queries & passages)
        return self._columns[_place(self._draw(running[-1], len(items), step), running)]

    def cross(self, items: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        """(B,) and (B,) different languages for question and passage."""
        if self._cross_weights is not None:
            query, passage = self._weighted_cross(self._cross_weights, items, step)
        elif self._tables is None:
            others = len(self._columns) - 1
            query, passage = np.divmod(self._draw((others + 1) * others, len(items), step), others)
            passage += passage >= query
        else:
            queries, passages = self._exist(items)
            # A question language counts once for each passage in another language.
            pairs = queries * (passages.sum(axis=0, dtype=np.int32) - passages)
            running = _running(pairs)
            draw = self._draw(running[-1], len(items), step)
            query = _place(draw, running)
            batch = np.arange(len(items))
            draw -= running[query, batch] - pairs[query, batch]
            passages[query, batch] = False
            passage = _place(draw, _running(passages))
        return self._columns[query], self._columns[passage]

    def _weighted_cross(self, weights: np.ndarray, items: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        first, second = random_fractions(2 * len(items), self._seed, WEIGHTED, step).reshape(2, -1)
        if self._tables is None:
            query = _drawn_from(weights.sum(axis=1), first)
            return query, _chosen(second, weights[query].T)
        queries, passages = self._exist(items)
        query = _chosen(first, queries * (weights @ passages))
        return query, _chosen(second, weights[query].T * passages)

    def _draw(self, limits: np.ndarray | int, count: int, step: int) -> np.ndarray:
        return random_below(limits, count, self._seed, PAIRS, step)

    def _exist(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(L, B) each, whether an item has a question and a passage in each of the languages."""
        assert self._tables is not None
        queries, passages = (
            (table.take(items, axis=0) != ABSENT).T.take(self._columns, axis=0) for table in self._tables
        )
        return queries, passages


def _running(counts: np.ndarray) -> np.ndarray:
    """(L, B) sums of the rows so far: a cumsum, several times as fast for a long B."""
    return np.stack(list(accumulate(counts.astype(np.int32))))


def _place(value: np.ndarray, running: np.ndarray) -> np.ndarray:
    """(B,) the first row of `running` that exceeds the value."""
    return (running <= value).sum(axis=0)


def _drawn_from(weights: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """(B,) indices of (n,) weights, in proportion to them, by (B,) numbers in [0, 1)."""
    edges = np.cumsum(weights)
    return edges.searchsorted(np.minimum(draw * edges[-1], np.nextafter(edges[-1], 0)), side="right")


def _chosen(draw: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(B,) a row for each column of (L, B) weights, in proportion to them, by (B,) numbers in [0, 1)."""
    running = np.stack(list(accumulate(weights)))
    return _place(np.minimum(draw * running[-1], np.nextafter(running[-1], 0)), running)

"""Which items exist in which languages, one bit each, and the pools of items that batches are drawn from.

Ten million items in fourteen languages have 280 million texts. The tables are read once, at memory speed, into
bitsets; the row numbers of each language would take thirty times the space and delay the start by seconds.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from babelbatch.records import ABSENT, Corpus

_CHUNK = 1 << 15  # rows read at a time: few enough for the processor's cache
# Bit k of byte i of a chunk is its row k * _SLICE + i, not 8 * i + k: one operation then packs whole slices.
_SLICE = _CHUNK // 8
_BIT = (1 << np.arange(8)).astype(np.uint8)[:, None]


class Pool(Protocol):
    """Items to draw from: distinct rows of the corpus in some order. An array of rows is a pool."""

    def __len__(self) -> int: ...

    def __getitem__(self, ranks: NDArray[np.int64], /) -> NDArray[np.int64]: ...


class FullPool:
    """All rows of a corpus, as np.arange(size) without its memory."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        return ranks


class BitsetPool:
    """The rows whose bit is set in `words`, (W,) uint64, laid out as `_packed` does."""

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self._words = words
        self._ends = np.bitwise_count(words).cumsum(dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        """(B,) ranks, each in range(len(self)), to (B,) rows: a binary search for the word, then one within it."""
        place = self._ends.searchsorted(ranks, side="right")
        words = self._words[place]
        bit = _nth_set_bit(words, ranks - self._ends[place] + np.bitwise_count(words))
        chunk, byte = np.divmod(8 * place + (bit >> 3), _SLICE)
        rows: NDArray[np.int64] = chunk * _CHUNK + (bit & 7) * _SLICE + byte
        return rows


def _nth_set_bit(words: NDArray[np.uint64], n: NDArray[np.int64]) -> NDArray[np.int64]:
    """(B,) the position of the n-th set bit (from 0) of each word, by bisection."""
    place = np.zeros(len(words), np.int64)
    for width in (32, 16, 8, 4, 2, 1):
        lower = np.bitwise_count(words >> place.view(np.uint64) & (2**width - 1))
        upper = n >= lower
        n = n - lower * upper
        place += upper * width
    return place


class Availability:
    """Which queries and passages of a corpus exist in which languages.

    start, stop: restrict it to the items [start, stop); rows are then counted from `start`.
    complete: whether every text exists; every pool then equals the rows to draw from.
    Each method takes `columns`, the languages concerned, and `rows`, those to draw from, or None for all.
    """

    def __init__(self, corpus: Corpus, start: int = 0, stop: int | None = None) -> None:
        queries, passages = corpus.queries[start:stop], corpus.passages[start:stop]
        self._size = len(queries)
        self._queries, self._passages = _packed(queries), _packed(passages)
        texts = sum(int(np.bitwise_count(words).sum()) for words in (self._queries, self._passages))
        self.complete = texts == 2 * self._size * len(corpus.languages)

    def monolingual(self, columns: NDArray[np.int64], rows: NDArray[np.int64] | None) -> list[Pool]:
        """For each language, the items that have both texts in it."""
        if self.complete:
            return [self._all(rows)] * len(columns)
        chosen = self._chosen(rows)
        return [BitsetPool(self._queries[column] & self._passages[column] & chosen) for column in columns]

    def any_monolingual(self, columns: NDArray[np.int64], rows: NDArray[np.int64] | None) -> Pool:
        """The items that have both texts in at least one of the languages."""
        if self.complete:
            return self._all(rows)
        both = np.zeros_like(self._queries[0])
        for column in columns:
            both |= self._queries[column] & self._passages[column]
        return BitsetPool(both & self._chosen(rows))

    def crosslingual(
        self, columns: NDArray[np.int64], rows: NDArray[np.int64] | None, allowed: NDArray[np.bool_] | None = None
    ) -> Pool:
        """The items that have a query in one of the languages and a passage in another.

        allowed: (L, L) the pairs of a query and a passage language that count; None: all pairs of different languages.
        """
        if self.complete and len(columns) > 1:
            return self._all(rows)
        if allowed is not None:
            found = np.zeros_like(self._queries[0])
            for query, passage in np.argwhere(allowed):
                found |= self._queries[columns[query]] & self._passages[columns[passage]]
            return BitsetPool(found & self._chosen(rows))
        # Such an item has a query, it has a passage, and its texts are in at least two languages.
        query, passage, second = (np.zeros_like(self._queries[0]) for _ in range(3))
        for column in columns:
            second |= (query | passage) & (self._queries[column] | self._passages[column])
            query |= self._queries[column]
            passage |= self._passages[column]
        return BitsetPool(query & passage & second & self._chosen(rows))

    def pairs(self, columns: NDArray[np.int64], rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """(L, L) number of items with a query in the one language and a passage in the other."""
        if self.complete:
            return np.full((len(columns),) * 2, len(self._all(rows)))
        queries, passages = self._queries[columns] & self._chosen(rows), self._passages[columns]
        return np.array([[np.bitwise_count(one & other).sum() for other in passages] for one in queries], np.int64)

    def _all(self, rows: NDArray[np.int64] | None) -> Pool:
        return FullPool(self._size) if rows is None else rows

    def _chosen(self, rows: NDArray[np.int64] | None) -> NDArray[np.uint64]:
        """(W,) the bits of the rows to draw from."""
        if rows is None:
            return np.array([2**64 - 1], np.uint64)  # a text that does not exist has no bit anyway
        table = np.full((self._size, 1), ABSENT, np.int8)
        table[rows] = 0
        words: NDArray[np.uint64] = _packed(table)[0]
        return words


def _packed(table: NDArray[Any]) -> NDArray[np.uint64]:
    """(N, L) rows of texts to (L, W) uint64: a bit for each text that exists, then zeros after the last row."""
    size, languages = table.shape
    chunks = -(-size // _CHUNK)
    packed = np.empty((languages, chunks, _SLICE), np.uint8)

    def pack(chunk: int) -> None:
        rows = table[chunk * _CHUNK : (chunk + 1) * _CHUNK]
        exists = np.zeros((_CHUNK, languages), bool)
        np.not_equal(rows, ABSENT, out=exists[: len(rows)])
        slices = exists.view(np.uint8).reshape(8, -1)
        np.multiply(slices, _BIT, out=slices)
        packed[:, chunk] = np.bitwise_or.reduce(slices, axis=0).reshape(_SLICE, languages).T

    with ThreadPoolExecutor() as threads:  # numpy does this outside the interpreter's lock
        list(threads.map(pack, range(chunks)))
    words: NDArray[np.uint64] = packed.reshape(languages, -1).view("<u8")
    return words

"""Which items exist in which languages, one bit each, and the pools of items that batches are drawn from.

Ten million items in fourteen languages have 280 million texts to look for. The tables are read once, at the pace of the
memory, and kept as bits: the row numbers of each language would take thirty times the space, and longer to write down
than a start may last.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from babelbatch.records import ABSENT, Corpus

_CHUNK = 1 << 15  # rows that are read at a time, few enough to stay in the cache
# Bit k of byte i of a chunk is its row k * _SLICE + i, not 8 * i + k: one operation then packs whole slices.
_SLICE = _CHUNK // 8
_BIT = (1 << np.arange(8)).astype(np.uint8)[:, None]


class Pool(Protocol):
    """Items to draw from: rows of the corpus in some order, each once. An array of rows is a pool."""

    def __len__(self) -> int: ...

    def __getitem__(self, ranks: np.ndarray, /) -> np.ndarray: ...


class FullPool:
    """All rows of a corpus: np.arange(size) without its memory."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, ranks: np.ndarray) -> np.ndarray:
        return ranks


class BitsetPool:
    """The rows whose bit is set in `words`, (W,) uint64, laid out as `_packed` does."""

    def __init__(self, words: np.ndarray) -> None:
        self._words = words
        self._ends = np.bitwise_count(words).cumsum(dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, ranks: np.ndarray) -> np.ndarray:
        """(B,) ranks, each in range(len(self)), to (B,) rows: a binary search for the word, then one within it."""
        place = self._ends.searchsorted(ranks, side="right")
        words = self._words[place]
        bit = _nth_set_bit(words, ranks - self._ends[place] + np.bitwise_count(words))
        chunk, byte = np.divmod(8 * place + (bit >> 3), _SLICE)
        return chunk * _CHUNK + (bit & 7) * _SLICE + byte


def _nth_set_bit(words: np.ndarray, n: np.ndarray) -> np.ndarray:
    """(B,) the place of bit n, counted from 0, among the set bits of each word: the half that it is in, and so on."""
    place = np.zeros(len(words), np.int64)
    for width in (32, 16, 8, 4, 2, 1):
        lower = np.bitwise_count(words >> place.view(np.uint64) & (2**width - 1))
        upper = n >= lower
        n = n - lower * upper
        place += upper * width
    return place


class Availability:
    """Which questions and passages of a corpus exist, and in which languages.

    start, stop: of its items from the one to before the other, if not of all; rows are then counted from `start`.
    complete: whether all exist in all. If so, every pool is all the rows asked for.
    Pools are asked for by `columns`, the languages concerned, and `rows`, those to draw from, or None for all.
    """

    def __init__(self, corpus: Corpus, start: int = 0, stop: int | None = None) -> None:
        queries, passages = corpus.queries[start:stop], corpus.passages[start:stop]
        self._size = len(queries)
        self._queries, self._passages = _packed(queries), _packed(passages)
        texts = sum(int(np.bitwise_count(words).sum()) for words in (self._queries, self._passages))
        self.complete = texts == 2 * self._size * len(corpus.languages)

    def monolingual(self, columns: np.ndarray, rows: np.ndarray | None) -> list[Pool]:
        """For each language, the items that have both texts in it."""
        if self.complete:
            return [self._all(rows)] * len(columns)
        chosen = self._chosen(rows)
        return [BitsetPool(self._queries[column] & self._passages[column] & chosen) for column in columns]

    def any_monolingual(self, columns: np.ndarray, rows: np.ndarray | None) -> Pool:
        """The items that have both texts in one of the languages, whichever."""
        if self.complete:
            return self._all(rows)
        both = np.zeros_like(self._queries[0])
        for column in columns:
            both |= self._queries[column] & self._passages[column]
        return BitsetPool(both & self._chosen(rows))

    def crosslingual(self, columns: np.ndarray, rows: np.ndarray | None, allowed: np.ndarray | None = None) -> Pool:
        """The items that have a question in one of the languages and a passage in another.

        allowed: (L, L) the pairs of a question and a passage language that count; None: all but those of one language.
        """
        if self.complete and len(columns) > 1:
            return self._all(rows)
        if allowed is not None:
            found = np.zeros_like(self._queries[0])
            for query, passage in np.argwhere(allowed):
                found |= self._queries[columns[query]] & self._passages[columns[passage]]
            return BitsetPool(found & self._chosen(rows))
        # Such an item has a question, it has a passage, and its texts are in at least two languages.
        query, passage, second = (np.zeros_like(self._queries[0]) for _ in range(3))
        for column in columns:
            second |= (query | passage) & (self._queries[column] | self._passages[column])
            query |= self._queries[column]
            passage |= self._passages[column]
        return BitsetPool(query & passage & second & self._chosen(rows))

    def pairs(self, columns: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
        """(L, L) int64, how many items have a question in the one language and a passage in the other."""
        if self.complete:
            return np.full((len(columns),) * 2, len(self._all(rows)))
        queries, passages = self._queries[columns] & self._chosen(rows), self._passages[columns]
        return np.array([[np.bitwise_count(one & other).sum() for other in passages] for one in queries], np.int64)

    def _all(self, rows: np.ndarray | None) -> Pool:
        return FullPool(self._size) if rows is None else rows

    def _chosen(self, rows: np.ndarray | None) -> np.ndarray:
        """(W,) the bits of the rows to draw from."""
        if rows is None:
            return np.array([2**64 - 1], np.uint64)  # what does not exist has no bit anyway
        table = np.full((self._size, 1), ABSENT, np.int8)
        table[rows] = 0
        return _packed(table)[0]


def _packed(table: np.ndarray) -> np.ndarray:
    """(N, L) rows of texts to (L, W) uint64: a bit for each text that exists, and zeros behind the last row."""
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
    return packed.reshape(languages, -1).view("<u8")

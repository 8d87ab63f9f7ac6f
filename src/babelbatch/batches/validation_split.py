"""Which items are held out for the validation loss, a function of their ids and passage keys alone; and which passages
training is therefore not to see."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from babelbatch.records import ABSENT, Corpus


def held_out(keys: np.ndarray, ids: Sequence[str], fraction: float) -> np.ndarray:
    """(N,) whether an item is held out: about `fraction` of the passages, all the items of a passage or none.

    A passage is represented by that one of its ids whose hash is smallest, and held out if the hash of this hash is
    below `fraction` of all hashes. So the split is the same on every machine and in every order of the items, a larger
    fraction holds out what a smaller one does, and a part of a corpus is split as in the whole, wherever it holds the
    same ids of a passage.

    keys: (N,) integers, equal for items of one passage. ids: N names.
    """
    hashes = _mixed(np.fromiter(map(zlib.crc32, map(str.encode, ids)), np.uint32, len(keys)))
    if keys.min() < 0 or keys.max() >= 4 * len(keys):  # too sparse to count by
        keys = np.unique(keys, return_inverse=True)[1]
    smallest = np.full(keys.max() + 1, 2**32 - 1, np.uint32)
    np.minimum.at(smallest, keys, hashes)
    return (_mixed(smallest) < fraction * 2**32)[keys]


class HeldOutPassages:
    """The passages of held-out items, in every language. Memory: that of those items' rows, not of the corpus's.

    held_out: (N,) bool, from `held_out`.
    """

    def __init__(self, corpus: Corpus, held_out: np.ndarray) -> None:
        items = np.flatnonzero(held_out)
        rows = np.unique(corpus.passages[items])
        self._rows, self._keys = rows[rows != ABSENT], np.unique(corpus.passage_keys[items])

    def __call__(self, rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Whether passages are among them: by their rows of `passage_texts`, or by their passage keys, as translations
        that no item has are, and the same text in another part of a mixture."""
        return _among(rows, self._rows) | _among(keys, self._keys)


def _among(values: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    if len(ascending) == 0:
        return np.zeros(values.shape, bool)
    return ascending[np.minimum(ascending.searchsorted(values), len(ascending) - 1)] == values


def _mixed(value: np.ndarray) -> np.ndarray:
    """The finaliser of MurmurHash3 (Appleby 2011), (N,) uint32: a checksum is linear in its text, this is not."""
    value = (value ^ value >> 16) * 0x85EBCA6B
    value = (value ^ value >> 13) * 0xC2B2AE35
    return value ^ value >> 16

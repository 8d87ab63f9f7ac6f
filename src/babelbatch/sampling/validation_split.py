"""Which items are held out for the validation loss: a function of their ids and passage keys alone."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babelbatch.records import ABSENT, Corpus


def held_out(keys: NDArray[np.int64], ids: Sequence[str], fraction: float) -> NDArray[np.bool_]:
    """(N,) whether an item is held out: about `fraction` of the passages, with all of their items or none.

    A passage is represented by the smallest hash of its ids, and held out if the hash of that hash is below `fraction`
    of all hashes. So the split is the same on every machine and in every order of the items, a larger fraction holds
    out a superset, and a part of a corpus that has the same ids of a passage is split as the whole.

    keys: (N,) integers, equal for items of one passage. ids: N names.
    """
    hashes = _mixed(np.fromiter(map(zlib.crc32, map(str.encode, ids)), np.uint32, len(keys)))
    if keys.min() < 0 or keys.max() >= 4 * len(keys):  # too sparse for an array indexed by key
        keys = np.unique(keys, return_inverse=True)[1]
    smallest = np.full(keys.max() + 1, 2**32 - 1, np.uint32)
    np.minimum.at(smallest, keys, hashes)
    chosen: NDArray[np.bool_] = _mixed(smallest) < fraction * 2**32
    return chosen[keys]


class HeldOutPassages:
    """The passages of held-out items, in every language. Memory grows with the held-out items, not with the corpus.

    held_out: (N,) bool, from `held_out`.
    """

    def __init__(self, corpus: Corpus, held_out: NDArray[np.bool_]) -> None:
        items = np.flatnonzero(held_out)
        rows = np.unique(corpus.passages[items])
        self._rows, self._keys = rows[rows != ABSENT], np.unique(corpus.passage_keys[items])

    def __call__(self, rows: NDArray[np.int32], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether passages are among them, by their rows of `passage_texts` or by their passage keys.

        The key matters for translations that no item has, and for the same text in another part of a mixture.
        """
        return _among(rows, self._rows) | _among(keys, self._keys)


def _among(values: NDArray[Any], ascending: NDArray[Any]) -> NDArray[np.bool_]:
    if len(ascending) == 0:
        return np.zeros(values.shape, bool)
    found: NDArray[np.bool_] = ascending[np.minimum(ascending.searchsorted(values), len(ascending) - 1)] == values
    return found


def _mixed(value: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The finaliser of MurmurHash3 (Appleby 2011), (N,) uint32: a checksum is linear in its text, this is not."""
    value = (value ^ value >> np.uint32(16)) * np.uint32(0x85EBCA6B)
    value = (value ^ value >> np.uint32(13)) * np.uint32(0xC2B2AE35)
    return value ^ value >> np.uint32(16)

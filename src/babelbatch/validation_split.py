"""Which items are held out for the validation loss: a function of their ids and passage keys alone."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np


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


def _mixed(value: np.ndarray) -> np.ndarray:
    """The finaliser of MurmurHash3 (Appleby 2011), (N,) uint32: a checksum is linear in its text, this is not."""
    value = (value ^ value >> 16) * 0x85EBCA6B
    value = (value ^ value >> 13) * 0xC2B2AE35
    return value ^ value >> 16

"""A sample of training triples (query, passage that answers it, passage that does not), grouped into items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from babelbatch.records import ABSENT

_BUFFER = 1 << 20  # triples to collect before the next reduction


@dataclass(frozen=True, slots=True)
class Sample:
    """items: (N, 2) int32, distinct (query id, relevant passage id), ascending. negatives: (N, H) int32, ids of
    irrelevant passages, then ABSENT."""

    items: np.ndarray
    negatives: np.ndarray


def sample(blocks: Iterable[np.ndarray], count: int | None, negatives: int, seed: int) -> Sample:
    """Draws triples and groups them by query and passage.

    blocks: the triples, (n, 3) int32 each. Repeated triples count once.
    count: the number to draw; None for all. negatives: the maximum per item.
    The rank of a triple is a hash of its three ids and the seed. The triples of the lowest ranks are drawn, and the
    negatives of the lowest ranks within an item. The sample therefore does not depend on the order of the triples, and
    a smaller sample is part of a larger one. Memory: twice the sample, or a million triples.
    """
    best, rank = np.empty((0, 3), np.int32), np.empty(0, np.uint64)
    buffer: list[np.ndarray] = []
    size = 0
    for block in blocks:
        if count is not None and len(best) == count:
            block = block[_rank(block, seed) <= rank[-1]]
        buffer.append(block)
        size += len(block)
        if size >= max(_BUFFER, len(best)):
            best, rank = _reduced(np.concatenate([best, *buffer]), count, negatives, seed)
            buffer, size = [], 0
    best, rank = _reduced(np.concatenate([best, *buffer]), count, negatives, seed)
    return _grouped(best, rank, negatives)


def _reduced(triples: np.ndarray, count: int | None, negatives: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The triples that can still be in the sample, and their ranks, ascending if `count` is not None."""
    rank = _rank(triples, seed)
    order = np.lexsort((*triples.T, rank))
    triples, rank = triples[order], rank[order]
    new = np.ones(len(triples), bool)
    new[1:] = (triples[1:] != triples[:-1]).any(axis=1)
    triples, rank = triples[new], rank[new]
    if count is not None:
        return triples[:count], rank[:count]
    order = np.lexsort((rank, triples[:, 1], triples[:, 0]))
    triples, rank = triples[order], rank[order]
    few = _slot(triples) < max(1, negatives)
    return triples[few], rank[few]


def _grouped(triples: np.ndarray, rank: np.ndarray, negatives: int) -> Sample:
    triples = triples[np.lexsort((rank, triples[:, 1], triples[:, 0]))]
    slot = _slot(triples)
    first = slot == 0
    width = min(negatives, int(slot.max(initial=-1)) + 1)
    table = np.full((int(first.sum()), width), ABSENT, np.int32)
    item = np.cumsum(first) - 1
    used = slot < width
    table[item[used], slot[used]] = triples[used, 2]
    return Sample(np.ascontiguousarray(triples[first, :2]), table)


def _slot(triples: np.ndarray) -> np.ndarray:
    """(n,) the number of triples with the same query and passage before each. Such triples are adjacent."""
    new = np.ones(len(triples), bool)
    new[1:] = (triples[1:, :2] != triples[:-1, :2]).any(axis=1)
    starts = np.flatnonzero(new)
    return np.arange(len(triples)) - np.repeat(starts, np.diff(np.append(starts, len(triples))))


def _rank(triples: np.ndarray, seed: int) -> np.ndarray:
    """(n,) uint64 hashes of the ids and the seed by the finaliser of SplitMix64 (Steele et al. 2014)."""
    state = np.full(len(triples), seed % 2**64, np.uint64)
    for column in triples.T:
        state = state + column.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ state >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ state >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        state = state ^ state >> np.uint64(31)
    return state

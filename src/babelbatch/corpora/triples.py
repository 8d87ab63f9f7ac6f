"""A sample of training triples (question, passage that answers it, passage that does not), grouped into items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from babelbatch.records import ABSENT

_AT_LEAST = 1 << 20  # triples that wait before they are thinned out, so that it is not done for each block


@dataclass(frozen=True, slots=True)
class Sample:
    """items: (N, 2) int32, ids of a question and of a passage that answers it, ascending, each pair once.
    negatives: (N, H) int32, ids of passages that do not answer it, ABSENT behind the last."""

    items: np.ndarray
    negatives: np.ndarray


def sample(blocks: Iterable[np.ndarray], count: int | None, negatives: int, seed: int) -> Sample:
    """Draws triples and groups them by question and passage.

    blocks: the triples, (n, 3) int32 each. A triple that comes twice counts once.
    count: how many are drawn; None takes all. negatives: at most so many of an item.
    A triple has a rank, which is a hash of its three ids and the seed; those of the lowest ranks are drawn, and of an
    item the negatives of the lowest ranks. So the sample does not depend on the order of the triples, and a smaller
    sample is part of a larger one. What is held is twice the sample, or a million triples.
    """
    kept, rank = np.empty((0, 3), np.int32), np.empty(0, np.uint64)
    waiting: list[np.ndarray] = []
    size = 0
    for block in blocks:
        if count is not None and len(kept) == count:
            block = block[_rank(block, seed) <= rank[-1]]
        waiting.append(block)
        size += len(block)
        if size >= max(_AT_LEAST, len(kept)):
            kept, rank = _thinned(np.concatenate([kept, *waiting]), count, negatives, seed)
            waiting, size = [], 0
    kept, rank = _thinned(np.concatenate([kept, *waiting]), count, negatives, seed)
    return _grouped(kept, rank, negatives)


def _thinned(triples: np.ndarray, count: int | None, negatives: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The triples that can be in the sample, and their ranks, which ascend if `count` is not None."""
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
    """(n,) how many triples of the same question and passage stand before each; they stand together."""
    new = np.ones(len(triples), bool)
    new[1:] = (triples[1:, :2] != triples[:-1, :2]).any(axis=1)
    starts = np.flatnonzero(new)
    return np.arange(len(triples)) - np.repeat(starts, np.diff(np.append(starts, len(triples))))


def _rank(triples: np.ndarray, seed: int) -> np.ndarray:
    """(n,) uint64: the ids are mixed in one after the other by the finaliser of SplitMix64 (Steele et al. 2014)."""
    state = np.full(len(triples), seed % 2**64, np.uint64)
    for column in triples.T:
        state = state + column.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ state >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ state >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        state = state ^ state >> np.uint64(31)
    return state

"""Vectors that are read block by block, because they need not fit in memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray


class Blocks(Sequence[NDArray[np.float32]]):
    """A sequence of (n, d) float32 blocks, which together are one matrix. A subclass reads the block at a place.

    starts: (blocks + 1,) int64, the first row of each block, and the number of rows. dimensions: d.
    """

    starts: NDArray[np.int64]
    dimensions: int

    @abstractmethod
    def block(self, place: int) -> NDArray[np.float32]:
        """The block at a place from 0."""

    @property
    def rows(self) -> int:
        """Number of vectors in all blocks."""
        return int(self.starts[-1])

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, place: int) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, place: slice) -> list[NDArray[np.float32]]: ...
    def __getitem__(self, place: int | slice) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        if isinstance(place, slice):
            return [self.block(each) for each in range(*place.indices(len(self)))]
        return self.block(range(len(self))[place])


class Between(Blocks):
    """The blocks of another matrix from place `first` to `last`, without that one."""

    def __init__(self, blocks: Blocks, first: int, last: int) -> None:
        self._blocks, self._first = blocks, first
        self.dimensions, self.starts = blocks.dimensions, blocks.starts[first : last + 1] - blocks.starts[first]

    def block(self, place: int) -> NDArray[np.float32]:
        """The block at a place from 0 of these."""
        return self._blocks[self._first + place]

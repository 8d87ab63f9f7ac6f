"""The token ids of many texts, end to end, in memory or memory-mapped."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from babelbatch.progress import bar
from babelbatch.records import Padded

IDS_FILE, OFFSETS_FILE = "ids.bin", "offsets.bin"
IDS_TYPE: np.dtype[np.int32] = np.dtype("<i4")
OFFSETS_TYPE: np.dtype[np.int64] = np.dtype("<i8")

_RESIDENT = 512 << 20  # bytes of mapped ids that may count as this process's memory
_FAULT = 2 << 20  # bytes that Linux maps, at most, when a text is read
_BLOCK_TEXTS = _RESIDENT // _FAULT


@dataclass(frozen=True, slots=True)
class Tokens:
    """T texts as token ids: text t is `ids[offsets[t]:offsets[t + 1]]`, special tokens included.

    ids: int32, offsets: (T + 1,) int64; read-only, and shared between processes if they are memory-mapped.
    mapping: the files they are mapped from, or None. A pickled copy maps the same files.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    pad_id: int
    mapping: Mapping | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(T,) number of tokens of each text."""
        return np.diff(self.offsets)

    def hashes(self) -> NDArray[np.uint64]:
        """(T, 2) 128-bit BLAKE2b hash of the ids of each text."""
        digests = bytearray()
        with bar(f"comparing {len(self):,} texts", len(self), unit="texts") as progress:
            for row, (start, stop) in enumerate(pairwise(self.offsets.tolist()), 1):
                digests += hashlib.blake2b(self.ids[start:stop].data, digest_size=16).digest()
                progress.advance(1)
                if self.mapping is not None and row % _BLOCK_TEXTS == 0:
                    self.mapping.was_read(_BLOCK_TEXTS)
        return np.frombuffer(digests, "<u8").reshape(-1, 2)

    def distinct(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(D,) first row of each distinct text, ascending, and (T,) number of the distinct text that each row has.

        Texts are compared by hash, so memory does not grow with their length.
        """
        hashes = self.hashes()
        order = np.lexsort(hashes.T)  # stable: the first of equal rows comes first
        ordered = hashes[order]
        starts = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))[: len(order)]
        first_of = np.empty(len(order), np.int64)
        first_of[order] = order[starts][np.cumsum(starts) - 1]
        return np.unique(first_of, return_inverse=True)

    def padded(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> Padded:
        """The texts `rows` as a matrix, padded on the right to the longest of them."""
        rows = np.asarray(rows)
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        real = np.arange(lengths.max()) < lengths[:, None]
        input_ids = np.full(real.shape, self.pad_id, np.int64)
        blocks = [slice(first, first + _BLOCK_TEXTS) for first in range(0, len(rows), _BLOCK_TEXTS)]
        input_ids[real] = np.concatenate([self._read(starts[block], lengths[block]) for block in blocks])
        return Padded(torch.from_numpy(input_ids), torch.from_numpy(real.astype(np.int64)))

    def _read(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int32]:
        """The ids of some texts, end to end."""
        before = np.cumsum(lengths) - lengths
        ids: NDArray[np.int32] = self.ids[np.arange(lengths.sum()) + np.repeat(starts - before, lengths)]
        if self.mapping is not None:
            self.mapping.was_read(len(starts))
        return ids

    def __reduce__(self) -> tuple[Callable[..., Tokens], tuple[object, ...]]:
        if self.mapping is None:
            return Tokens, (self.ids, self.offsets, self.pad_id)
        return map_tokens, (self.mapping.folder, self.pad_id)


class Mapping:
    """Memory maps of an entry's files, which release their pages from time to time.

    A page that was read counts as this process's memory until it is released; random reads would touch nearly all of a
    file after a while, whatever its size.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ids = _map(folder / IDS_FILE)
        self._offsets = _map(folder / OFFSETS_FILE)
        self._texts_read = 0

    @property
    def ids(self) -> NDArray[np.int32]:
        return np.frombuffer(self._ids, IDS_TYPE)

    @property
    def offsets(self) -> NDArray[np.int64]:
        return np.frombuffer(self._offsets, OFFSETS_TYPE)

    def was_read(self, texts: int) -> None:
        """Counts texts that were read, and releases the ids' pages after enough of them.

        Released pages stay in the system's file cache.
        """
        self._texts_read += texts
        if self._texts_read < _BLOCK_TEXTS or len(self._ids) <= _RESIDENT:
            return
        if hasattr(mmap, "MADV_DONTNEED") and isinstance(self._ids, mmap.mmap):
            self._ids.madvise(mmap.MADV_DONTNEED)
            self._texts_read = 0


def map_tokens(folder: Path, pad_id: int) -> Tokens:
    """Memory-maps the ids and offsets in `folder`, without verifying them."""
    mapping = Mapping(folder)
    return Tokens(mapping.ids, mapping.offsets, pad_id, mapping)


def _map(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""  # an empty file cannot be mapped
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

"""The token ids of many texts, end to end, in memory or mapped from a file."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from babelbatch.records import Padded

IDS_FILE, OFFSETS_FILE = "ids.bin", "offsets.bin"
IDS_TYPE, OFFSETS_TYPE = np.dtype("<i4"), np.dtype("<i8")

_RESIDENT = 512 << 20  # bytes of mapped ids that may count as this process's memory
_FAULT = 2 << 20  # bytes that Linux maps, at most, when a text is read
_AT_ONCE = _RESIDENT // _FAULT  # texts


@dataclass(frozen=True, slots=True)
class Tokens:
    """T texts as token ids: text t is `ids[offsets[t]:offsets[t + 1]]`, special tokens included.

    ids: int32, offsets: (T + 1,) int64; both read-only and shared between processes if they are mapped from files.
    mapping: where they are mapped from, if they are. A copy that is pickled to another process maps the same files.
    """

    ids: np.ndarray
    offsets: np.ndarray
    pad_id: int
    mapping: Mapping | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """(T,) tokens of each text."""
        return np.diff(self.offsets)

    def hashes(self) -> np.ndarray:
        """(T, 2) uint64, 128 bits of BLAKE2b of the ids of each text."""
        digests = bytearray()
        for row, (start, stop) in enumerate(pairwise(self.offsets.tolist()), 1):
            digests += hashlib.blake2b(self.ids[start:stop], digest_size=16).digest()
            if self.mapping is not None and row % _AT_ONCE == 0:
                self.mapping.was_read(_AT_ONCE)
        return np.frombuffer(digests, "<u8").reshape(-1, 2)

    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """(D,) the first row of each distinct text, ascending, and (T,) which of the D each text is.

        Told apart by hash: what is held is some numbers a text, however long it is.
        """
        hashes = self.hashes()
        order = np.lexsort(hashes.T)  # stable: of equal ones the first row comes first
        ordered = hashes[order]
        starts = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))[: len(order)]
        first_of = np.empty(len(order), np.int64)
        first_of[order] = order[starts][np.cumsum(starts) - 1]
        return np.unique(first_of, return_inverse=True)

    def padded(self, rows: Sequence[int] | np.ndarray) -> Padded:
        """The texts `rows` as one matrix, padded on the right to the longest of them."""
        rows = np.asarray(rows)
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        real = np.arange(lengths.max()) < lengths[:, None]
        input_ids = np.full(real.shape, self.pad_id, np.int64)
        parts = [slice(first, first + _AT_ONCE) for first in range(0, len(rows), _AT_ONCE)]
        input_ids[real] = np.concatenate([self._read(starts[part], lengths[part]) for part in parts])
        return Padded(torch.from_numpy(input_ids), torch.from_numpy(real.astype(np.int64)))

    def _read(self, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The ids of some texts, end to end."""
        before = np.cumsum(lengths) - lengths
        ids = self.ids[np.arange(lengths.sum()) + np.repeat(starts - before, lengths)]
        if self.mapping is not None:
            self.mapping.was_read(len(starts))
        return ids

    def __reduce__(self) -> tuple[Callable, tuple]:
        if self.mapping is None:
            return Tokens, (self.ids, self.offsets, self.pad_id)
        return map_tokens, (self.mapping.folder, self.pad_id)


class Mapping:
    """The mapped files of one folder. What was read of them counts as the memory of the process that read it, until it
    is given back: reading at random, after a while nearly all of a file of any size would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ids = _mapped(folder / IDS_FILE)
        self._offsets = _mapped(folder / OFFSETS_FILE)
        self._rows = 0

    @property
    def ids(self) -> np.ndarray:
        return np.frombuffer(self._ids, IDS_TYPE)

    @property
    def offsets(self) -> np.ndarray:
        return np.frombuffer(self._offsets, OFFSETS_TYPE)

    def was_read(self, rows: int) -> None:
        """Counts texts that were read, and gives the ids' pages back in time. They stay in the system's cache."""
        self._rows += rows
        if self._rows >= _AT_ONCE and len(self._ids) > _RESIDENT and hasattr(mmap, "MADV_DONTNEED"):
            self._ids.madvise(mmap.MADV_DONTNEED)
            self._rows = 0


def map_tokens(folder: Path, pad_id: int) -> Tokens:
    """The ids and offsets in `folder`, mapped. Whether they are whole is not looked at."""
    mapping = Mapping(folder)
    return Tokens(mapping.ids, mapping.offsets, pad_id, mapping)


def _mapped(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""  # which cannot be mapped
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

"""Texts on disk: written one after another, read through a memory map, in any number."""

from __future__ import annotations

import hashlib
import mmap
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

_BLOCK = 65_536  # numbers buffered before a write, and texts read at once


class TextWriter:
    """Appends texts to a file, as UTF-8 without separators. Texts are numbered from 0.

    keep: texts of an interrupted writer that stay, as `flush` counted them; the file is cut off behind them.
    """

    def __init__(self, path: Path, keep: int = 0) -> None:
        ends = path.with_suffix(".ends")
        self._count = keep
        self._size = int(np.fromfile(ends, np.int64, count=1, offset=8 * (keep - 1))[0]) if keep else 0
        self._file = _open_to_append(path, self._size)
        self._ends = _NumberWriter(ends, keep)

    def append(self, text: str) -> int:
        """Returns the text's number. Raises UnicodeEncodeError (a ValueError) if it is not Unicode."""
        data = text.encode()
        self._file.write(data)
        self._size += len(data)
        self._ends.append(self._size)
        self._count += 1
        return self._count - 1

    def flush(self) -> int:
        """Forces everything to the disk. Returns the number of texts."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._ends.flush()
        return self._count

    def close(self) -> None:
        """Writes what is buffered and closes the files."""
        self._file.close()
        self._ends.close()


def select_texts(path: Path, rows: NDArray[np.int64] | None = None) -> None:
    """Makes a closed file readable as `Texts(path)`, with the texts `rows` in that order, or all of them.

    rows: (n,) numbers of texts. The others stay in the file, out of reach.
    """
    ends = np.fromfile(path.with_suffix(".ends"), np.int64)
    spans = np.empty((len(ends) if rows is None else len(rows), 2), np.int64)
    starts = np.concatenate([np.zeros(min(1, len(ends)), np.int64), ends[:-1]])
    spans[:, 0], spans[:, 1] = (starts, ends) if rows is None else (starts[rows], ends[rows])
    np.save(_spans_file(path), spans)
    path.with_suffix(".ends").unlink()


class Texts(Sequence[str]):
    """The texts of a file that `TextWriter` wrote and `select_texts` finished, memory-mapped.

    A pickled copy maps the same file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spans: NDArray[np.int64] = np.load(_spans_file(path), mmap_mode="r")
        with path.open("rb") as file:
            empty = path.stat().st_size == 0  # an empty file cannot be mapped
            self._data: mmap.mmap | bytes = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __len__(self) -> int:
        return len(self._spans)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self._data[start:end].decode() for start, end in self._spans[row].tolist()]
        start, end = self._spans[row].tolist()
        return self._data[start:end].decode()

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _BLOCK):
            yield from self[first : first + _BLOCK]

    def __reduce__(self) -> tuple[type[Texts], tuple[Path]]:
        return Texts, (self._path,)


class ConcatTexts(Sequence[str]):
    """Several sequences of texts as one, without a copy.

    prefixes: put before the texts of each sequence; none by default.
    """

    def __init__(self, parts: Sequence[Sequence[str]], prefixes: Sequence[str] | None = None) -> None:
        self._parts = list(parts)
        self._prefixes = list(prefixes or [""] * len(self._parts))
        self._ends = list(accumulate(map(len, self._parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        row = range(len(self))[row]  # resolves a negative row, raises IndexError outside
        part = bisect_right(self._ends, row)
        return self._prefixes[part] + self._parts[part][row - self._ends[part]]  # a negative index, from the part's end

    def __iter__(self) -> Iterator[str]:
        for prefix, part in zip(self._prefixes, self._parts, strict=True):
            yield from (prefix + text for text in part) if prefix else part


def text_hash(text: str) -> tuple[int, int]:
    """A 128-bit hash as two integers: one to sort and search by, one to detect texts that collide in the first."""
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


class _NumberWriter:
    """Appends int64 numbers to a file, behind the first `keep` of an earlier writer."""

    def __init__(self, path: Path, keep: int) -> None:
        self._file = _open_to_append(path, 8 * keep)
        self._buffer: list[int] = []

    def append(self, number: int) -> None:
        self._buffer.append(number)
        if len(self._buffer) == _BLOCK:
            self._write()

    def flush(self) -> None:
        self._write()
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._write()
        self._file.close()

    def _write(self) -> None:
        self._file.write(np.array(self._buffer, np.int64).tobytes())
        self._buffer.clear()


def _open_to_append(path: Path, size: int) -> BinaryIO:
    """Opens a file for writing behind its first `size` bytes."""
    if size == 0:
        return path.open("wb", buffering=1 << 20)
    os.truncate(path, size)
    return path.open("ab", buffering=1 << 20)


def _spans_file(path: Path) -> Path:
    return path.with_suffix(".spans.npy")

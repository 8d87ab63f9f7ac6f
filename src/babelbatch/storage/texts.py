"""Texts on disk: written one after the other, read back through a map of the file, whatever their number."""

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

_AT_ONCE = 65_536  # numbers that wait to be written, and texts that are read at once


class TextWriter:
    """Writes texts into a file, their UTF-8 end to end. Number n is the n-th text that was appended, from 0.

    keep: how many texts of an earlier writer stay, which may have been interrupted after `flush`; the rest goes.
    """

    def __init__(self, path: Path, keep: int = 0) -> None:
        ends = path.with_suffix(".ends")
        self._count = keep
        self._size = int(np.fromfile(ends, np.int64, count=1, offset=8 * (keep - 1))[0]) if keep else 0
        self._file = _opened(path, self._size)
        self._ends = _Numbers(ends, keep)

    def append(self, text: str) -> int:
        """Returns the text's number. ValueError (UnicodeEncodeError): it is not Unicode."""
        data = text.encode()
        self._file.write(data)
        self._size += len(data)
        self._ends.append(self._size)
        self._count += 1
        return self._count - 1

    def flush(self) -> int:
        """Returns the number of texts, all of which are on the disk then."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._ends.flush()
        return self._count

    def close(self) -> None:
        self._file.close()
        self._ends.close()


def select_texts(path: Path, rows: np.ndarray | None = None) -> None:
    """Makes `Texts(path)` of what was appended to a closed file: those in `rows` in that order, or all.

    rows: (n,) numbers of texts; what is not among them stays in the file, and is not seen.
    """
    ends = np.fromfile(path.with_suffix(".ends"), np.int64)
    spans = np.empty((len(ends) if rows is None else len(rows), 2), np.int64)
    starts = np.concatenate([np.zeros(min(1, len(ends)), np.int64), ends[:-1]])
    spans[:, 0], spans[:, 1] = (starts, ends) if rows is None else (starts[rows], ends[rows])
    np.save(_spans_of(path), spans)
    path.with_suffix(".ends").unlink()


class Texts(Sequence[str]):
    """Texts that were written by `TextWriter` and chosen by `select_texts`. They take no memory of the process's own;
    one text is read at a time, or some in passing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spans = np.load(_spans_of(path), mmap_mode="r")
        with path.open("rb") as file:
            empty = path.stat().st_size == 0  # which cannot be mapped
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
        for first in range(0, len(self), _AT_ONCE):
            yield from self[first : first + _AT_ONCE]

    def __reduce__(self) -> tuple[type[Texts], tuple[Path]]:
        return Texts, (self._path,)


class ConcatTexts(Sequence[str]):
    """Sequences of texts end to end, none of them copied.

    prefixes: what the texts of each begin with here; by default they are as they are.
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
        row = range(len(self))[row]  # IndexError for what is outside
        part = bisect_right(self._ends, row)
        return self._prefixes[part] + self._parts[part][row - self._ends[part]]  # counted from its end

    def __iter__(self) -> Iterator[str]:
        for prefix, part in zip(self._prefixes, self._parts, strict=True):
            yield from (prefix + text for text in part) if prefix else part


def text_hash(text: str) -> tuple[int, int]:
    """Two halves of a 128-bit hash: one to sort by and look for, one that tells whether two texts agree in the first
    by chance."""
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


class _Numbers:
    """(n,) int64 that are appended to a file, behind the first `keep` that are there."""

    def __init__(self, path: Path, keep: int) -> None:
        self._file = _opened(path, 8 * keep)
        self._waiting: list[int] = []

    def append(self, number: int) -> None:
        self._waiting.append(number)
        if len(self._waiting) == _AT_ONCE:
            self._write()

    def flush(self) -> None:
        self._write()
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._write()
        self._file.close()

    def _write(self) -> None:
        self._file.write(np.array(self._waiting, np.int64).tobytes())
        self._waiting.clear()


def _opened(path: Path, size: int) -> BinaryIO:
    """A file to append to, behind its first `size` bytes."""
    if size == 0:
        return path.open("wb", buffering=1 << 20)
    os.truncate(path, size)
    return path.open("ab", buffering=1 << 20)


def _spans_of(path: Path) -> Path:
    return path.with_suffix(".spans.npy")

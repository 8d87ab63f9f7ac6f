"""Checks of the fields of a record. Each raises `RecordError`, which names the field, the fact and the remedy.

Arrays are read in blocks, because they may be memory-mapped and larger than memory; nothing is copied. Sequences of
texts that are not a tuple or a list may be on disk: only their length and their first text are read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from babelbatch.records.languages import same_language
from babelbatch.records.names import problem_of_name

_BLOCK = 1 << 18  # numbers at a time, which stay in the processor's cache

Numbers = npt.NDArray[Any]
Marks = npt.NDArray[np.bool_]


class RecordError(ValueError):
    """A record breaks its contract."""


class Checks:
    """Checks of one record. record: its kind and name, with which every message begins, such as "corpus 'mine'"."""

    def __init__(self, kind: str, name: object) -> None:
        if not isinstance(name, str) or not name:
            raise RecordError(f"{kind}, name: is {described(name)}; give a string that is not empty")
        self._record = f"{kind} '{name}'"

    def refuse(self, field: str, problem: str) -> RecordError:
        """The error to raise. problem: the fact and the remedy."""
        return RecordError(f"{self._record}, {field}: {problem}")

    def text(self, field: str, value: object) -> None:
        """A string that is not empty."""
        if not isinstance(value, str) or not value:
            raise self.refuse(field, f"is {described(value)}; give a string that is not empty")

    def flag(self, field: str, value: object) -> None:
        """True or False."""
        if not isinstance(value, bool):
            raise self.refuse(field, f"is {described(value)}; give True or False")

    def number(self, field: str, value: object) -> None:
        """A finite number."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self.refuse(field, f"is {described(value)}; give a finite number")

    def names(self, field: str, value: object) -> None:
        """A tuple of distinct strings, at least one and none of them empty."""
        if not isinstance(value, tuple):
            raise self.refuse(field, f"is {described(value)}; give a tuple of strings")
        if not value:
            raise self.refuse(field, "there are none; give at least one")
        for name in value:
            if not isinstance(name, str) or not name:
                raise self.refuse(field, f"holds {described(name)}; give strings that are not empty")
        if (repeated := _repeated(value)) is not None:
            raise self.refuse(field, f"'{repeated}' occurs twice; name each once")

    def languages(self, field: str, value: object) -> None:
        """A tuple of names without blanks and slashes, which become parts of keys and file names; no language twice."""
        self.names(field, value)
        assert isinstance(value, tuple)
        for name in value:
            if not re.fullmatch(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*", name):
                raise self.refuse(field, f"'{name[:40]}' is not a language; give a code such as en or zh-Hant")
        if (twice := same_language(value)) is not None:
            raise self.refuse(field, f"'{twice[0]}' and '{twice[1]}' are one language; give both rows one code")

    def file_names(self, field: str, value: tuple[str, ...]) -> None:
        """Names that files can be called by."""
        for name in value:
            if (problem := problem_of_name(name)) is not None:
                raise self.refuse(field, f"{name[:60]!r} {problem}, and files are called by it; give another one")

    def texts(self, field: str, value: object, length: int | None = None, of: str = "") -> None:
        """A sequence of strings, `length` of them if that is not None. of: the field that gives the length."""
        if isinstance(value, (str, bytes)) or not (hasattr(value, "__len__") and hasattr(value, "__getitem__")):
            raise self.refuse(field, f"is {described(value)}; give a sequence of strings, such as a tuple")
        if length is not None and len(value) != length:
            raise self.refuse(field, f"there are {len(value):,} for {length:,} {of}; give one for each")
        if isinstance(value, (tuple, list)):
            if all(issubclass(kind, str) for kind in set(map(type, value))):
                return
            row = next(row for row, text in enumerate(value) if not isinstance(text, str))
        elif len(value) == 0 or isinstance(value[0], str):
            return
        else:
            row = 0
        raise self.refuse(field, f"row {row:,} is {described(value[row])}; give strings")

    def distinct(self, field: str, value: Sequence[str]) -> None:
        """Strings of which no two are equal. Those that may be on disk are not read."""
        if isinstance(value, (tuple, list)) and (repeated := _repeated(value)) is not None:
            raise self.refuse(field, f"'{repeated}' occurs twice; ids must be unique")

    def instance(self, field: str, value: object, kind: type[object], none: str = "") -> None:
        """An object of a class. none: what else it may be."""
        if not isinstance(value, kind):
            raise self.refuse(field, f"is {described(value)}; give a {kind.__name__}{none}")

    def array(
        self, field: str, value: object, dtype: type[np.generic], shape: Sequence[int | None], meaning: str
    ) -> None:
        """A numpy array of a dtype and a shape, in which None is any size. meaning: where the shape comes from."""
        name = np.dtype(dtype).name
        if not isinstance(value, np.ndarray):
            raise self.refuse(field, f"is {described(value)}; give a numpy array of {name}")
        if value.dtype != dtype:
            raise self.refuse(field, f"the dtype is {value.dtype}, not {name}; convert it with .astype(np.{name})")
        if value.ndim != len(shape) or any(
            size not in (None, given) for size, given in zip(shape, value.shape, strict=True)
        ):
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            wanted = f"({wanted},)" if len(shape) == 1 else f"({wanted})"
            raise self.refuse(field, f"the shape is {value.shape}; {meaning} need {wanted}")

    def within(
        self,
        field: str,
        value: Numbers,
        low: int,
        size: int,
        of: str,
        where: Callable[[tuple[int, ...]], str],
    ) -> None:
        """Every number is one of range(low, size), low being 0 or -1, which stands for an absent text.

        of: the field whose rows they are. where: says, for an index into the array, which text or query it belongs to.
        """
        index = first_where(value, lambda block: _outside(block, low, size))
        if index is None:
            return
        rows = f"0 to {size - 1:,}" if size else "no row, as there is none"
        absent = ", or ABSENT (-1) for none" if low < 0 else ""
        raise self.refuse(field, f"{where(index)} has {int(value[index]):,}, but {of} has {size:,}; use {rows}{absent}")


def first_where(array: Numbers, wrong: Callable[[Numbers], Marks | None]) -> tuple[int, ...] | None:
    """The index of the first element that `wrong` marks; None if it marks none.

    wrong: for a block of rows, which elements are wrong, in its shape; None for none.
    """
    rows = max(1, _BLOCK // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), rows):
        block = array[start : start + rows]
        if block.size and (marks := wrong(block)) is not None and marks.any():
            row, *rest = (int(place) for place in np.unravel_index(int(marks.argmax()), marks.shape))
            return (start + row, *rest)
    return None


def _outside(block: Numbers, low: int, size: int) -> Marks | None:
    if block.min() >= low and block.max() < size:
        return None
    return np.logical_or(block < low, block >= size)


def _repeated(names: Sequence[str]) -> str | None:
    """A string that occurs twice. Hashes are sorted, in eight bytes a string, where a set would take eighty."""
    hashes = np.sort(np.fromiter(map(hash, names), np.int64, len(names)))
    equal = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    seen: set[str] = set()
    for name in names if equal else ():
        if hash(name) in equal:
            if name in seen:
                return name
            seen.add(name)
    return None


def described(value: object) -> str:
    """A value of the wrong kind, in a few words."""
    if value is None or isinstance(value, (bool, int, float)):
        return str(value)
    if isinstance(value, str):
        return f"the string '{value[:40]}'" if value else "an empty string"
    kind = type(value).__qualname__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"

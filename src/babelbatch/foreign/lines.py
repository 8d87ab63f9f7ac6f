"""Files from elsewhere, read line by line. Every fault is named by file and line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babelbatch.foreign.declaration import shown
from babelbatch.sources.lines import Place
from babelbatch.sources.lines import lines as read_lines
from babelbatch.sources.trec import LONGEST_LINE
from babelbatch.storage import documents

_MOST_LINES = 200_000_000
_LARGEST_JSON = 1 << 30  # bytes


def fault(path: Path, line: int, problem: str) -> ValueError:
    return ValueError(f"{Place(path, line)}: {problem}")


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file that are not blank, with their numbers from 1 and without their ends.

    Raises ValueError for other encodings, lines above 64 KiB and files above 200 million lines.
    """
    for place, text in read_lines(path, LONGEST_LINE):
        if place.line > _MOST_LINES:
            raise fault(path, place.line, f"the file has more than {_MOST_LINES:,} lines; cut the lists")
        if text.strip():
            yield place.line, text


def finite(path: Path, line: int, name: str, text: str) -> float:
    """A finite number. Raises ValueError otherwise."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise fault(path, line, f"the {name} {shown(text)} is no finite number; mend it")
    return value


def is_finite(value: float) -> bool:
    """Whether a number is finite as a float; whole numbers of hundreds of digits are not."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def pairs(path: Path, second: str) -> dict[str, str]:
    """id -> value of a file with an id, a tab and a value on each line. second: what the value is, for messages.

    Raises ValueError for other lines, and for an id with two values.
    """
    found: dict[str, str] = {}
    for number, line in lines(path):
        parts = line.split("\t")
        if len(parts) != 2 or not all(part.strip() for part in parts):
            raise fault(path, number, f"it is not an id, a tab and a {second}; mend it")
        id_, value = (part.strip() for part in parts)
        if found.setdefault(id_, value) != value:
            raise fault(path, number, f"{shown(id_)} has the {second} {shown(found[id_])} further up; keep one")
    return found


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises ValueError, with the line, if it is not JSON or larger than 1 GiB."""
    try:
        return documents.read_json(path, _LARGEST_JSON, finite=False)
    except documents.UnreadableDocument as error:
        place = f"{path}, line {error.line}" if error.line else f"{path}"
        raise ValueError(f"{place}: it is not JSON ({error}); write it again") from None

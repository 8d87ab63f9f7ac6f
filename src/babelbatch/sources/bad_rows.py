"""Rows of your own data that cannot be used: all of them are reported at once, or left out if the user asks for it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from babelbatch.records import SkippedRows
from babelbatch.sources.lines import LONGEST_LINE, MissingColumn, Place, decoded, raw_lines

log = logging.getLogger(__name__)

OnBadRow = Literal["error", "skip"]
SKIPPED_ROWS = "skipped_rows.json"
"""The file of a cache entry that names the rows which were left out."""

Row = TypeVar("Row")


class BadRows:
    """Collects the rows that cannot be used. on_bad_row: what happens to them in the end, see `refuse` and `save`."""

    def __init__(self, on_bad_row: OnBadRow = "error") -> None:
        self.skips = on_bad_row == "skip"
        self._count = 0
        self._first: list[str] = []
        self._usable: set[Path] = set()
        self._unreadable: dict[Path, str] = {}

    def attempt(self, place: Place, read: Callable[[], Row]) -> Row | None:
        """What `read` returns; None, with a note of the row, if it raises ValueError.

        A column that the first row of a file lacks is missing from all of them: that error is raised at once.
        """
        try:
            row = read()
        except ValueError as error:
            if isinstance(error, MissingColumn) and place.path not in self._usable:
                raise
            self.add(str(error))
            return None
        self._usable.add(place.path)
        return row

    def parse(self, path: Path, read: Callable[[], Row]) -> Row | None:
        """What `read` returns; None, with a note, if it raises ValueError. For what is read of a file before its rows
        are known, such as a line."""
        try:
            return read()
        except ValueError as error:
            self._unreadable.setdefault(path, str(error))
            self.add(str(error))
            return None

    def unreadable(self, path: Path) -> str | None:
        """The first note of `parse` in a file: the reason, if nothing in the file can be read."""
        return self._unreadable.get(path)

    def add(self, message: str) -> None:
        """Notes a row. message: file, line and reason."""
        self._count += 1
        if len(self._first) < SkippedRows.LISTED:
            self._first.append(message)

    def refuse(self) -> None:
        """Raises ValueError with the rows noted so far, unless they are to be left out."""
        if self.skips or not self._count:
            return
        remedy = "set on_bad_row=skip to leave such rows out"
        if self._count == 1:
            raise ValueError(f"{self._first[0]}; or {remedy}")
        more = self._count - len(self._first)
        rows = [*self._first, *([f"and {more:,} more"] if more else [])]
        raise ValueError("\n  ".join([f"{self._count:,} rows cannot be used; correct them, or {remedy}:", *rows]))

    def report(self, name: str) -> SkippedRows:
        """The rows that are left out; logged, if there are any. name: of the data."""
        return _reported(SkippedRows(self._count, tuple(self._first)), name)

    def save(self, folder: Path) -> None:
        """Writes the rows that are left out beside the data, for `read_skipped_rows`."""
        if self._count:
            (folder / SKIPPED_ROWS).write_text(json.dumps({"count": self._count, "first": self._first}))


def read_row(bad: BadRows | None, place: Place, read: Callable[[], Row]) -> Row | None:
    """As `BadRows.attempt`; without `bad` the error is raised."""
    return read() if bad is None else bad.attempt(place, read)


def parse_row(bad: BadRows | None, path: Path, read: Callable[[], Row]) -> Row | None:
    """As `BadRows.parse`; without `bad` the error is raised."""
    return read() if bad is None else bad.parse(path, read)


def usable_lines(path: Path, bad: BadRows | None, longest: int = LONGEST_LINE) -> Iterator[tuple[Place, str]]:
    """As `lines.lines`. bad: collects lines that are not UTF-8, and those are left out."""
    for number, raw in raw_lines(path, longest):
        place = Place(path, number)
        if line := parse_row(bad, path, partial(decoded, raw, place)):
            yield place, line


def nothing_usable(bad: BadRows | None, path: Path, reason: str) -> ValueError:
    """The error for a file of which nothing can be used: what is wrong with its first row, or `reason`."""
    return ValueError((bad and bad.unreadable(path)) or reason)


def read_skipped_rows(folder: Path, name: str) -> SkippedRows:
    """The rows that were left out of the data in a folder; logged, if there are any. name: of the data."""
    path = folder / SKIPPED_ROWS
    if not path.is_file():
        return SkippedRows()
    saved = json.loads(path.read_text())
    return _reported(SkippedRows(int(saved["count"]), tuple(saved["first"])), name)


def _reported(skipped: SkippedRows, name: str) -> SkippedRows:
    if skipped.count:
        more = skipped.count - len(skipped.first)
        rows = [*skipped.first, *([f"and {more:,} more"] if more else [])]
        log.warning("%s: %s rows are left out (on_bad_row=skip):\n  %s", name, f"{skipped.count:,}", "\n  ".join(rows))
    return skipped

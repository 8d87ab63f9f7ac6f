"""Reads the lines of text files, plain or gzipped, one at a time, each with its place, and checks values in rows.

Only the current line is in memory. Every error names the file and the line. `records` reads named columns.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from babelbatch.progress import reading

_GZIP = b"\x1f\x8b"
_LFS = b"version https://git-lfs.github.com/spec/"
_CHUNK = 1 << 20
LONGEST_LINE = 1 << 26
"""In bytes. A row of a table is shorter; without a bound a file without line ends would fill the memory."""

Record = dict[str, object]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row is, for messages. line: from 1; in Parquet files the row, in JSON and TMX documents the entry."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}, {_UNITS.get(suffix(self.path), 'line')} {self.line:,}"


class MissingColumn(ValueError):
    """A row lacks a column that its table should have."""


_UNITS = {".parquet": "row", ".json": "entry", ".tmx": "entry"}


def suffix(path: Path) -> str:
    """The suffix of a file name in small letters, without that of gzip."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def fields(path: Path, columns: int | None) -> Iterator[tuple[Place, list[str]]]:
    """The fields of each row of a TSV file, without quoting.

    columns: the number of fields of each row; None for that of the first row. Raises ValueError for another number.
    """
    for place, line in lines(path):
        columns = columns or line.count("\t") + 1
        yield place, split_fields(line, columns, place)


def split_fields(line: str, columns: int, place: Place) -> list[str]:
    """The fields of a line, separated by tabs. Raises ValueError for another number than `columns`."""
    row = line.split("\t")
    if len(row) != columns:
        raise ValueError(f"{place}: {len(row)} fields instead of {columns}, separated by tabs; the line may be cut")
    return row


def lines(path: Path, longest: int = LONGEST_LINE) -> Iterator[tuple[Place, str]]:
    """The lines of a text file without line ends and byte order mark; empty lines are skipped. longest: in bytes."""
    for number, raw in raw_lines(path, longest):
        if line := decoded(raw, Place(path, number)):
            yield Place(path, number), line


def raw_lines(path: Path, longest: int = LONGEST_LINE) -> Iterator[tuple[int, bytes]]:
    """The undecoded lines of a file and their numbers, from 1; for readers that need few of many, see `decoded`.

    longest: in bytes; a longer line is refused before it is in memory.
    """
    number = 0
    try:
        head = check_content(path)
        with opened(path) as file, reading(path, file):
            lone = b"\r" in head and b"\n" not in head
            found = _lines_of_mac(file, longest) if lone else iter(partial(file.readline, longest + 1), b"")
            for number, raw in enumerate(found, start=1):
                if len(raw) > longest:
                    raise ValueError(
                        f"{Place(path, number)}: longer than {longest:,} bytes; this is no file of such lines"
                    )
                yield number, raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{Place(path, number + 1)}: damaged gzip file ({error}); copy or download it again") from None
    except OSError as error:
        raise unreadable(path, error) from error
    if number == 0:
        raise ValueError(f"{path}: the file is empty; copy or download it again")


def decoded(raw: bytes, place: Place) -> str:
    """The text of a line, or of a part of it, without line end and byte order mark. Raises ValueError if not UTF-8."""
    try:
        return raw.decode("utf-8-sig" if place.line == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{place}: not valid UTF-8 at byte {error.start}; convert the file to UTF-8") from None


def text_in(record: Record, key: str, place: Place, *, blank: bool = False) -> str:
    """The text under a key. Raises ValueError if it is missing, no text, not Unicode, or, without `blank`, blank."""
    if key not in record:
        raise ValueError(f"{place}: no '{key}'; there are: {', '.join(map(str, record))}")
    return text_of(record[key], f"'{key}'", place, blank=blank)


def text_of(value: object, what: str, place: Place, *, blank: bool = False) -> str:
    """The value, a text. what: its name in messages. blank: whether it may be blank. Raises ValueError as `text_in`."""
    if not isinstance(value, str):
        raise ValueError(f"{place}: {what} is {json.dumps(value, default=str)[:40]}, not a text")
    if not (blank or value.strip()):
        raise ValueError(f"{place}: {what} is empty; write it, or remove the row")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{place}: character {error.start:,} of {what} is half of a surrogate pair, which is not Unicode; "
                "correct the file"
            ) from None
    return value


def id_in(record: Record, key: str, place: Place) -> str:
    """The text under a key, or a whole number as text, also one that a table has as 12.0. Raises ValueError as
    `text_in`."""
    value = record.get(key)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    whole = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if whole else text_in(record, key, place)


def list_in(record: Record, key: str, place: Place) -> list[Any]:
    """The list under a key. Raises ValueError if it is missing or no list."""
    if key not in record:
        raise ValueError(f"{place}: no '{key}'; there are: {', '.join(map(str, record))}")
    if not isinstance(value := record[key], list):
        raise ValueError(f"{place}: '{key}' is {json.dumps(value, default=str)[:40]}, not a list")
    return value


def object_in(record: Record, key: str, place: Place) -> Record:
    """The object under a key. Raises ValueError if it is missing or no object."""
    if key not in record:
        raise ValueError(f"{place}: no '{key}'; there are: {', '.join(map(str, record))}")
    if not isinstance(value := record[key], dict):
        raise ValueError(f"{place}: '{key}' is {json.dumps(value, default=str)[:40]}, not an object")
    return value


def check_content(path: Path) -> bytes:
    """The first bytes of a file's content, unpacked. Raises ValueError for a Git LFS pointer, and OSError."""
    try:
        with opened(path) as file:
            head = file.read(_CHUNK)
    except (EOFError, zlib.error):  # the reader names the line at which the file is damaged
        return b""
    if head.startswith(_LFS):
        raise ValueError(
            f"{path}: a pointer of Git LFS, not the file; run `git lfs pull` in its repository, or download the file"
        )
    return head


def opened(path: Path) -> BinaryIO:
    """The file, unpacked if its content is gzipped, whatever its name."""
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP or path.suffix.lower() == ".gz"
    return cast("BinaryIO", gzip.open(path, "rb")) if packed else path.open("rb")


def _lines_of_mac(file: BinaryIO, longest: int) -> Iterator[bytes]:
    """The lines of a file whose lines end in a carriage return alone, as in classic Mac OS."""
    rest = b""
    while chunk := file.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\r")
        yield from whole
        if len(rest) > longest:
            break
    if rest:
        yield rest


def unreadable(path: Path, error: OSError) -> ValueError:
    """The error for a file that the system does not let us read."""
    return ValueError(f"{path}: cannot be read ({error.strerror or str(error).splitlines()[0]})")

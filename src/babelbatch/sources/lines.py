"""Reads the rows of JSON lines, CSV, TSV and Parquet files, plain or gzipped, one at a time, each with its place.

Only the current row is in memory (of Parquet, some thousand rows). Every error names the file and the line.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from babelbatch.progress import bar, reading

csv.field_size_limit(1 << 28)  # a passage may be longer than the 128 KB that csv expects of a field

_PARQUET_ROWS = 4_096

Record = dict[str, object]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row is, for messages. line: from 1; in Parquet files the row, in JSON and TMX documents the entry."""

    path: Path
    line: int

    def __str__(self) -> str:
        name = self.path.name.removesuffix(".gz")
        unit = "row" if name.endswith(".parquet") else "entry" if name.endswith((".json", ".tmx")) else "line"
        return f"{self.path}, {unit} {self.line:,}"


FORMATS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
"""The suffixes that `records` reads. `.json` is read as JSON lines too."""


def records(path: Path) -> Iterator[tuple[Place, Record]]:
    """The rows of a file with named columns: JSON lines, Parquet, or CSV and TSV with a head line.

    TSV has no quoting: tabs separate fields. CSV is quoted as in RFC 4180, and a record may span several lines; its
    place is the first. In both, all values are texts.
    Raises ValueError, with file and line, for anything that cannot be read.
    """
    name = path.name.removesuffix(".gz")
    read = next((read for suffix, read in _READERS.items() if name.endswith(suffix)), None)
    if read is None:
        raise ValueError(f"{path}: not a format that can be read; there are: {', '.join(FORMATS)}")
    row = None
    for row in read(path):
        yield row
    if row is None:
        raise ValueError(f"{path}: there is no row in it; copy or download it again")


def fields(path: Path, columns: int | None) -> Iterator[tuple[Place, list[str]]]:
    """The fields of each row of a TSV file, without quoting.

    columns: the number of fields of each row; None for that of the first row. Raises ValueError for another number.
    """
    for place, line in lines(path):
        row = line.split("\t")
        columns = columns or len(row)
        if len(row) != columns:
            raise ValueError(f"{place}: {len(row)} fields instead of {columns}, separated by tabs; the line may be cut")
        yield place, row


def lines(path: Path) -> Iterator[tuple[Place, str]]:
    """The lines of a text file without line ends and byte order mark; empty lines are skipped."""
    for number, raw in raw_lines(path):
        if line := decoded(raw, Place(path, number)):
            yield Place(path, number), line


def raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The undecoded lines of a file and their numbers, from 1; for readers that need few of many, see `decoded`."""
    number = 0
    try:
        with _opened(path) as file, reading(path, file):
            for number, raw in enumerate(file, start=1):
                yield number, raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{Place(path, number + 1)}: damaged gzip file ({error}); copy or download it again") from None
    except OSError as error:
        raise _unreadable(path, error) from error
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
    """The text under a key, or a whole number as text. Raises ValueError as `text_in`."""
    value = record.get(key)
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


def _opened(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))  # it is one, but not by its declared type
    return path.open("rb")


def _json_lines(path: Path) -> Iterator[tuple[Place, Record]]:
    for place, line in lines(path):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{place}, column {error.colno}: not valid JSON ({error.msg}); there is one object a line, and the "
                "last one may be cut off"
            ) from None
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in lists in lists
            raise ValueError(f"{place}: not JSON that can be read ({str(error)[:60]})") from None
        if not isinstance(record, dict):
            raise ValueError(f'{place}: {line[:40]} is not an object such as {{"id": ...}}')
        yield place, record


def _tsv(path: Path) -> Iterator[tuple[Place, Record]]:
    head: list[str] | None = None
    for place, row in fields(path, None):
        if head is None:
            head = row
            _check_head(head, place)
        else:
            yield place, dict(zip(head, row, strict=True))


def _csv(path: Path) -> Iterator[tuple[Place, Record]]:
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for place, line in _whole_lines(path):
            read = place.line
            yield line

    rows = csv.reader(texts(), strict=True)
    head: list[str] | None = None
    while True:
        place = Place(path, read + 1)
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise ValueError(
                f"{place}: not valid CSV ({error}); quote fields that hold a quote, and double it"
            ) from None
        if row is None:
            return
        if head is None:
            head = row
            _check_head(head, place)
        elif row:
            if len(row) != len(head):
                raise ValueError(f"{place}: {len(row)} fields instead of {len(head)}; quote fields that hold a comma")
            yield place, dict(zip(head, row, strict=True))


def _whole_lines(path: Path) -> Iterator[tuple[Place, str]]:
    """As `lines`, with line ends and with empty lines, which may be part of a quoted field."""
    expected = 1
    for place, line in lines(path):
        yield from ((Place(path, number), "\n") for number in range(expected, place.line))
        yield place, line + "\n"
        expected = place.line + 1


def _check_head(head: list[str], place: Place) -> None:
    if not head or len(set(head)) < len(head) or not all(name.strip() for name in head):
        raise ValueError(f"{place}: the head line must name each column once, not {', '.join(head)[:80]}")


def _parquet(path: Path) -> Iterator[tuple[Place, Record]]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows == 0:
                raise ValueError(f"{path}: the file is empty; copy or download it again")
            with bar(f"reading {path.name}", file.metadata.num_rows, "rows", lambda: number):
                for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                    for record in batch.to_pylist():
                        number += 1
                        yield Place(path, number), record
    except (pa.ArrowException, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ValueError(
            f"{path}, after row {number:,}: damaged Parquet file ({reason}); copy or download it again"
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from error


_READERS = {".parquet": _parquet, ".jsonl": _json_lines, ".json": _json_lines, ".csv": _csv, ".tsv": _tsv}


def _unreadable(path: Path, error: OSError) -> ValueError:
    return ValueError(f"{path}: cannot be read ({error.strerror or str(error).splitlines()[0]})")

"""Reads the rows of tables: JSON lines, a JSON array, CSV, TSV and Parquet files, plain or gzipped, one at a time.

Only the current row is in memory (of Parquet, some thousand rows). Every error names the file and the line.
"""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from babelbatch.progress import bar
from babelbatch.sources.bad_rows import BadRows, nothing_usable, parse_row, usable_lines
from babelbatch.sources.documents import elements
from babelbatch.sources.lines import Place, Record, check_content, lines, split_fields, suffix, unreadable

log = logging.getLogger(__name__)

csv.field_size_limit(1 << 28)  # a passage may be longer than the 128 KB that csv expects of a field

_PARQUET_ROWS = 4_096
_DELIMITERS = ",;\t|"

FORMATS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
"""The suffixes that `records` reads, in small or capital letters. `.json` is read as JSON lines or as one array."""


def is_table(path: Path) -> bool:
    """Whether the name ends in one of `FORMATS`."""
    return path.name.lower().endswith(FORMATS)


def records(path: Path, bad: BadRows | None = None) -> Iterator[tuple[Place, Record]]:
    """The rows of a file with named columns: JSON lines, Parquet, or CSV and TSV with a head line.

    TSV has no quoting: tabs separate fields. CSV is quoted as in RFC 4180, and a record may span several lines; its
    place is the first. In both, all values are texts. Where the head line of a CSV file has no comma, its fields are
    separated by what separates the head line: a semicolon, a tab or a bar. A first column without a name, the index
    that pandas writes, is left out. A JSON file may be one array of objects.
    bad: collects lines that are no JSON object or have another number of fields than the head line, and those are left
    out, as long as a line of the file can be read.
    Raises ValueError, with file and line, for anything else that cannot be read.
    """
    read = _READERS.get(suffix(path))
    if read is None:
        raise ValueError(f"{path}: not a format that can be read; there are: {', '.join(FORMATS)}")
    row = None
    for row in read(path, bad):
        yield row
    if row is None:
        raise nothing_usable(bad, path, f"{path}: there is no row in it; copy or download it again")


def _json_lines(path: Path, bad: BadRows | None) -> Iterator[tuple[Place, Record]]:
    for place, line in usable_lines(path, bad):
        if place.line == 1 and line.lstrip().startswith("["):
            if suffix(path) == ".json":
                yield from _json_array(path, bad)
                return
            raise ValueError(f"{place}: {line[:40]} begins an array; a file of one JSON array must be named .json")
        record = parse_row(bad, path, partial(_json_object, place, line))
        if record is not None:
            yield place, record


def _json_object(place: Place, line: str) -> Record:
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
    return record


def _json_array(path: Path, bad: BadRows | None) -> Iterator[tuple[Place, Record]]:
    for number, _, record in elements(path, "item", bad):
        yield Place(path, number), record


def _tsv(path: Path, bad: BadRows | None) -> Iterator[tuple[Place, Record]]:
    head: list[str] | None = None
    for place, line in lines(path):
        if head is None:
            head = line.split("\t")
            _check_head(head, place)
            continue
        row = parse_row(bad, path, partial(split_fields, line, len(head), place))
        if row is not None:
            yield place, _named(head, row)


def _csv(path: Path, bad: BadRows | None) -> Iterator[tuple[Place, Record]]:
    read = 0
    numbered = _whole_lines(path)
    first = next(numbered, None)
    if first is None:  # only line ends
        return
    delimiter = _delimiter(first[1])
    if delimiter != ",":
        log.info("%s: its fields are separated by %s", path, {"\t": "tabs"}.get(delimiter, f"'{delimiter}'"))

    def texts() -> Iterator[str]:
        nonlocal read
        for place, line in chain([first], numbered):
            read = place.line
            yield line

    rows = csv.reader(texts(), delimiter=delimiter, strict=True)
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
            record = parse_row(bad, path, partial(_csv_record, place, head, row, delimiter))
            if record is not None:
                yield place, record


def _csv_record(place: Place, head: list[str], row: list[str], delimiter: str) -> Record:
    if len(row) != len(head):
        mark = {",": "a comma", "\t": "a tab"}.get(delimiter, f"'{delimiter}'")
        raise ValueError(f"{place}: {len(row)} fields instead of {len(head)}; quote fields that hold {mark}")
    return _named(head, row)


def _delimiter(head: str) -> str:
    """What separates the most fields of the head line; a comma if nothing separates more. `csv.Sniffer` guesses from
    the rows too, and takes a letter or a space of the texts for a separator."""
    return max(_DELIMITERS, key=lambda mark: len(next(csv.reader([head], delimiter=mark), ())))


def _named(head: list[str], row: list[str]) -> Record:
    record: Record = dict(zip(head, row, strict=True))
    record.pop("", None)  # the index that pandas writes
    return record


def _whole_lines(path: Path) -> Iterator[tuple[Place, str]]:
    """As `lines`, with line ends and with empty lines, which may be part of a quoted field."""
    expected = 1
    for place, line in lines(path):
        yield from ((Place(path, number), "\n") for number in range(expected, place.line))
        yield place, line + "\n"
        expected = place.line + 1


def _check_head(head: list[str], place: Place) -> None:
    names = head[1:] if head[:1] == [""] else head  # pandas writes its index as a first column without a name
    if not names or len(set(head)) < len(head) or not all(name.strip() for name in names):
        raise ValueError(f"{place}: the head line must name each column once, not {', '.join(head)[:80]}")


def _parquet(path: Path, bad: BadRows | None) -> Iterator[tuple[Place, Record]]:
    number = 0
    try:
        check_content(path)
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
        raise unreadable(path, error) from error


_READERS = {
    ".parquet": _parquet,
    ".jsonl": _json_lines,
    ".json": _json_lines,
    ".csv": _csv,
    ".tsv": _tsv,
}

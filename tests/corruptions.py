"""The usual corruptions of a data file, for the tests of what reads it. Each takes the path of a good file."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

Corruption = Callable[[Path], None]
REMOVED = object()


def missing(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    path.write_bytes(gzip.compress(b"") if path.suffix == ".gz" else b"")


def cut(path: Path) -> None:
    """Its last row ends in the middle."""
    write(path, content(path).rstrip()[:-9])


def cut_bytes(path: Path) -> None:
    """What is on disk ends early; of a gzip or Parquet file that is more than a row."""
    path.write_bytes(path.read_bytes()[:-9])


def not_gzip(path: Path) -> None:
    path.write_bytes(content(path))


def not_utf8(path: Path) -> None:
    """Its second line has a byte that no UTF-8 has."""
    edited = content(path).split(b"\n")
    edited[1] = edited[1][:-3] + b"\xff" + edited[1][-3:]
    write(path, b"\n".join(edited))


def line(number: int, text: str) -> Corruption:
    """Writes another line, counted from 1, in the place of one; a number behind the last appends it."""

    def corrupt(path: Path) -> None:
        edited = content(path).decode().splitlines()
        edited[number - 1 : number] = [text]
        write(path, "\n".join(edited).encode() + b"\n")

    return corrupt


def json_line(number: int, **values: object) -> Corruption:
    """Sets keys of the JSON object in a line, counted from 1; REMOVED takes a key away."""

    def corrupt(path: Path) -> None:
        record = json.loads(content(path).decode().splitlines()[number - 1]) | values
        record = {key: value for key, value in record.items() if value is not REMOVED}
        line(number, json.dumps(record, ensure_ascii=False))(path)

    return corrupt


def repeated(number: int) -> Corruption:
    """Appends a copy of a line, counted from 1."""

    def corrupt(path: Path) -> None:
        lines = content(path).decode().splitlines()
        line(len(lines) + 1, lines[number - 1])(path)

    return corrupt


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def write(path: Path, data: bytes) -> None:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)

"""Reads a list in a JSON document one element at a time; only the current element is in memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import ijson

from babelbatch.progress import reading
from babelbatch.sources.bad_rows import BadRows, parse_row
from babelbatch.sources.lines import Record, check_content, opened

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def elements(path: Path, prefix: str, bad: BadRows | None = None) -> Iterator[tuple[int, str, Record]]:
    """The objects of a list, each with its number in the list, from 1, and its place for messages. The file may be
    gzipped.

    prefix: where the list is: `item` if the document is the list, `data.item` if it is under 'data'.
    bad: collects elements that are no objects, and those are left out.
    Raises ValueError, with the file and the last element read, for anything else that cannot be read and for an empty
    list.
    """
    number = 0
    try:
        if path.stat().st_size == 0:
            raise ValueError(f"{path}: the file is empty; copy or download it again")
        check_content(path)
        with opened(path) as file, reading(path, file):
            if file.read(len(_BYTE_ORDER_MARK)) != _BYTE_ORDER_MARK:
                file.seek(0)
            for number, element in enumerate(ijson.items(file, prefix, use_float=True), start=1):
                place = f"{path}, element {number:,}"
                record = parse_row(bad, path, partial(_object, element, place))
                if record is not None:
                    yield number, place, record
    except ijson.JSONError as error:
        reason = next(iter(str(error).removeprefix("b'").split("\\n")[0].splitlines()), "").rstrip(".")
        if "UTF8" in reason:
            raise ValueError(f"{_after(path, number)}: not valid UTF-8; convert the file to UTF-8") from None
        raise ValueError(
            f"{_after(path, number)}: not valid JSON ({reason}); the file may be cut off: copy or download it again"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{_after(path, number)}: damaged gzip file ({error}); copy or download it again") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from error
    if number == 0:
        where = "under 'data'" if prefix == "data.item" else "in it"
        raise ValueError(f"{path}: there is no list {where}, or it is empty; copy or download the file again")


def _object(element: object, place: str) -> Record:
    if not isinstance(element, dict):
        raise ValueError(f"{place}: {str(element)[:40]} is not an object")
    return element


def _after(path: Path, number: int) -> str:
    return f"{path}, after element {number:,}"

"""Parallel sentences: two aligned files (Moses), one file of two columns (TSV), or a translation memory (TMX)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import zip_longest
from pathlib import Path
from xml.etree import ElementTree

from babelbatch.progress import reading
from babelbatch.sources.bad_rows import BadRows, read_row
from babelbatch.sources.lines import Place, check_content, decoded, opened, raw_lines, split_fields

Pair = tuple[str, str]
"""Two language codes, in the order of the file."""


def aligned(first: Path, second: Path, bad: BadRows | None = None) -> Iterator[tuple[Place, str, str]]:
    """The aligned lines of two files, with the place in the first. bad: collects lines that are not UTF-8, and those
    are left out. Raises ValueError if one file has more lines."""
    for one, other in zip_longest(raw_lines(first), raw_lines(second)):
        if one is None or other is None:
            number, longer, shorter = (other[0], second, first) if one is None else (one[0], first, second)
            raise ValueError(
                f"{Place(longer, number)}: {shorter} ends before it; line n of one file must be the translation of "
                "line n of the other"
            )
        row = read_row(bad, Place(first, one[0]), partial(_aligned_row, first, one, second, other))
        if row is not None:
            yield row


def columns(path: Path, bad: BadRows | None = None) -> Iterator[tuple[Place, str, str]]:
    """The rows of a TSV file with two columns, without head line and quoting. bad: collects lines that are not UTF-8 or
    have another number of fields, and those are left out."""
    for number, raw in raw_lines(path):
        place = Place(path, number)
        row = read_row(bad, place, partial(_row, place, raw))
        if row is not None and row != [""]:
            yield place, row[0], row[1]


def _aligned_row(first: Path, one: tuple[int, bytes], second: Path, other: tuple[int, bytes]) -> tuple[Place, str, str]:
    places = Place(first, one[0]), Place(second, other[0])
    return places[0], decoded(one[1], places[0]), decoded(other[1], places[1])


def _row(place: Place, raw: bytes) -> list[str]:
    line = decoded(raw, place)
    return split_fields(line, 2, place) if line else [""]


def units(path: Path, pair: Pair) -> Iterator[tuple[Place, str, str]]:
    """The translation units of a TMX file (LISA, TMX 1.4b) in both languages, without markup. The place counts units.

    A variant is in a language if its code is that of the language or begins with it: `en-GB` is English. Codes are
    compared without case, and `_` equals `-`. Raises ValueError for damage and if no unit is in both languages.
    """
    number, found = 0, False
    codes: set[str] = set()
    wanted = [language.lower().replace("_", "-") for language in pair]
    try:
        check_content(path)
        with opened(path) as file, reading(path, file):
            body = None
            for event, node in ElementTree.iterparse(file, ("start", "end")):
                if event == "start" and node.tag == "body":
                    body = node
                elif event == "end" and node.tag == "tu":
                    number += 1
                    variants = _variants(node)
                    one, other = map(variants.get, wanted)
                    if one is not None and other is not None:
                        found = True
                        yield Place(path, number), one, other
                    elif not found:
                        codes.update(variants)
                    if body is not None:
                        body.clear()  # or the whole file stays in memory
    except ElementTree.ParseError as error:
        line, column = error.position
        raise ValueError(
            f"{path}, line {line:,}, column {column + 1}: not valid XML ({str(error).partition(':')[0]}); the file may "
            "be cut off: copy or download it again"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{path}, after entry {number:,}: damaged gzip file ({error}); copy or download it again"
        ) from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from error
    if number == 0:
        raise ValueError(f"{path}: no translation unit <tu> in it; copy or download it again")
    if not found:
        raise ValueError(
            f"{path}: no unit is in both {pair[0]} and {pair[1]}, which its name says; there are: "
            f"{', '.join(sorted(codes))}; name it by two of these"
        )


_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def _variants(unit: ElementTree.Element) -> dict[str, str]:
    """Code -> its first text in a unit; also the language that the code begins with -> text."""
    texts: dict[str, str] = {}
    for variant in unit.iter("tuv"):
        code = variant.get(_XML_LANG) or variant.get("lang") or ""
        if (segment := variant.find("seg")) is not None:
            code, text = code.lower().replace("_", "-"), _text(segment)
            texts.setdefault(code, text)
            texts.setdefault(code.partition("-")[0], text)
    return texts


def _text(segment: ElementTree.Element) -> str:
    """The text of a segment with that of <hi> and <sub>, and without formatting codes."""
    parts = [segment.text or ""]
    for inner in segment:
        if inner.tag in {"hi", "sub"}:
            parts.append(_text(inner))
        parts.append(inner.tail or "")
    return "".join(parts)

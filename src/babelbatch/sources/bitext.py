"""Parallel sentences: two aligned files (Moses), one file of two columns (TSV), or a translation memory (TMX)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from xml.etree import ElementTree

from babelbatch.sources.lines import Place, decoded, fields, raw_lines

Pair = tuple[str, str]
"""Two language codes, in the order of the file."""


def aligned(first: Path, second: Path) -> Iterator[tuple[Place, str, str]]:
    """The lines of two files, which are translations of each other. The place is that in the first."""
    for one, other in zip_longest(raw_lines(first), raw_lines(second)):
        if one is None or other is None:
            number, longer, shorter = (other[0], second, first) if one is None else (one[0], first, second)
            raise ValueError(
                f"{Place(longer, number)}: {shorter} ends before it; line n of one file must be the translation of "
                "line n of the other"
            )
        places = Place(first, one[0]), Place(second, other[0])
        yield places[0], decoded(one[1], places[0]), decoded(other[1], places[1])


def columns(path: Path) -> Iterator[tuple[Place, str, str]]:
    """The rows of a TSV file with two columns, no head line and no quoting."""
    for place, (one, other) in fields(path, 2):
        yield place, one, other


def units(path: Path, pair: Pair) -> Iterator[tuple[Place, str, str]]:
    """The translation units of a TMX file (LISA, TMX 1.4b) that are in both languages, without markup.

    A variant is in a language if its code begins with that of the language: `en-GB` is English. The place counts units.
    """
    number = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            body = None
            for event, node in ElementTree.iterparse(file, ("start", "end")):
                if event == "start" and node.tag == "body":
                    body = node
                elif event == "end" and node.tag == "tu":
                    number += 1
                    told = _variants(node)
                    one, other = (told.get(language.lower()) for language in pair)
                    if one is not None and other is not None:
                        yield Place(path, number), one, other
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


_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def _variants(unit: ElementTree.Element) -> dict[str, str]:
    """The first text of a unit in each language."""
    told: dict[str, str] = {}
    for variant in unit.iter("tuv"):
        code = variant.get(_XML_LANG) or variant.get("lang") or ""
        if (segment := variant.find("seg")) is not None:
            told.setdefault(code.lower().split("-")[0], _text(segment))
    return told


def _text(segment: ElementTree.Element) -> str:
    """What is said, without the codes of a format that stand inside it: the text in <hi> and <sub> is said too."""
    parts = [segment.text or ""]
    for inner in segment:
        if inner.tag in {"hi", "sub"}:
            parts.append(_text(inner))
        parts.append(inner.tail or "")
    return "".join(parts)

"""Docstrings of this project, taken apart: prose, and one note for each parameter or field.

A note is `name: what it is`, at the start of a line or of a sentence; one note may serve several names (`k1, b: ...`).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator


def paragraphs(docstring: str | None) -> list[str]:
    """The paragraphs of a docstring, without its indentation."""
    return re.split(r"\n\s*\n", inspect.cleandoc(docstring or "").strip("\n"))


def split_notes(paragraph: str, names: Iterable[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(names, text) of each part of a paragraph, text on one line; the names of the prose before the first note are
    empty."""
    known = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    if not known:
        yield (), one_line(paragraph)
        return
    start = re.compile(rf"(?:^|(?<=[.;:)]\s)|(?<=\n))[ \t]*((?:{known})(?:,\s+(?:{known}))*):\s", re.MULTILINE)
    hits = list(start.finditer(paragraph))
    prose = paragraph[: hits[0].start() if hits else None]
    if prose.strip():
        yield (), one_line(prose)
    for place, hit in enumerate(hits, 1):
        text = paragraph[hit.end() : hits[place].start() if place < len(hits) else None]
        yield tuple(re.split(r",\s+", hit[1])), one_line(text)


def notes(docstring: str | None, names: Iterable[str]) -> dict[str, str]:
    """name -> its first note, for those of `names` that have one."""
    names = list(names)
    found: dict[str, str] = {}
    for part in paragraphs(docstring):
        for noted, text in split_notes(part, names):
            for name in noted:
                found.setdefault(name, text)
    return found


def one_line(text: str) -> str:
    return " ".join(text.split())

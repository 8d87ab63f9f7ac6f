"""Passages of Wikipedia as MIRACL and Mr. TyDi publish them: one JSON object a line, with `docid`, `title`, `text`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babelbatch.sources.lines import Place, Record, records, text_in


@dataclass(frozen=True, slots=True)
class Passage:
    """id: `<article>#<number>`, unique in a language. text: the article's title, a space and the passage."""

    place: Place
    id: str
    text: str


def passages(path: Path) -> Iterator[Passage]:
    """The passages of a file, one at a time.

    ValueError, with the line: damage, a missing key, a value that is no text, an empty id. A passage may be empty in
    the files of Mr. TyDi: the text is "" then. That ids are unique is not checked, there are up to 33 million.
    """
    return (passage_of(record, place) for place, record in records(path))


def passage_of(record: Record, place: Place) -> Passage:
    """The passage that a JSON object describes.

    Title and text are joined by a space, as ir_datasets and mteb do it for both collections, so that numbers compare.
    """
    title, text = (text_in(record, key, place, blank=True) for key in ("title", "text"))
    return Passage(place, text_in(record, "docid", place), f"{title} {text}".strip())

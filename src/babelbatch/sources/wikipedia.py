"""Passages of Wikipedia in the format of MIRACL and Mr. TyDi: a JSON object per line with `docid`, `title`, `text`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babelbatch.sources.lines import Place, Record, text_in
from babelbatch.sources.records import records


@dataclass(frozen=True, slots=True)
class Passage:
    """id: `<article>#<number>`, unique in a language. text: the article's title, a space and the passage."""

    place: Place
    id: str
    text: str


def passages(path: Path) -> Iterator[Passage]:
    """The passages of a file, one at a time.

    A passage of Mr. TyDi may be empty: its text is "". Ids, up to 33 million, are not checked for repetition.
    Raises ValueError, with the line, for damage, a missing key, a value that is no text, and an empty id.
    """
    return (passage_of(record, place) for place, record in records(path))


def passage_of(record: Record, place: Place) -> Passage:
    """The passage in a JSON object.

    A space joins title and text, as in ir_datasets and mteb for both collections, so that scores are comparable.
    """
    title, text = (text_in(record, key, place, blank=True) for key in ("title", "text"))
    return Passage(place, text_in(record, "docid", place), f"{title} {text}".strip())

"""Mr. TyDi 1.1: queries by native speakers in eleven languages, with relevant passages of their language's Wikipedia.

Zhang et al. 2021 (arXiv 2108.08787), derived from TyDi QA. There are two data sets on the hub; a local folder has the
files of both, whose paths do not collide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from babelbatch.sources.hub import Published, locate_files
from babelbatch.sources.lines import Place, Record, list_in, text_in
from babelbatch.sources.records import records
from babelbatch.sources.wikipedia import Passage, passage_of

QUERIES = Published("castorini/mr-tydi", "1d43c80218d06d0ef80f5b172ccabd848b948bc1", "Apache-2.0")
PASSAGES = Published(
    "castorini/mr-tydi-corpus", "3a3aa212bbe94a8cc0dc858710a3dad49d532054", "Apache-2.0, text CC BY-SA"
)

NAMES = {
    "ar": "arabic",
    "bn": "bengali",
    "en": "english",
    "fi": "finnish",
    "id": "indonesian",
    "ja": "japanese",
    "ko": "korean",
    "ru": "russian",
    "sw": "swahili",
    "te": "telugu",
    "th": "thai",
}
"""The publishers' names of the languages."""

Split = Literal["train", "dev", "test"]

COUNTS: dict[str, tuple[int, int, int, int]] = {
    "ar": (12_377, 3_115, 1_081, 2_106_586),
    "bn": (1_713, 440, 111, 304_059),
    "en": (3_547, 878, 744, 32_907_100),
    "fi": (6_561, 1_738, 1_254, 1_908_757),
    "id": (4_902, 1_224, 829, 1_469_399),
    "ja": (3_697, 928, 720, 7_000_027),
    "ko": (1_295, 303, 421, 1_496_126),
    "ru": (5_366, 1_375, 995, 9_597_504),
    "sw": (2_072, 526, 670, 136_689),
    "te": (3_880, 983, 646, 548_224),
    "th": (3_319, 807, 1_190, 568_855),
}
"""Published numbers of queries in train, dev and test, and of passages, by language."""


@dataclass(frozen=True, slots=True)
class Query:
    """positives: relevant passages, in train mostly one. negatives: in train, from the 30 that BM25 ranks first; none
    in dev and test, and where a row has no such key, as in the publishers' own script."""

    place: Place
    id: str
    text: str
    positives: tuple[Passage, ...]
    negatives: tuple[Passage, ...]


def query_files(languages: Sequence[str], split: Split, data_dir: str | None) -> list[Path]:
    """For each language its file of queries, fetched from the hub unless in `data_dir`."""
    patterns = [f"mrtydi-v1.1-{NAMES[language]}/{split}.jsonl.gz" for language in languages]
    return [file for (file,) in locate_files(QUERIES, patterns, data_dir)]


def passage_file(language: str, data_dir: str | None) -> Path:
    """The file of a language's passages, for `wikipedia.passages`."""
    ((file,),) = locate_files(PASSAGES, [f"mrtydi-v1.1-{NAMES[language]}/corpus.jsonl.gz"], data_dir)
    return file


def queries(path: Path) -> Iterator[Query]:
    """The queries of a file, one at a time. Raises ValueError, with the line, for damage, a missing key, a wrong type,
    an empty query, no positive passage, and a repeated id."""
    seen: dict[str, Place] = {}
    for place, record in records(path):
        id_ = text_in(record, "query_id", place)
        if id_ in seen:
            raise ValueError(f"{place}: query id '{id_}' again, after line {seen[id_].line:,}; ids must be unique")
        seen[id_] = place
        positives = _passages(record, "positive_passages", place)
        has_negatives = record.get("negative_passages") is not None
        negatives = _passages(record, "negative_passages", place) if has_negatives else ()
        if not positives:
            raise ValueError(f"{place}: 'positive_passages' is empty; a query needs a passage that answers it")
        yield Query(place, id_, text_in(record, "query", place), positives, negatives)


def _passages(record: Record, key: str, place: Place) -> tuple[Passage, ...]:
    found = []
    for passage in list_in(record, key, place):
        if not isinstance(passage, dict):
            raise ValueError(f"{place}: '{key}' holds {str(passage)[:40]!r}, not an object with docid, title and text")
        found.append(passage_of(passage, place))
    return tuple(found)

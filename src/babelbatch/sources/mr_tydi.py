"""Mr. TyDi 1.1: questions of native speakers in eleven languages, answered by passages of their language's Wikipedia.

Zhang et al. 2021 (arXiv 2108.08787), made of TyDi QA. Two data sets on the hub; a local folder holds the files of both,
which do not collide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from babelbatch.sources.hub import Published, located
from babelbatch.sources.lines import Place, Record, list_in, records, text_in
from babelbatch.sources.wikipedia import Passage, passage_of

QUESTIONS = Published("castorini/mr-tydi", "1d43c80218d06d0ef80f5b172ccabd848b948bc1", "Apache-2.0")
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
"""Published numbers of questions in train, dev and test, and of passages, by language."""


@dataclass(frozen=True, slots=True)
class Question:
    """positives: passages that answer it, in train mostly one. negatives: of train, from the 30 that BM25 ranks first;
    may be none, and are none in dev and test. A row may lack them: the publishers' own script reads it as none."""

    place: Place
    id: str
    text: str
    positives: tuple[Passage, ...]
    negatives: tuple[Passage, ...]


def question_files(languages: Sequence[str], split: Split, data_dir: str | None) -> list[Path]:
    """For each language its file of questions, fetched from the hub unless in `data_dir`."""
    patterns = [f"mrtydi-v1.1-{NAMES[language]}/{split}.jsonl.gz" for language in languages]
    return [file for (file,) in located(QUESTIONS, patterns, data_dir)]


def passage_file(language: str, data_dir: str | None) -> Path:
    """The file of a language's passages, for `wikipedia.passages`."""
    ((file,),) = located(PASSAGES, [f"mrtydi-v1.1-{NAMES[language]}/corpus.jsonl.gz"], data_dir)
    return file


def questions(path: Path) -> Iterator[Question]:
    """The questions of a file, one at a time. ValueError, with the line: damage, a missing key, a value of another
    type, an empty question, no positive passage, an id again."""
    seen: dict[str, Place] = {}
    for place, record in records(path):
        id_ = text_in(record, "query_id", place)
        if id_ in seen:
            raise ValueError(f"{place}: question id '{id_}' again, after line {seen[id_].line:,}; ids must be unique")
        seen[id_] = place
        positives = _passages(record, "positive_passages", place)
        told = record.get("negative_passages") is not None
        negatives = _passages(record, "negative_passages", place) if told else ()
        if not positives:
            raise ValueError(f"{place}: 'positive_passages' is empty; a question needs a passage that answers it")
        yield Question(place, id_, text_in(record, "query", place), positives, negatives)


def _passages(record: Record, key: str, place: Place) -> tuple[Passage, ...]:
    found = []
    for passage in list_in(record, key, place):
        if not isinstance(passage, dict):
            raise ValueError(f"{place}: '{key}' holds {str(passage)[:40]!r}, not an object with docid, title and text")
        found.append(passage_of(passage, place))
    return tuple(found)

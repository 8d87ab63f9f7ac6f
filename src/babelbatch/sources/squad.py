"""The SQuAD format: a question, its context, and the positions of its answers in the context (Rajpurkar et al. 2016).

SQuAD, SQuADShifts, XQuAD, MLQA, TyDi QA GoldP and the translations of SQuAD are published in it: as nested JSON
(articles of paragraphs of questions) on their own pages, and as flat rows (Parquet) on the Hugging Face hub.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from babelbatch.sources.bad_rows import BadRows, nothing_usable, parse_row
from babelbatch.sources.documents import elements
from babelbatch.sources.hub import Published
from babelbatch.sources.lines import Place, Record, id_in, list_in, suffix, text_in, text_of
from babelbatch.sources.records import records

MLQA = Published("facebook/mlqa", "refs/pr/5", "CC BY-SA 3.0")
"""A conversion to Parquet proposed by the hub's staff; the main branch has only a script. It contains MLQA and the
translations of SQuAD."""


@dataclass(frozen=True, slots=True)
class Answer:
    """text: as published. start: its first character in the context; None if the context has another text there, as
    in many translations, whose answers were translated separately or located automatically."""

    text: str
    start: int | None


@dataclass(frozen=True, slots=True)
class Example:
    """One question. place: for messages. answers: none if the context does not answer it."""

    place: Place
    id: str
    question: str
    context: str
    answers: tuple[Answer, ...]


def examples(path: Path, *, blank: bool = False, bad: BadRows | None = None) -> Iterator[Example]:
    """The questions of a file, one at a time: `.json` is nested, anything else has flat rows (`records.records`).

    Flat rows have `id`, `question`, `context` and `answers`, a mapping of the lists `text` and `answer_start`.
    The questions of a nested file are numbered from 1. Ids are not checked for repetition.
    bad: collects questions, and paragraphs and articles without questions, with a missing value, a wrong type and,
        without `blank`, a blank question or context; those are left out, as long as a question of the file can be used.
    Raises ValueError, with the place, for damage and, without `bad`, for such questions.
    """
    example = None
    for place, row, paragraph in _nested(path, bad) if suffix(path) == ".json" else _flat(path, bad):
        read = parse_row(bad, path, partial(_example, place, row, paragraph, blank))
        if read is not None:
            example = read
            yield example
    if example is None:
        raise nothing_usable(bad, path, f"{path}: no question in it; copy or download it again")


def _example(place: Place, row: Record, paragraph: Record, blank: bool) -> Example:
    question = text_in(row, "question", place, blank=blank)
    context = text_in(paragraph, "context", place, blank=blank)
    return Example(place, id_in(row, "id", place), question, context, _answers(row, context, place))


def _flat(path: Path, bad: BadRows | None) -> Iterator[tuple[Place, Record, Record]]:
    yield from ((place, row, row) for place, row in records(path, bad))


def _nested(path: Path, bad: BadRows | None) -> Iterator[tuple[Place, Record, Record]]:
    """The place of each question, the question, and its paragraph. Questions that are left out count, too."""
    number = 0
    for _, where, article in elements(path, "data.item", bad):
        for paragraph in parse_row(bad, path, partial(_objects, article, "paragraphs", where)) or ():
            questions = parse_row(bad, path, partial(_questions, paragraph, where))
            if questions is None:
                left_out = paragraph.get("qas")
                number += len(left_out) if isinstance(left_out, list) else 0
                continue
            for question in questions:
                number += 1
                yield Place(path, number), question, paragraph


def _questions(paragraph: Record, where: object) -> list[Record]:
    if "context" not in paragraph:
        raise ValueError(f"{where}: a paragraph has no 'context'; there are: {', '.join(paragraph)}")
    return _objects(paragraph, "qas", where)


def _objects(record: Record, key: str, where: object) -> list[Record]:
    """The list of objects under a key."""
    values = record.get(key)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        found = json.dumps(values, default=str, ensure_ascii=False)[:40] if key in record else "missing"
        raise ValueError(f"{where}: '{key}' is {found}, not a list of objects")
    return values


def _answers(row: Record, context: str, place: Place) -> tuple[Answer, ...]:
    if isinstance(flat := row.get("answers"), dict):
        texts, starts = list_in(flat, "text", place), list_in(flat, "answer_start", place)
        if len(texts) != len(starts):
            raise ValueError(f"{place}: {len(texts)} texts of answers, but {len(starts)} of 'answer_start'")
        pairs: Iterator[tuple[object, object]] = zip(texts, starts, strict=True)
    else:
        pairs = ((answer.get("text"), answer.get("answer_start")) for answer in _objects(row, "answers", place))
    return tuple(_answer(text, start, context, place) for text, start in pairs)


def _answer(value: object, start: object, context: str, place: Place) -> Answer:
    text = text_of(value, "the text of an answer", place, blank=True)
    if not isinstance(start, int) or isinstance(start, bool):
        raise ValueError(f"{place}: 'answer_start' is {json.dumps(start, default=str)[:40]}, not a whole number")
    return Answer(text, start if text and start >= 0 and context.startswith(text, start) else None)

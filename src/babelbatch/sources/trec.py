"""Queries, candidates and judgements in the file formats of TREC and MS MARCO: no head line, fields in fixed order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from babelbatch.sources.beir import Judgement, Text, number
from babelbatch.sources.lines import fields, lines, text_of


def queries(path: Path) -> Iterator[Text]:
    """The queries in lines `id<tab>query`. Raises ValueError, with the line, for damage and missing or empty fields."""
    for place, (id_, text) in fields(path, 2):
        yield Text(place, text_of(id_, "the id", place), None, text_of(text, "the query", place))


def candidates(path: Path) -> Iterator[Text]:
    """The candidates in lines `id<tab>text` or `id<tab>title<tab>text`: title, space and text are joined. Raises
    ValueError as `queries`."""
    for place, (id_, *texts) in fields(path, None):
        if len(texts) not in (1, 2):
            raise ValueError(f"{place}: {len(texts) + 1} fields; there are id and text, or id, title and text")
        text = text_of(" ".join(texts).strip(), "the text", place)
        yield Text(place, text_of(id_, "the id", place), None, text)


def judgements(path: Path) -> Iterator[Judgement]:
    """The judgements in lines `query 0 candidate score`, separated by spaces or tabs. Raises ValueError, with the line,
    for damage, another number of fields and a score that is no number."""
    for place, line in lines(path):
        parts = line.split()
        if len(parts) != 4:
            raise ValueError(f"{place}: {len(parts)} fields instead of 4 (query 0 candidate score); it may be cut")
        query, _, candidate, score = parts
        yield Judgement(place, query, candidate, number(score, place))

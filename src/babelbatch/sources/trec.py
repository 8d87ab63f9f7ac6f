"""Queries, candidates and judgements in the files that TREC and MS MARCO use: no head line, fields by their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from babelbatch.sources.beir import Judgement, Text, number
from babelbatch.sources.lines import fields, lines, text_of


def queries(path: Path) -> Iterator[Text]:
    """Of lines `id<tab>query`. ValueError, with the line: damage, another number of fields, an empty one."""
    for place, (id_, text) in fields(path, 2):
        yield Text(place, text_of(id_, "the id", place), None, text_of(text, "the query", place))


def candidates(path: Path) -> Iterator[Text]:
    """Of lines `id<tab>text` or `id<tab>title<tab>text`: a title is put before the text, with a space. ValueError as
    for queries."""
    for place, (id_, *texts) in fields(path, None):
        if len(texts) not in (1, 2):
            raise ValueError(f"{place}: {len(texts) + 1} fields; there are id and text, or id, title and text")
        text = text_of(" ".join(texts).strip(), "the text", place)
        yield Text(place, text_of(id_, "the id", place), None, text)


def judgements(path: Path) -> Iterator[Judgement]:
    """Of lines `query 0 candidate score`, by spaces or tabs. ValueError, with the line: damage, another number of
    fields, a score that is no number."""
    for place, line in lines(path):
        parts = line.split()
        if len(parts) != 4:
            raise ValueError(f"{place}: {len(parts)} fields instead of 4 (query 0 candidate score); it may be cut")
        query, _, candidate, score = parts
        yield Judgement(place, query, candidate, number(score, place))

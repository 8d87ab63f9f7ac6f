"""Queries, candidates and judgements in the file formats of TREC and MS MARCO: no head line, fields in fixed order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from babelbatch.sources.bad_rows import BadRows, parse_row, read_row, usable_lines
from babelbatch.sources.beir import Judgement, Text, number
from babelbatch.sources.lines import Place, split_fields, text_of

LONGEST_LINE = 65_536
"""In bytes, of judgements and ranked lists."""
BEIR_HEADER = ["query-id", "corpus-id", "score"]


def queries(path: Path, bad: BadRows | None = None) -> Iterator[Text]:
    """The queries in lines `id<tab>query`. bad: collects lines with an empty field, another number of fields or other
    bytes than UTF-8, and those are left out. Raises ValueError, with the line, for damage and, without `bad`, for such
    lines."""
    for place, (id_, text) in _fields(path, 2, bad):
        row = read_row(bad, place, partial(_text, place, id_, text, "the query"))
        if row is not None:
            yield row


def candidates(path: Path, bad: BadRows | None = None) -> Iterator[Text]:
    """The candidates in lines `id<tab>text` or `id<tab>title<tab>text`: title, space and text are joined. bad, and what
    is raised: as `queries`."""
    for place, (id_, *texts) in _fields(path, None, bad):
        if len(texts) not in (1, 2):
            raise ValueError(f"{place}: {len(texts) + 1} fields; there are id and text, or id, title and text")
        row = read_row(bad, place, partial(_text, place, id_, " ".join(texts).strip(), "the text"))
        if row is not None:
            yield row


def judgements(path: Path, bad: BadRows | None = None) -> Iterator[Judgement]:
    """The judgements in lines `query 0 candidate score`, separated by spaces or tabs, or below the header `query-id
    corpus-id score` in lines of these three, as BEIR and mteb publish them. bad: collects lines with another number of
    fields or a score that is no number, and those are left out."""
    fields_of_line: tuple[str, ...] = ("query", "0", "candidate", "score")
    for row_number, (place, line) in enumerate(usable_lines(path, bad, LONGEST_LINE)):
        if row_number == 0 and line.split() == BEIR_HEADER:
            fields_of_line = ("query", "candidate", "score")
            continue
        if not line.strip():
            continue
        row = read_row(bad, place, partial(_judgement, place, line, fields_of_line))
        if row is not None:
            yield row


def _fields(path: Path, columns: int | None, bad: BadRows | None) -> Iterator[tuple[Place, list[str]]]:
    """As `lines.fields`, but for the lines that `bad` collects."""
    for place, line in usable_lines(path, bad):
        columns = columns or line.count("\t") + 1
        row = parse_row(bad, path, partial(split_fields, line, columns, place))
        if row is not None:
            yield place, row


def _text(place: Place, id_: str, text: str, what: str) -> Text:
    return Text(place, text_of(id_, "the id", place), None, text_of(text, what, place))


def _judgement(place: Place, line: str, expected: tuple[str, ...]) -> Judgement:
    parts = line.split()
    if len(parts) != len(expected):
        raise ValueError(
            f"{place}: {len(parts)} fields instead of {len(expected)} ({' '.join(expected)}); it may be cut"
        )
    return Judgement(place, parts[0], parts[-2], number(parts[-1], place))

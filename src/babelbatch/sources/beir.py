"""Queries, candidates and judgements in files with named columns: the layout of BEIR (Thakur et al. 2021, arXiv
2104.08663), which mteb publishes on the hub as Parquet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from babelbatch.sources.bad_rows import BadRows, read_row
from babelbatch.sources.lines import MissingColumn, Place, Record, id_in, text_in
from babelbatch.sources.records import records

COLUMNS: dict[str, tuple[str, ...]] = {
    "query_id": ("_id", "id"),
    "query": ("text",),
    "candidate_id": ("_id", "id"),
    "title": ("title",),
    "candidate": ("text",),
    "language": ("language", "lang"),
    "cluster": ("cluster",),
    "judged_query": ("query-id",),
    "judged_candidate": ("corpus-id",),
    "score": ("score",),
}
"""Role -> the columns to look for. Title, language and cluster are optional."""

_OPTIONAL = ("title", "language", "cluster")

Columns = Mapping[str, str]
"""Role of `COLUMNS` -> the name of its column, where it is another one."""


@dataclass(frozen=True, slots=True)
class Text:
    """A query or a candidate. language: None if its row has none. cluster: the article or subject of a query."""

    place: Place
    id: str
    language: str | None
    text: str
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """query, candidate: ids. gain: above 0 is relevant."""

    place: Place
    query: str
    candidate: str
    gain: float


def check_columns(columns: Columns | None) -> Columns:
    """`columns`, or none. Raises ValueError for an unknown role."""
    for role in columns or {}:
        if role not in COLUMNS:
            raise ValueError(f"columns.{role}: no such column; there are: {', '.join(COLUMNS)}")
    return columns or {}


def queries(path: Path, columns: Columns, bad: BadRows | None = None) -> Iterator[Text]:
    """The queries of a file. bad: collects rows with a missing value, a wrong type or an empty text, and what is no
    row, as in `records`; those are left out. Raises ValueError, with the line, for damage, a missing column, and,
    without `bad`, for such rows."""
    yield from _rows(path, partial(_query, columns=columns), bad)


def candidates(path: Path, columns: Columns, bad: BadRows | None = None, blank: bool = False) -> Iterator[Text]:
    """The candidates of a file. Their text is the title, if any, a space and the text, as BEIR and mteb encode it.

    blank: whether both may be empty. bad, and what is raised: as `queries`.
    """
    yield from _rows(path, partial(_candidate, columns=columns, blank=blank), bad)


def judgements(path: Path, columns: Columns, bad: BadRows | None = None) -> Iterator[Judgement]:
    """The judgements of a file, with a finite number as score. bad, and what is raised: as `queries`."""
    yield from _rows(path, partial(_judgement, columns=columns), bad)


Row = TypeVar("Row", Text, Judgement)


def _rows(path: Path, read: Callable[[Record, Place], Row], bad: BadRows | None) -> Iterator[Row]:
    for place, record in records(path, bad):
        row = read_row(bad, place, partial(read, record, place))
        if row is not None:
            yield row


def _query(record: Record, place: Place, columns: Columns) -> Text:
    return Text(
        place,
        _id(record, "query_id", columns, place),
        _language(record, columns, place),
        text_in(record, _required(record, "query", columns, place), place),
        _cluster(record, columns, place),
    )


def _candidate(record: Record, place: Place, columns: Columns, blank: bool) -> Text:
    id_ = _id(record, "candidate_id", columns, place)
    name, title = _required(record, "candidate", columns, place), _name(record, "title", columns, place)
    text = text_in(record, name, place, blank=True).strip()
    if title is not None and record[title] is not None:
        text = f"{text_in(record, title, place, blank=True).strip()} {text}".strip()
    if not (text or blank):
        raise ValueError(f"{place}: '{name}' is empty; write it, or remove the row")
    return Text(place, id_, _language(record, columns, place), text)


def _judgement(record: Record, place: Place, columns: Columns) -> Judgement:
    query, candidate = (_id(record, role, columns, place) for role in ("judged_query", "judged_candidate"))
    return Judgement(place, query, candidate, number(record[_required(record, "score", columns, place)], place))


def number(value: object, place: Place) -> float:
    """A score. Raises ValueError if it is no finite number."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{place}: the score {str(value)[:20]!r} is not a number")
    return found


def _name(record: Record, role: str, columns: Columns, place: Place) -> str | None:
    names = (columns[role],) if role in columns else COLUMNS[role]
    for name in names:
        if name in record:
            return name
    if role in _OPTIONAL and role not in columns:
        return None
    raise MissingColumn(
        f"{place}: no '{names[0]}'; there are: {', '.join(map(str, record))}; name the right one in columns.{role}"
    )


def _required(record: Record, role: str, columns: Columns, place: Place) -> str:
    """The name of a column that must exist. Raises ValueError if it does not."""
    name = _name(record, role, columns, place)
    assert name is not None, f"{role} is optional"
    return name


def _id(record: Record, role: str, columns: Columns, place: Place) -> str:
    return id_in(record, _required(record, role, columns, place), place)


def _language(record: Record, columns: Columns, place: Place) -> str | None:
    name = _name(record, "language", columns, place)
    return None if name is None else text_in(record, name, place)


def _cluster(record: Record, columns: Columns, place: Place) -> str | None:
    name = _name(record, "cluster", columns, place)
    return None if name is None or record[name] in (None, "") else id_in(record, name, place)

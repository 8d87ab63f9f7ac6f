"""Adds files of queries, candidates and judgements to a benchmark; used by the table and the tasks of mteb."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.records import LanguageCodes
from babelbatch.sources.bad_rows import BadRows, read_row
from babelbatch.sources.beir import Judgement, Text
from babelbatch.sources.lines import MissingColumn
from babelbatch.sources.mteb import Files


@dataclass(frozen=True, slots=True)
class Readers:
    """A reader for the files of each role."""

    queries: Callable[[Path], Iterator[Text]]
    candidates: Callable[[Path], Iterator[Text]]
    judgements: Callable[[Path], Iterator[Judgement]]


@dataclass(frozen=True, slots=True)
class Part:
    """Files that belong together.

    language: of all rows, even of those with another one; None: each row has its own.
    default_language: of rows without a language. None: each must have one.
    query_prefix, candidate_prefix: put before the ids, where other parts may use the same ids for other texts.
    """

    files: Files
    language: str | None = None
    query_prefix: str = ""
    candidate_prefix: str = ""
    default_language: str | None = None


def add(
    assembly: PoolAssembly,
    part: Part,
    read: Readers,
    codes: LanguageCodes | None = None,
    bad: BadRows | None = None,
) -> tuple[int, int]:
    """Adds the files of a part to an assembly and returns the numbers of judged queries and of candidates.

    codes: turns the codes of own data into canonical ones; None leaves those of published data as they are.
    bad: collects the rows that the assembly refuses, and those without a language.

    Raises ValueError, with file and line, as the readers do, and, without `bad`, for such rows.
    """
    query_ids: set[str] = set()
    judged: set[str] = set()
    candidates = 0

    def add_query(row: Text) -> None:
        language = _language(row, part, codes)
        assembly.query(row.id, language, row.text, row.place, row.cluster, part.query_prefix)
        query_ids.add(row.id)

    def add_candidate(row: Text) -> None:
        nonlocal candidates
        assembly.candidate(row.id, _language(row, part, codes), row.text, row.place, part.candidate_prefix)
        candidates += 1

    def add_judgement(row: Judgement) -> None:
        query, candidate = f"{part.query_prefix}{row.query}", f"{part.candidate_prefix}{row.candidate}"
        language = part.language
        if language is not None and codes is not None:
            language = codes(language, row.place)
        assembly.judgement(query, candidate, row.gain, row.place, language)
        judged.add(row.query)

    for path in part.files.queries:
        for row in read.queries(path):
            read_row(bad, row.place, partial(add_query, row))
    for path in part.files.candidates:
        for row in read.candidates(path):
            read_row(bad, row.place, partial(add_candidate, row))
    for path in part.files.judgements:
        for judgement in read.judgements(path):
            read_row(bad, judgement.place, partial(add_judgement, judgement))
    return len(query_ids & judged), candidates


def _language(row: Text, part: Part, codes: LanguageCodes | None) -> str:
    language = part.language or row.language or part.default_language
    if language is None:
        raise MissingColumn(
            f"{row.place}: it has no language; add a column 'language', name yours in columns.language, or set "
            "language=en if all is in one"
        )
    return language if codes is None else codes(language, row.place)

"""From files of queries, candidates and judgements to a benchmark: what the table and the tasks of mteb share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.sources.beir import Judgement, Text
from babelbatch.sources.mteb import Files


@dataclass(frozen=True, slots=True)
class Readers:
    """What reads a file of each role."""

    queries: Callable[[Path], Iterator[Text]]
    candidates: Callable[[Path], Iterator[Text]]
    judgements: Callable[[Path], Iterator[Judgement]]


@dataclass(frozen=True, slots=True)
class Part:
    """Files that belong together. language: of all that is in them, whatever a row says; None where each row says it.

    otherwise: the language of the rows that do not say theirs. None: each must.
    query_prefix, candidate_prefix: put before the ids, where other parts may have the same ones for something else.
    """

    files: Files
    language: str | None = None
    query_prefix: str = ""
    candidate_prefix: str = ""
    otherwise: str | None = None


def add(assembly: PoolAssembly, part: Part, read: Readers) -> tuple[int, int]:
    """Puts the files of a part into an assembly. How many judged queries there were, and how many candidates.

    ValueError, with file and line: as the readers and the assembly; a row of which nobody knows the language.
    """
    asked: set[str] = set()
    judged: set[str] = set()
    candidates = 0
    for path in part.files.queries:
        for row in read.queries(path):
            language = _language(row, part)
            assembly.query(f"{part.query_prefix}{row.id}", language, row.text, row.place, row.cluster)
            asked.add(row.id)
    for path in part.files.candidates:
        for row in read.candidates(path):
            assembly.candidate(f"{part.candidate_prefix}{row.id}", _language(row, part), row.text, row.place)
            candidates += 1
    for path in part.files.judgements:
        for judged_pair in read.judgements(path):
            query = f"{part.query_prefix}{judged_pair.query}"
            candidate = f"{part.candidate_prefix}{judged_pair.candidate}"
            assembly.judgement(query, candidate, judged_pair.gain, judged_pair.place)
            judged.add(judged_pair.query)
    return len(asked & judged), candidates


def _language(row: Text, part: Part) -> str:
    language = part.language or row.language or part.otherwise
    if language is None:
        raise ValueError(
            f"{row.place}: nothing says its language; add a column 'language', name yours in columns.language, or set "
            "language=en if all is in one"
        )
    return language

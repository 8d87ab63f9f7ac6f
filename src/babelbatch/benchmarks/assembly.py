"""Builds a benchmark on disk from queries, candidates and judgements in any order.

Candidates are written to disk at once; some thirty bytes each stay in memory, and so do queries and judgements. Ids are
compared by 128-bit BLAKE2 hashes.
"""

from __future__ import annotations

import json
import logging
from array import array
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babelbatch.benchmarks.clusters import joined_clusters
from babelbatch.benchmarks.stored import (
    CANDIDATE_IDS,
    CANDIDATES,
    CLUSTERS,
    EXCLUDED,
    MISSING,
    QUERIES,
    QUERY_IDS,
)
from babelbatch.records import ABSENT, escaped, same_id
from babelbatch.sources.bad_rows import BadRows
from babelbatch.sources.lines import Place
from babelbatch.storage import Texts, TextWriter, abandon_build, select_texts, text_hash

log = logging.getLogger(__name__)

_UNUSUAL = 100_000  # ids to compare, which stay in memory
_COMPARED = 1_000  # queries whose text is compared with that of the candidate of their id


_Missing = tuple[str, float, str | None]
"""The id of a candidate, its gain, and the language in which it was judged if that is known."""


class PoolAssembly:
    """Takes rows one at a time; `finish` writes the files of a stored benchmark (`stored.stored_benchmark`).

    Use it in a `with` block, which closes and removes its files if a row is refused.
    folder: of the files; those of an interrupted assembly are overwritten. bad: collects rows that contradict others,
    and those are left out; without it they are refused. exclude_same_id: whether a candidate with the id of a query is
    not ranked for it.
    """

    def __init__(self, folder: Path, bad: BadRows | None = None, exclude_same_id: bool = False) -> None:
        self._folder = folder
        self._bad, self._exclude_same_id = bad, exclude_same_id
        self._unusual: dict[str, str] = {}  # candidate id in its plain form -> as it is
        self._missing: dict[str, list[_Missing]] = {}  # query -> unknown relevant candidates
        self._ids, self._texts = TextWriter(folder / CANDIDATE_IDS), TextWriter(folder / CANDIDATES)
        self._hashes, self._checks = array("Q"), array("Q")
        self._lines, self._files, self._languages = array("q"), array("H"), array("H")
        self._paths: dict[Path, int] = {}
        self._codes: dict[str, int] = {}
        self._queries: dict[tuple[str, str], tuple[str, Place]] = {}
        self._clusters: dict[tuple[str, str], Hashable] = {}
        self._judgements: dict[tuple[str, str], tuple[float, Place]] = {}
        self._judged_in: dict[tuple[str, str], str] = {}  # the language of a judgement, where it is known
        self._unprefixed: dict[tuple[str, str], str] = {}  # a query's id in its file, where another one is used
        self._prefixes: dict[str, set[str]] = {}  # language -> what its candidates have before their ids

    def __enter__(self) -> PoolAssembly:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            abandon_build((self._ids, self._texts), self._folder)

    def candidate(self, id_: str, language: str, text: str, place: Place, prefix: str = "") -> None:
        """Adds a candidate. Ids are distinct over all languages, with the prefix before them. A text may be empty."""
        self._prefixes.setdefault(language, set()).add(prefix)
        id_ = f"{prefix}{id_}"
        self._ids.append(id_)
        self._texts.append(text)
        if not _is_usual(id_) and len(self._unusual) < _UNUSUAL:
            self._unusual.setdefault(same_id(id_), id_)
        hash_, check = text_hash(id_)
        self._hashes.append(hash_)
        self._checks.append(check)
        self._lines.append(place.line)
        self._files.append(self._paths.setdefault(place.path, len(self._paths)))
        self._languages.append(self._codes.setdefault(language, len(self._codes)))

    def query(
        self, id_: str, language: str, text: str, place: Place, cluster: Hashable | None = None, prefix: str = ""
    ) -> None:
        """Adds a query in a language. The same id in another language is the same query, with the same judgements.

        cluster: its article, document or subject; queries with equal clusters are not independent. None: no other query
            shares it. prefix: before the id; a candidate with the id itself is the query's own.
        Raises ValueError if the query has been added in this language.
        """
        if prefix:
            self._unprefixed[f"{prefix}{id_}", language] = id_
            id_ = f"{prefix}{id_}"
        if (id_, language) in self._queries:
            raise ValueError(
                f"{place}: query '{id_}' in '{language}' again, after {self._queries[id_, language][1]}; remove one"
            )
        self._queries[id_, language] = (text, place)
        if cluster is not None:
            self._clusters[id_, language] = cluster

    def judgement(self, query: str, candidate: str, gain: float, place: Place, language: str | None = None) -> None:
        """Adds the gain of a candidate for a query. At 0 or below it is not relevant, as without a judgement; such a
        judgement may name an unknown candidate.

        language: in which it was judged, if that is known: within others a candidate that is unknown is not missing.
        Raises ValueError if the pair has been judged.
        """
        if (query, candidate) in self._judgements:
            raise ValueError(
                f"{place}: query '{query}' and candidate '{candidate}' are judged again, after "
                f"{self._judgements[query, candidate][1]}; remove one"
            )
        self._judgements[query, candidate] = (gain, place)
        if language is not None:
            self._judged_in[query, candidate] = language

    def finish(self, languages: Sequence[str] | None = None) -> list[str]:
        """Writes texts and tables, and returns the languages.

        languages: those to write, in this order; default all, sorted. Queries without a relevant candidate in them are
            skipped, and logged as a number.
        Candidates are grouped by language, in the order in which they were added; so are queries.
        A relevant candidate that is unknown is `Benchmark.missing`, where such rows are left out.
        Raises ValueError, with the place, for a repeated candidate id, a judgement of an unknown query or candidate,
        and if no query remains.
        """
        self._ids.close()
        self._texts.close()
        selected = self._select(languages)
        old_rows, repeated = self._relevant()
        if self._bad is not None:
            self._bad.refuse()
            self._bad.save(self._folder)

        codes = np.full(len(self._codes), -1, np.int16)
        for language, code in self._codes.items():
            codes[code] = selected.index(language) if language in selected else -1
        codes = codes[np.asarray(self._languages)]
        codes[repeated] = -1
        order = np.argsort(codes, kind="stable")
        order = order[np.count_nonzero(codes < 0) :]
        new_row = np.full(len(codes), -1, np.int64)
        new_row[order] = np.arange(len(order))
        select_texts(self._folder / CANDIDATE_IDS, order)
        select_texts(self._folder / CANDIDATES, order)
        self._save("candidate_languages", codes[order])

        of_id = {
            query: sorted((int(new_row[old]), gain) for old, gain in found if new_row[old] >= 0)
            for query, found in old_rows
        }
        queries = [(selected.index(language), id_) for id_, language in self._queries if language in selected]
        answers = {(code, id_): of_id[id_] for code, id_ in queries if id_ in of_id}
        own = {
            (selected.index(language), id_): row
            for (id_, language), row in self._own_candidates(new_row).items()
            if language in selected
        }
        missing = {(code, id_): self._missing_for(id_, selected) for code, id_ in queries}
        if self._exclude_same_id:
            self._leave_out_own(answers, own, missing, codes[order])
        answered = sorted((query for query in queries if answers.get(query)), key=lambda query: query[0])
        if not answered:
            raise ValueError(f"no query has a relevant candidate ({len(queries):,} queries, {len(order):,} candidates)")
        if len(answered) < len(queries):
            log.info("%d of %d queries are skipped: no relevant candidate", len(queries) - len(answered), len(queries))
        ids, texts = TextWriter(self._folder / QUERY_IDS), TextWriter(self._folder / QUERIES)
        for code, id_ in answered:
            ids.append(id_)
            texts.append(self._queries[id_, selected[code]][0])
        for writer, file in ((ids, QUERY_IDS), (texts, QUERIES)):
            writer.close()
            select_texts(self._folder / file)
        found = [pair for query in answered for pair in answers[query]]
        self._save("query_languages", np.array([code for code, _ in answered], np.int16))
        self._save("relevant_offsets", np.cumsum([0, *(len(answers[query]) for query in answered)]))
        self._save("relevant", np.array([row for row, _ in found], np.int64))
        self._save("gains", np.array([gain for _, gain in found], np.float64))
        self._save_missing([(code, missing[code, id_]) for code, id_ in answered])
        rows_of_own = [own.get(query, ABSENT) for query in answered]
        if self._exclude_same_id:
            if set(rows_of_own) == {ABSENT}:
                raise ValueError(
                    "exclude_same_id: no candidate has the id of a query, so it would exclude nothing; give a query "
                    "the id of its own candidate, or leave it out"
                )
            self._save(EXCLUDED, np.array(rows_of_own, np.int64))
        else:
            judged = [{row for row, _ in answers[query]} for query in answered]
            self._suggest_excluding([ABSENT if row in of else row for row, of in zip(rows_of_own, judged, strict=True)])
        if self._clusters:
            sources = [self._clusters.get((id_, selected[code]), ("query", id_)) for code, id_ in answered]
            self._save(CLUSTERS, joined_clusters([id_ for _, id_ in answered], sources))
        return selected

    def _select(self, languages: Sequence[str] | None) -> list[str]:
        available = sorted({*self._codes, *(language for _, language in self._queries)})
        if languages is not None and (not languages or len(set(languages)) < len(languages)):
            raise ValueError(f"languages: {list(languages)} names no language, or one twice; name each once")
        for language in languages or []:
            if language not in available:
                raise ValueError(f"languages: there is nothing in '{language}'; there are: {', '.join(available)}")
        return available if languages is None else list(languages)

    def _relevant(self) -> tuple[list[tuple[str, list[tuple[int, float]]]], NDArray[np.int64]]:
        """(query, its relevant candidates in the order in which they were added, with their gains), and the rows of
        candidates whose id an earlier one has."""
        hashes, checks = np.asarray(self._hashes), np.asarray(self._checks)
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        again = np.flatnonzero(np.diff(hashes) == 0)
        assert (checks[order[again]] == checks[order[again + 1]]).all(), "two ids agree in 64 bits of their hashes"
        repeated = order[again + 1]
        if len(again):
            start = np.searchsorted(hashes, hashes[again])
            if self._bad is None:
                first, second = order[start[0]], repeated[0]
                raise ValueError(
                    f"{self._place(second)}: a candidate with the id of the one at {self._place(first)} "
                    f"({len(again):,} such); ids must be unique"
                )
            for at in np.argsort(repeated):
                first, second = order[start[at]], repeated[at]
                self._bad.add(
                    f"{self._place(second)}: a candidate with the id of the one at {self._place(first)}; ids must be "
                    "unique"
                )
        ids = {id_ for id_, _ in self._queries}
        found: dict[str, list[tuple[int, float]]] = {}
        for (query, candidate), (gain, place) in self._judgements.items():
            if gain <= 0:
                continue
            if query not in ids:
                self._refuse(
                    f"{place}: there is no query '{query}'{self._looks_like_query(query)}; add it, or remove the row"
                )
                continue
            hash_, check = text_hash(candidate)
            at = int(np.searchsorted(hashes, np.uint64(hash_)))
            if at == len(hashes) or (hashes[at], checks[order[at]]) != (hash_, check):
                plain = text_hash(same_id(candidate))[0]
                known = not _is_usual(candidate) and np.uint64(plain) in hashes
                other = self._unusual.get(same_id(candidate), same_id(candidate) if known else None)
                alike = _looks_like(candidate, other)
                self._refuse(f"{place}: there is no candidate '{candidate}'{alike}; add it, or remove the row")
                language = self._judged_in.get((query, candidate))
                self._missing.setdefault(query, []).append((candidate, gain, language))
                continue
            found.setdefault(query, []).append((int(order[at]), gain))
        return list(found.items()), repeated

    def _refuse(self, message: str) -> None:
        if self._bad is None:
            raise ValueError(message)
        self._bad.add(message)

    def _looks_like_query(self, id_: str) -> str:
        if _is_usual(id_):
            return ""
        plain = same_id(id_)
        return _looks_like(id_, next((other for other, _ in self._queries if same_id(other) == plain), None))

    def _own_candidates(self, new_row: NDArray[np.int64]) -> dict[tuple[str, str], int]:
        """(query id, language) -> the row of the candidate with the query's id in the files: before it the candidate
        may have what other candidates of the query's language have, or nothing."""
        some_without = any("" in prefixes for prefixes in self._prefixes.values())
        names = [
            (query, text_hash(f"{prefix}{self._unprefixed.get(query, query[0])}")[0])
            for query in self._queries
            for prefix in sorted({*self._prefixes.get(query[1], ()), *([""] if some_without else [])})
        ]
        wanted = np.unique(np.array([hash_ for _, hash_ in names], np.uint64))
        hashes = np.asarray(self._hashes)
        places = np.minimum(np.searchsorted(wanted, hashes), max(len(wanted) - 1, 0))
        rows = np.flatnonzero(wanted[places] == hashes) if len(wanted) else np.zeros(0, np.int64)
        row_of = {int(hashes[row]): int(new_row[row]) for row in rows if new_row[row] >= 0}
        return {query: row_of[hash_] for query, hash_ in names if hash_ in row_of}

    def _missing_for(self, id_: str, selected: Sequence[str]) -> list[tuple[str, float, int]]:
        """The unknown relevant candidates of a query, with the numbers of the languages in which they were judged."""
        return [
            (candidate, gain, ABSENT if language is None else selected.index(language))
            for candidate, gain, language in self._missing.get(id_, ())
            if language is None or language in selected
        ]

    def _leave_out_own(
        self,
        answers: dict[tuple[int, str], list[tuple[int, float]]],
        own: Mapping[tuple[int, str], int],
        missing: Mapping[tuple[int, str], list[tuple[str, float, int]]],
        languages: NDArray[np.int16],
    ) -> None:
        """A query's own candidate cannot be found, so as a relevant one it is missing. languages: of candidates."""
        ids = Texts(self._folder / CANDIDATE_IDS)
        for query, row in own.items():
            found = answers.get(query, [])
            missing[query].extend((ids[row], gain, int(languages[row])) for at, gain in found if at == row)
            answers[query] = [pair for pair in found if pair[0] != row]

    def _save_missing(self, queries: Sequence[tuple[int, Sequence[tuple[str, float, int]]]]) -> None:
        """Writes (row of the query, id, gain, language) of all; the language only where it is not that of the query."""
        found = [
            (row, id_, gain, ABSENT if language == code else language)
            for row, (code, missing) in enumerate(queries)
            for id_, gain, language in missing
        ]
        if found:
            known = any(each[3] != ABSENT for each in found)
            (self._folder / MISSING).write_text(json.dumps(found if known else [each[:3] for each in found]))

    def _suggest_excluding(self, rows_of_own: Sequence[int]) -> None:
        """Warns if queries are candidates: a candidate has the id of a query, and its text has that of the query.

        rows_of_own: of the candidate with a query's id; ABSENT if there is none, or if it is relevant: then it is the
        answer, perhaps with the question as its title.
        """
        queries, candidates = Texts(self._folder / QUERIES), Texts(self._folder / CANDIDATES)
        there = [(query, row) for query, row in enumerate(rows_of_own) if row != ABSENT]
        same = sum(queries[query].strip() in candidates[row] for query, row in there[:_COMPARED])
        if same:
            log.warning(
                "of the first %d queries that have the id of a candidate which is not relevant, %d are in its text: "
                "each finds itself first; exclude_same_id=true leaves it out of the ranking, as is done for ArguAna",
                len(there[:_COMPARED]), same,
            )  # fmt: skip

    def _place(self, row: int) -> Place:
        return Place(list(self._paths)[self._files[row]], self._lines[row])

    def _save(self, table: str, values: np.ndarray) -> None:
        np.save(self._folder / f"{table}.npy", values)


def _is_usual(id_: str) -> bool:
    return id_.isascii() and " " not in id_


def _looks_like(id_: str, other: str | None) -> str:
    """A hint, if an id looks like another one and differs from it in blanks or Unicode form."""
    if other is None or other == id_:
        return ""
    return f" ({escaped(id_)}), only {escaped(other)}, which differs from it in blanks or Unicode form"

"""From ranked lists and judgements to the scores of a run, by the code that scores our own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from babelbatch.evaluation.metrics import MISSED, NAMES
from babelbatch.evaluation.ranks import Ranks
from babelbatch.evaluation.scoring import Result, score_lists
from babelbatch.foreign.declaration import shown
from babelbatch.foreign.names import Names, Query
from babelbatch.foreign.trec import Lists
from babelbatch.records import ABSENT, Benchmark

UNKNOWN = ""
"""Language of a candidate that nothing says the language of."""
_TOP = 10
MOST_HIDDEN = 0.001
"""Lists that hide more mAP than this are too short for it."""


@dataclass(frozen=True, slots=True)
class RankedFile:
    """The lists of one file in one setting. queries: query -> its id in the file."""

    place: str
    setting: str
    lists: Lists
    queries: Mapping[Query, str]


class Judgement(NamedTuple):
    """A relevant candidate. place: the file that says so."""

    query: Query
    candidate: str
    gain: float
    setting: str | None
    place: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the lists of a setting lack. queries, relevant: how many are judged. unranked: queries without a list.
    unretrieved: relevant candidates that are in no list. unjudged: queries with a list that the judgements lack.
    hidden: by how much mAP may be higher, at most, with lists that are not cut."""

    queries: int
    unranked: int
    relevant: int
    unretrieved: int
    unjudged: int
    hidden: float


class _Candidate(NamedTuple):
    language: str
    id: str


_Judged = dict[tuple[str, str], dict[_Candidate, float]]
"""(query id, language) -> relevant candidate -> gain."""


def score_files(
    name: str, files: Sequence[RankedFile], judgements: Sequence[Judgement], names: Names
) -> tuple[Result, dict[str, Coverage]]:
    """The scores on the benchmark `name`, and what the lists lack, by setting.

    A relevant candidate that a list lacks scores 0, and so does a query without a list, as in trec_eval -c. Metrics
    that cut lists are too short for are left out: those of a later place, and mAP if they may hide MOST_HIDDEN of it.
    Without files of their own the monolingual and crosslingual settings come from the lists of the pool, each
    restricted to the candidates of a language, where the declaration says how to find it.

    Raises ValueError for candidates of two languages in one pool, for gains that contradict each other, and for files
    of the crosslingual setting whose queries do not say the candidates' language.
    """
    lists = {setting: _by_query(files, setting) for setting in ("monolingual", "crosslingual", "multilingual")}
    pool = lists["multilingual"]
    derived = [setting for setting in ("monolingual", "crosslingual") if not lists[setting]]
    derived = derived if pool and names.say_candidate_languages else []
    languages = _Languages(names, files, judgements)
    judged = _judged(judgements, languages, [setting for setting, found in lists.items() if found])
    benchmark = _benchmark(name, judged, pooled=bool(pool))

    within: list[int] = []
    in_pool: list[int] = []
    depths: list[int] = []
    tops: list[list[str]] = []
    counts = {setting: np.zeros(4, np.int64) for setting in lists}
    cuts = {setting: _Cuts() for setting in lists}
    for (id_, language), gains in judged.items():
        own = pool.get(Query(id_, language, None))
        in_pool += _places(own, gains)
        depths.append(0 if own is None else len(own.numbers))
        tops.append([] if own is None else [own.lists.ids[number] for number in own.numbers[:_TOP].tolist()])
        counts["multilingual"] += _counts(own, in_pool[-len(gains) :])
        cuts["multilingual"].add(language, own, in_pool[-len(gains) :], depths[-1])
        restricted, sizes = _places_within(own, gains, languages) if derived else ({}, {})
        for candidate_language in dict.fromkeys(candidate.language for candidate in gains):
            some = [candidate for candidate in gains if candidate.language == candidate_language]
            setting = "monolingual" if candidate_language == language else "crosslingual"
            if setting in derived:
                found, places = own, [restricted[candidate] for candidate in some]
            else:
                in_cell = None if setting == "monolingual" else candidate_language
                found = lists[setting].get(Query(id_, language, in_cell))
                places = _places(found, some)
            counts[setting] += _counts(found, places)
            length = sizes.get(candidate_language, 0) if setting in derived else _length(found)
            cuts[setting].add(f"{language}-{candidate_language}", found, places, length)
            within += places
    measured = [setting for setting, of_setting in lists.items() if of_setting or setting in derived]
    benchmark, top = _with_candidates(benchmark, _top(benchmark, tops, languages) if pool else None)
    ranks = Ranks(np.array(within, np.int64), np.array(in_pool, np.int64))
    result = score_lists(benchmark, ranks, top, np.array(depths, np.int64))
    return _only(result, {setting: cuts[setting] for setting in measured}), {
        setting: _coverage(counts[setting], _unjudged(lists[setting], judged), cuts[setting].hidden)
        for setting in measured
    }


class _Languages:
    """The languages of candidates: as declared, or as the files of single cells show."""

    def __init__(self, names: Names, files: Iterable[RankedFile], judgements: Iterable[Judgement]) -> None:
        self._names = names
        self._shown: dict[str, str | None] = {}
        self._found: dict[str, str] = {}
        if names.say_candidate_languages:
            return
        for file in files:
            for query, raw in file.queries.items():
                cell = _cell(query, file.setting)
                if cell is not None:
                    for number in file.lists.of(raw).tolist():
                        self._show(file.lists.ids[number], cell)
        for judgement in judgements:
            cell = _cell(judgement.query, judgement.setting)
            if cell is not None:
                self._show(judgement.candidate, cell)

    def _show(self, id_: str, language: str) -> None:
        if self._shown.setdefault(id_, language) != language:
            self._shown[id_] = None  # each language has an id of its own numbering

    def of(self, id_: str, place: str) -> str:
        """UNKNOWN if nothing says it."""
        if id_ not in self._found:
            language = self._names.candidate_language(id_, place)
            self._found[id_] = language or self._shown.get(id_) or UNKNOWN
        return self._found[id_]


class _List(NamedTuple):
    """numbers: of the candidates of one query, best first. cut: whether it is as long as the longest of its file, so
    that it may go on; a shorter one has all that the system found."""

    place: str
    lists: Lists
    numbers: NDArray[np.int64]
    cut: bool


class _Cuts:
    """What cut lists of one setting may hide. shortest: length of the shortest that lacks a relevant candidate."""

    def __init__(self) -> None:
        self._hidden: dict[str, list[float]] = {}
        self.shortest: int | None = None

    def add(self, cell: str, found: _List | None, places: Sequence[int], length: int) -> None:
        """Counts a query. Its average precision is highest if what its list lacks comes right behind the list."""
        lacking = sum(place == MISSED for place in places)
        hidden = 0.0
        if found is not None and found.cut and lacking:
            there = len(places) - lacking
            hidden = sum((there + more) / (length + more) for more in range(1, lacking + 1)) / len(places)
            self.shortest = length if self.shortest is None else min(length, self.shortest)
        self._hidden.setdefault(cell, []).append(hidden)

    @property
    def hidden(self) -> float:
        """Of mAP, the mean over queries and then over cells."""
        means = [sum(of_cell) / len(of_cell) for of_cell in self._hidden.values()]
        return sum(means) / len(means) if means else 0.0

    def too_short_for(self, metric: str) -> bool:
        """Whether the lists do not define the metric."""
        if self.shortest is None:
            return False
        cutoff = metric.partition("@")[2]
        return int(cutoff) > self.shortest if cutoff else self.hidden > MOST_HIDDEN


def _cell(query: Query, setting: str | None) -> str | None:
    """The language of all candidates that a query is ranked with; None if there may be several."""
    if query.candidate_language is not None:
        return query.candidate_language
    return query.language if setting == "monolingual" else None


def _by_query(files: Iterable[RankedFile], setting: str) -> dict[Query, _List]:
    found: dict[Query, _List] = {}
    for file in files:
        if file.setting != setting:
            continue
        depth = int(np.diff(file.lists.offsets).max())
        for query, raw in file.queries.items():
            if setting == "crosslingual" and query.candidate_language is None:
                raise ValueError(
                    f"{file.place}: nothing says the language of the candidates that query {shown(raw)} is ranked "
                    "with; write a group (?P<candidate_language>...) into query: or files:"
                )
            key = query if setting == "crosslingual" else query._replace(candidate_language=None)
            if key in found:
                raise ValueError(
                    f"{file.place}: query '{key.id}' in '{key.language}' has a list in {found[key].place} too; keep one"
                )
            numbers = file.lists.of(raw)
            found[key] = _List(file.place, file.lists, numbers, len(numbers) == depth)
    return found


def _judged(judgements: Iterable[Judgement], languages: _Languages, settings: Sequence[str]) -> _Judged:
    """The judgements by query. settings: those that have files; if they are all monolingual, candidates without another
    language are in the query's."""
    judged: _Judged = {}
    for each in judgements:
        language = _cell(each.query, each.setting) or languages.of(each.candidate, each.place)
        if language == UNKNOWN and list(settings) == ["monolingual"]:
            language = each.query.language
        gains = judged.setdefault((each.query.id, each.query.language), {})
        candidate = _Candidate(language, each.candidate)
        if gains.setdefault(candidate, each.gain) != each.gain:
            raise ValueError(
                f"{each.place}: {shown(each.candidate)} has another gain for query '{each.query.id}' in another file; "
                "name one set of judgements"
            )
    return {query: dict(sorted(gains.items())) for query, gains in sorted(judged.items())}


def _benchmark(name: str, judged: _Judged, pooled: bool) -> Benchmark:
    """The judgements as a benchmark whose candidates are the relevant ones. Ids stand in for texts."""
    candidates = sorted({candidate for gains in judged.values() for candidate in gains})
    row_of = {candidate: row for row, candidate in enumerate(candidates)}
    languages = sorted({language for _, language in judged} | {candidate.language for candidate in candidates})
    number = {language: place for place, language in enumerate(languages)}
    ids = tuple(f"{candidate.language}\t{candidate.id}" for candidate in candidates)
    return Benchmark(
        name=name,
        languages=tuple(language or "unknown" for language in languages),
        query_ids=tuple(id_ for id_, _ in judged),
        query_texts=tuple(id_ for id_, _ in judged),
        query_languages=np.array([number[language] for _, language in judged], np.int16),
        candidate_ids=ids,
        candidate_texts=ids,
        candidate_languages=np.array([number[candidate.language] for candidate in candidates], np.int16),
        relevant_offsets=np.cumsum([0, *(len(gains) for gains in judged.values())]),
        relevant=np.array([row_of[candidate] for gains in judged.values() for candidate in gains], np.int64),
        protocol="ranked elsewhere",
        gains=np.array([gain for gains in judged.values() for gain in gains.values()], np.float64),
        pooled=pooled,
    )


def _places(found: _List | None, candidates: Iterable[_Candidate]) -> list[int]:
    """The ranks of candidates in a list."""
    if found is None:
        return [MISSED for _ in candidates]
    place_of = {found.lists.ids[number]: place for place, number in enumerate(found.numbers.tolist(), 1)}
    return [place_of.get(candidate.id, MISSED) for candidate in candidates]


def _length(found: _List | None) -> int:
    return 0 if found is None else len(found.numbers)


def _places_within(
    found: _List | None, gains: Iterable[_Candidate], languages: _Languages
) -> tuple[dict[_Candidate, int], dict[str, int]]:
    """The rank of each candidate among those of its language, in a list of the pool, and how many it has of each."""
    places = dict.fromkeys(gains, MISSED)
    counts: dict[str, int] = {}
    for number in [] if found is None else found.numbers.tolist():
        assert found is not None, "only a list has numbers"
        id_ = found.lists.ids[number]
        candidate = _Candidate(languages.of(id_, found.place), id_)
        counts[candidate.language] = counts.get(candidate.language, 0) + 1
        if candidate in places:
            places[candidate] = counts[candidate.language]
    return places, counts


def _counts(found: _List | None, places: Sequence[int]) -> NDArray[np.int64]:
    """(4,) what one query adds to the first four numbers of `Coverage`."""
    return np.array([1, found is None, len(places), sum(place == MISSED for place in places)], np.int64)


def _coverage(counts: NDArray[np.int64], unjudged: int, hidden: float) -> Coverage:
    queries, unranked, relevant, unretrieved = counts.tolist()
    return Coverage(queries, unranked, relevant, unretrieved, unjudged, hidden)


def _unjudged(lists: Mapping[Query, _List], judged: _Judged) -> int:
    return sum((query.id, query.language) not in judged for query in lists)


def _top(benchmark: Benchmark, tops: Sequence[Sequence[str]], languages: _Languages) -> list[list[_Candidate]] | None:
    """The first places of each list with their languages; None if one is unknown, or not one of the benchmark's."""
    found = [[_Candidate(languages.of(id_, "the pool"), id_) for id_ in top] for top in tops]
    known = set(benchmark.languages)
    return found if all(candidate.language in known for top in found for candidate in top) else None


def _with_candidates(
    benchmark: Benchmark, tops: list[list[_Candidate]] | None
) -> tuple[Benchmark, NDArray[np.int64] | None]:
    """The benchmark with the candidates of the first places added, and their rows, (Q, 10), ABSENT at the end."""
    if tops is None:
        return benchmark, None
    row_of = {id_: row for row, id_ in enumerate(benchmark.candidate_ids)}
    number = {language: place for place, language in enumerate(benchmark.languages)}
    languages = benchmark.candidate_languages.tolist()
    rows = np.full((len(tops), _TOP), ABSENT, np.int64)
    for query, top in enumerate(tops):
        for place, candidate in enumerate(top):
            id_ = f"{candidate.language}\t{candidate.id}"
            if id_ not in row_of:
                row_of[id_] = len(row_of)
                languages.append(number[candidate.language])
            rows[query, place] = row_of[id_]
    ids = tuple(row_of)
    of_candidates = np.array(languages, np.int16)
    return replace(benchmark, candidate_ids=ids, candidate_texts=ids, candidate_languages=of_candidates), rows


def _only(result: Result, cuts: Mapping[str, _Cuts]) -> Result:
    """The result in the settings that were measured, without the metrics that their lists are too short for."""
    prefixes = tuple(f"{result.benchmark}/{setting}/" for setting in cuts)
    metrics = {key: value for key, value in result.metrics.items() if key.startswith(prefixes)}
    per_query = result.per_query.filter(
        pc.is_in(result.per_query["setting"], value_set=pa.array(list(cuts), pa.string()))
    )
    for name in NAMES:
        short = [setting for setting, cut in cuts.items() if cut.too_short_for(name)]
        dropped = pc.is_in(per_query["setting"], value_set=pa.array(short, pa.string()))
        values = pc.if_else(dropped, pa.scalar(None, pa.float64()), per_query[name])
        per_query = per_query.set_column(per_query.column_names.index(name), name, values)
    return replace(result, metrics=metrics, per_query=per_query)

"""Evaluation data: queries, candidates, and which candidates answer which query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from babelbatch.records.checks import Checks, first_where
from babelbatch.records.fingerprint import fingerprint
from babelbatch.records.skipped_rows import SkippedRows

_BLOCK = 1 << 18  # judgements at a time


@dataclass(frozen=True, slots=True)
class MissingRelevant:
    """Relevant candidates that the data name and do not have. queries: the row of the query of each, ascending. ids:
    their ids. gains: what each would gain nDCG. languages: in which each was judged, index into the benchmark's, or
    ABSENT (-1), which stands for the query's own; empty if all are ABSENT."""

    queries: tuple[int, ...]
    ids: tuple[str, ...]
    gains: tuple[float, ...]
    languages: tuple[int, ...] = ()

    def __str__(self) -> str:
        """What fingerprints contain: as before there were languages, where there are none."""
        languages = f", languages={self.languages}" if self.languages else ""
        return f"MissingRelevant(queries={self.queries}, ids={self.ids}, gains={self.gains}{languages})"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """An evaluation set: Q queries, C candidates in all languages, R relevance judgements. A query in two languages is
    two rows with one id. Raises RecordError, which names the field, if the fields do not fit together.

    query_ids: Q ids, the same in every language.
    candidate_ids: C distinct ids; they break ties in score, as in trec_eval. They and the candidates' texts may be on
        disk, see `benchmarks.stored`.
    query_languages, candidate_languages: (Q,) and (C,) int16, index into `languages`.
    relevant_offsets, relevant: (Q + 1,) and (R,) int64, the judgements in CSR form: the candidates
        `relevant[relevant_offsets[q]:relevant_offsets[q + 1]]`, in all languages, answer query q. Each query has one,
        and none twice.
    protocol: what a candidate is and where it came from, in one line; runs are comparable only if it is equal.
    gains: (R,) float64 above 0, what each of `relevant` gains nDCG. None: 1 each.
    pooled: whether the candidates of all languages form one pool, over which the multilingual setting ranks. False
        where queries are judged in their own language only: an answer in another language would count as wrong.
    parts: (C,) int16 from 0. Candidates of one language in different parts are not ranked together: a query is ranked
        among those of the language and part of its answer. None: one part a language. Needs `pooled=False`.
    metric: the primary one, which tables, maps and the report show.
    clusters: (Q,) int32. Queries with equal numbers are about one article, passage or subject, so their scores are not
        independent; statistics resample whole clusters. Rows with one query id share a cluster. None: each query id is
        a cluster.
    cluster_unit: what a cluster is, in the singular, as the report names it: `article`, `passage`, `subject`.
    query_tasks: Q names, by which an encoder may have a prompt for each query. None: the benchmark's name.
    missing: relevant candidates that are not among the candidates. Nothing finds them, and they stay in the divisors of
        recall, AP and nDCG, as in trec_eval: in the pool and, if they were judged in the query's own language, in its
        cell.
    excluded: (Q,) int64, a candidate that is not ranked for the query, such as its own text, or ABSENT (-1). It is none
        of the query's relevant ones.
    skipped_rows: rows of the source that were left out.
    """

    name: str
    languages: tuple[str, ...]
    query_ids: tuple[str, ...]
    query_texts: tuple[str, ...]
    query_languages: npt.NDArray[np.int16]
    candidate_ids: Sequence[str]
    candidate_texts: Sequence[str]
    candidate_languages: npt.NDArray[np.int16]
    relevant_offsets: npt.NDArray[np.int64]
    relevant: npt.NDArray[np.int64]
    protocol: str
    gains: npt.NDArray[np.float64] | None = None
    pooled: bool = field(default=True, metadata={"fingerprint": False})
    parts: npt.NDArray[np.int16] | None = None
    metric: str = field(default="map", metadata={"fingerprint": False})
    clusters: npt.NDArray[np.int32] | None = field(default=None, metadata={"fingerprint": False})
    cluster_unit: str = field(default="query", metadata={"fingerprint": False})
    query_tasks: tuple[str, ...] | None = field(default=None, metadata={"fingerprint": False})
    missing: MissingRelevant | None = None
    excluded: npt.NDArray[np.int64] | None = None
    skipped_rows: SkippedRows = field(default=SkippedRows(), metadata={"fingerprint": False})

    def __post_init__(self) -> None:
        checks = Checks("benchmark", self.name)
        checks.languages("languages", self.languages)
        checks.file_names("name", (self.name,))
        for name in ("protocol", "metric", "cluster_unit"):
            checks.text(name, getattr(self, name))
        checks.flag("pooled", self.pooled)
        for role in ("query", "candidate"):
            self._check_side(role, checks)
        checks.distinct("candidate_ids", self.candidate_ids)
        self._check_judgements(checks)
        if self.parts is not None:
            if self.pooled:
                raise checks.refuse("parts", "they are given, but one pool has no parts; set pooled=False")
            checks.array(
                "parts", self.parts, np.int16, (len(self.candidate_ids),), f"{len(self.candidate_ids):,} candidate_ids"
            )
            if (row := first_where(self.parts, lambda block: block < 0)) is not None:
                raise checks.refuse(
                    "parts", f"candidate '{self.candidate_ids[row[0]]}' has {self.parts[row]}; number them from 0"
                )
        if self.clusters is not None:
            self._check_clusters(self.clusters, checks)
        if self.query_tasks is not None:
            checks.texts("query_tasks", self.query_tasks, len(self.query_ids), "query_ids")
        if self.missing is not None:
            self._check_missing(self.missing, checks)
        if self.excluded is not None:
            self._check_excluded(self.excluded, checks)
        checks.instance("skipped_rows", self.skipped_rows, SkippedRows)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any text, id, language, relevance judgement or the protocol."""
        return fingerprint(self)

    @property
    def cluster_numbers(self) -> npt.NDArray[np.int32]:
        """(Q,) int32 cluster of each query: `clusters`, or without them a number for each query id."""
        if self.clusters is not None:
            return self.clusters
        number = {id_: row for row, id_ in enumerate(dict.fromkeys(self.query_ids))}
        return np.array([number[id_] for id_ in self.query_ids], np.int32)

    @property
    def cells(self) -> npt.NDArray[np.int64]:
        """(C,) int64, equal for candidates that are ranked together within a language; ascending with the language."""
        languages = self.candidate_languages.astype(np.int64)
        return languages if self.parts is None else languages * (int(self.parts.max()) + 1) + self.parts

    def _check_side(self, role: str, checks: Checks) -> None:
        """Ids, texts and languages of the queries or the candidates."""
        ids, texts, columns = (getattr(self, f"{role}_{part}") for part in ("ids", "texts", "languages"))
        checks.texts(f"{role}_ids", ids)
        if len(ids) == 0:
            raise checks.refuse(f"{role}_ids", f"there are none; a benchmark needs a {role}")
        checks.texts(f"{role}_texts", texts, len(ids), f"{role}_ids")
        checks.array(f"{role}_languages", columns, np.int16, (len(ids),), f"{len(ids):,} {role}_ids")
        checks.within(
            f"{role}_languages", columns, 0, len(self.languages), "languages", lambda at: f"{role} '{ids[at[0]]}'"
        )

    def _check_judgements(self, checks: Checks) -> None:
        queries, offsets = len(self.query_ids), self.relevant_offsets
        checks.array("relevant_offsets", offsets, np.int64, (queries + 1,), f"{queries:,} query_ids")
        checks.array("relevant", self.relevant, np.int64, (None,), "the judgements")
        judged = len(self.relevant)
        if offsets[0] != 0 or offsets[-1] != judged or (np.diff(offsets) < 0).any():
            raise checks.refuse(
                "relevant_offsets",
                f"they do not ascend from 0 to {judged:,}, the length of relevant; give np.cumsum([0, *counts])",
            )
        if len(unanswered := np.flatnonzero(np.diff(offsets) == 0)):
            raise checks.refuse(
                "relevant",
                f"query '{self.query_ids[unanswered[0]]}' has no relevant candidate ({len(unanswered):,} such); remove "
                "it or add its answer",
            )
        checks.within("relevant", self.relevant, 0, len(self.candidate_ids), "candidate_ids", self._query_of)
        self._check_repeated(checks)
        if self.gains is not None:
            checks.array("gains", self.gains, np.float64, (judged,), f"{judged:,} relevant")
            # NaN is not above 0 either.
            if (row := first_where(self.gains, lambda block: ~((block > 0) & (block < np.inf)))) is not None:
                raise checks.refuse(
                    "gains", f"{self._query_of(row)} has {self.gains[row]}; give finite numbers above 0"
                )

    def _check_repeated(self, checks: Checks) -> None:
        """No query names a candidate twice, which would count twice in every metric."""
        start = 0
        while start < len(self.query_ids):
            # As many whole queries as have a block of judgements, at least one.
            end = self.relevant_offsets[start] + _BLOCK
            stop = max(start + 1, int(self.relevant_offsets.searchsorted(end, side="right")) - 1)
            counts = np.diff(self.relevant_offsets[start : stop + 1])
            query = np.repeat(np.arange(start, stop), counts)
            rows = self.relevant[self.relevant_offsets[start] : self.relevant_offsets[stop]]
            if not ((np.diff(rows) > 0) | (np.diff(query) > 0)).all():  # most are in ascending order
                order = np.lexsort((rows, query))
                twice = np.flatnonzero((np.diff(rows[order]) == 0) & (np.diff(query[order]) == 0))
                if len(twice):
                    row = order[twice[0]]
                    id_, candidate = self.query_ids[query[row]], self.candidate_ids[int(rows[row])]
                    raise checks.refuse("relevant", f"query '{id_}' names candidate '{candidate}' twice; remove one")
            start = stop

    def _query_of(self, at: tuple[int, ...]) -> str:
        """Which query a judgement belongs to."""
        return f"query '{self.query_ids[int(self.relevant_offsets.searchsorted(at[0], side='right')) - 1]}'"

    def _check_missing(self, missing: object, checks: Checks) -> None:
        checks.instance("missing", missing, MissingRelevant, " or None")
        assert isinstance(missing, MissingRelevant)
        rows = missing.queries
        if not len(rows) == len(missing.ids) == len(missing.gains):
            raise checks.refuse(
                "missing", f"{len(rows)} queries, {len(missing.ids)} ids, {len(missing.gains)} gains; give one of each"
            )
        if missing.languages:
            if len(missing.languages) != len(rows):
                raise checks.refuse(
                    "missing", f"{len(rows)} queries, {len(missing.languages)} languages; give one of each"
                )
            if not all(-1 <= language < len(self.languages) for language in missing.languages):
                raise checks.refuse("missing", f"languages are not between -1 and {len(self.languages) - 1}; mend them")
        if sorted(rows) != list(rows) or not all(0 <= row < len(self.query_ids) for row in rows):
            raise checks.refuse("missing", f"queries do not ascend from 0 to {len(self.query_ids) - 1:,}; sort them")
        if not all(0 < gain < float("inf") for gain in missing.gains):
            raise checks.refuse("missing", "a gain is not above 0; give finite numbers above 0")

    def _check_excluded(self, excluded: npt.NDArray[np.int64], checks: Checks) -> None:
        checks.array("excluded", excluded, np.int64, (len(self.query_ids),), f"{len(self.query_ids):,} query_ids")
        checks.within("excluded", excluded, -1, len(self.candidate_ids), "candidate_ids", self._query_of)
        of_pairs = np.repeat(excluded, np.diff(self.relevant_offsets))
        if len(both := np.flatnonzero(of_pairs == self.relevant)):
            raise checks.refuse(
                "excluded", f"{self._query_of((int(both[0]),))} excludes a relevant candidate; drop one"
            )

    def _check_clusters(self, clusters: npt.NDArray[np.int32], checks: Checks) -> None:
        checks.array("clusters", clusters, np.int32, (len(self.query_ids),), f"{len(self.query_ids):,} query_ids")
        first: dict[str, int] = {}
        for id_, cluster in zip(self.query_ids, clusters.tolist(), strict=True):
            if first.setdefault(id_, cluster) != cluster:
                raise checks.refuse(
                    "clusters", f"query '{id_}' is in clusters {first[id_]} and {cluster}; give its rows one number"
                )

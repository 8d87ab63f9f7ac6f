"""Runs and qrels of TREC.

A run has lines `query Q0 candidate rank score tag`. As in trec_eval the score orders the candidates, not the rank
column: scores are single-precision, and of equal ones the greater id comes first. Qrels have lines `query 0 candidate
gain`, or below the header `query-id corpus-id score` three columns, as BEIR and mteb publish them.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babelbatch.foreign.declaration import shown
from babelbatch.foreign.lines import fault, finite, lines
from babelbatch.sources.trec import judgements

_LARGEST_SCORE = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Lists:
    """Ranked lists: Q queries, N lines, D distinct candidates.

    rows: query -> its number. offsets, candidates: (Q + 1,) and (N,) int64, the numbers of the candidates of each
    query, best first. ids: D ids. tag: of the first line; None if the format has none.
    """

    rows: Mapping[str, int]
    offsets: NDArray[np.int64]
    candidates: NDArray[np.int64]
    ids: tuple[str, ...]
    tag: str | None = None

    def of(self, query: str) -> NDArray[np.int64]:
        """The numbers of a query's candidates, best first; empty if it has no list."""
        row = self.rows.get(query)
        return self.candidates[:0] if row is None else self.candidates[self.offsets[row] : self.offsets[row + 1]]


def read_run(path: Path) -> Lists:
    """The lists of a run. Raises ValueError, with file and line, for a malformed line or a candidate that is twice in
    one list."""
    rows: dict[str, int] = {}
    numbers: dict[str, int] = {}
    queries, candidates, scores, places = array("q"), array("q"), array("f"), array("q")
    tag = None
    for number, line in lines(path):
        parts = line.split()
        if len(parts) != 6:
            raise fault(
                path, number, f"it has {len(parts)} columns, and a TREC run has 6: query Q0 candidate rank score tag"
            )
        query, _, candidate, _, score, tag_of_line = parts
        tag = tag or tag_of_line
        queries.append(rows.setdefault(query, len(rows)))
        candidates.append(numbers.setdefault(candidate, len(numbers)))
        value = finite(path, number, "score", score)
        if abs(value) > _LARGEST_SCORE:
            raise fault(path, number, f"the score {shown(score)} is beyond single precision; scale the scores")
        scores.append(value)
        places.append(number)
    if not rows:
        raise ValueError(f"{path}: it has no lines; name a run with results")
    return sorted_lists(
        path,
        rows,
        numbers,
        np.array(queries, np.int64),
        np.array(candidates, np.int64),
        np.array(scores, np.float32),
        np.array(places, np.int64),
        tag,
    )


def sorted_lists(
    path: Path,
    rows: Mapping[str, int],
    numbers: Mapping[str, int],
    queries: NDArray[np.int64],
    candidates: NDArray[np.int64],
    scores: NDArray[np.float32],
    places: NDArray[np.int64] | None = None,
    tag: str | None = None,
) -> Lists:
    """The lists of (N,) queries, candidates and scores. rows, numbers: of the ids of queries and of candidates. places:
    line of each, for messages. Raises ValueError for a candidate that is twice in one list."""
    ids = tuple(numbers)
    keys = queries * len(ids) + candidates
    by_key = np.argsort(keys, kind="stable")
    twice = np.flatnonzero(np.diff(keys[by_key]) == 0)
    if len(twice):
        again = by_key[twice + 1].min()
        name, candidate = tuple(rows)[queries[again]], ids[candidates[again]]
        place = f"{path}, line {places[again]}" if places is not None else str(path)
        raise ValueError(f"{place}: {shown(candidate)} is twice in the list of {shown(name)}; keep one")
    encoded = [id_.encode() for id_ in ids]
    tie_order = np.empty(len(ids), np.int64)
    tie_order[sorted(range(len(ids)), key=encoded.__getitem__, reverse=True)] = np.arange(len(ids))
    order = np.lexsort((tie_order[candidates], -scores, queries))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(queries, minlength=len(rows)))]).astype(np.int64)
    return Lists(rows, offsets, candidates[order], ids, tag)


def read_qrels(path: Path) -> dict[str, dict[str, float]]:
    """query -> relevant candidate -> gain. Candidates with a gain of 0 or less are not relevant.

    Raises ValueError, with file and line, for a malformed line or a candidate with two gains for one query.
    """
    judged: dict[str, dict[str, float]] = {}
    for row in judgements(path):
        if judged.setdefault(row.query, {}).setdefault(row.candidate, row.gain) != row.gain:
            raise ValueError(
                f"{row.place}: {shown(row.candidate)} has another gain for {shown(row.query)} further up; keep one"
            )
    relevant = {
        query: {candidate: gain for candidate, gain in gains.items() if gain > 0} for query, gains in judged.items()
    }
    relevant = {query: gains for query, gains in relevant.items() if gains}
    if not relevant:
        raise ValueError(f"{path}: it names no relevant candidate; name the qrels of the benchmark")
    return relevant

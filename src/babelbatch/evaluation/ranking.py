"""Ranks by counting: how many candidates stand before each relevant one, in its own language and in the whole pool.

In the same pass: who stands in the first places of the pool, and what a question's versions in other languages think of
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from babelbatch.evaluation.id_order import by_descending_id
from babelbatch.evaluation.scorer import Matrix, scorer
from babelbatch.progress import bar
from babelbatch.records import Benchmark

_BLOCK_SCORES = 8_000_000  # scores held at once


@dataclass(frozen=True, slots=True)
class Ranks:
    """For each relevant (query, candidate) pair of a benchmark, in the order of `Benchmark.relevant`, ranks from 1.

    within_language: among the candidates of the candidate's own language (one cell of the L x L matrix).
    in_pool: among the candidates of all languages.
    """

    within_language: np.ndarray
    in_pool: np.ndarray


@dataclass(frozen=True, slots=True)
class Top:
    """The first k places of the pool for Q queries, and how the versions of a question agree about them.

    candidates: (Q, k) rows of the benchmark's candidates, best first. scores: (Q, k) float32.
    pairs: (P, 2) queries a and b with one id and two languages, each pair once.
    across: (P, 2, k) float32, the scores that a gives the candidates on top for b, and that b gives those of a.
    """

    candidates: np.ndarray
    scores: np.ndarray
    pairs: np.ndarray
    across: np.ndarray


def rank(benchmark: Benchmark, queries: Matrix, candidates: Matrix, k: int) -> tuple[Ranks, Top]:
    """Scores every query with every candidate by dot product, ranks the relevant ones, and finds the k first.

    queries: (Q, d) float32. candidates: (C, d) float32, both dense or both sparse. k: places, at most C. Equal scores
    rank as trec_eval ranks them: the greater candidate id first. Memory is bounded by blocks of queries: beyond the
    vectors it takes 32 MB a block (of sparse ones three times that), and 8 k bytes a pair of parallel queries.
    """
    count, k = len(benchmark.query_ids), min(k, len(benchmark.candidate_ids))
    # Columns are ordered by language, so that a language is a slice.
    columns = np.argsort(benchmark.candidate_languages, kind="stable")
    column_of = _inverse(columns)
    bounds = np.searchsorted(benchmark.candidate_languages[columns], np.arange(len(benchmark.languages) + 1)).tolist()
    tie_place = _inverse(by_descending_id(benchmark.candidate_ids))[columns]

    scores_of = scorer(queries, candidates[columns])
    relevant = column_of[benchmark.relevant]
    language = benchmark.candidate_languages[benchmark.relevant].tolist()
    offsets = benchmark.relevant_offsets.tolist()
    within_language = np.empty(len(relevant), np.int64)
    in_pool = np.empty(len(relevant), np.int64)

    top = np.empty((count, k), np.int64)
    top_scores = np.empty((count, k), np.float32)
    pairs: list[np.ndarray] = []
    across: list[np.ndarray] = []
    place = np.empty(count, np.int64)
    at_once = max(1, _BLOCK_SCORES // len(columns))
    with bar(f"ranking {benchmark.name}", count, unit="queries") as progress:
        for rows, pairs_of_block in _blocks(_versions(benchmark), at_once):
            scores = scores_of(rows)
            for query, line in zip(rows.tolist(), scores, strict=True):
                for start in range(offsets[query], offsets[query + 1], at_once):
                    span = slice(start, min(start + at_once, offsets[query + 1]))
                    ahead = _ahead(line, tie_place, relevant[span])
                    in_pool[span] = [np.count_nonzero(row) for row in ahead]
                    within_language[span] = [
                        np.count_nonzero(row[bounds[own] : bounds[own + 1]])
                        for row, own in zip(ahead, language[span], strict=True)
                    ]
            top[rows] = first = _first(scores, tie_place, k)
            top_scores[rows] = np.take_along_axis(scores, first, axis=1)
            place[rows] = np.arange(len(rows))
            a, b = place[pairs_of_block].T
            pairs.append(pairs_of_block)
            across.append(np.stack([scores[a[:, None], first[b]], scores[b[:, None], first[a]]], axis=1))
            progress.advance(len(rows))
    return Ranks(within_language + 1, in_pool + 1), Top(
        columns[top], top_scores, np.concatenate(pairs), np.concatenate(across)
    )


def best(
    queries: Matrix, candidates: Matrix, candidate_ids: Sequence[str], k: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The k candidates with the greatest scores for each query, best first, ties as in `rank`: a block at a time
    (rows of queries, (rows, k) rows of candidates, (rows, k) float32 scores)."""
    count, k = queries.shape[0], min(k, len(candidate_ids))
    tie_place = _inverse(by_descending_id(candidate_ids))
    scores_of = scorer(queries, candidates)
    at_once = max(1, _BLOCK_SCORES // len(candidate_ids))
    for start in range(0, count, at_once):
        rows = np.arange(start, min(start + at_once, count))
        scores = scores_of(rows)
        first = _first(scores, tie_place, k)
        yield rows, first, np.take_along_axis(scores, first, axis=1)


def _ahead(line: np.ndarray, tie_place: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(r, C) who stands before each of r columns, by one query's scores (C,)."""
    scores = line[columns, None]
    ahead = line > scores
    equal = line == scores
    if np.count_nonzero(equal) > len(columns):
        ahead |= equal & (tie_place < tie_place[columns, None])
    return ahead


def _first(scores: np.ndarray, tie_place: np.ndarray, k: int) -> np.ndarray:
    """(rows, k) columns with the greatest scores of each row, best first; of equal ones, the one with the least tie
    place."""
    more = min(k + 1, scores.shape[1])
    values, found = (part.numpy() for part in torch.topk(torch.from_numpy(scores), more, dim=1))
    first = found[:, :k].copy()
    if more > k:
        for row in np.flatnonzero(values[:, k - 1] == values[:, k]):  # which of the equal ones belong is not known
            contenders = np.flatnonzero(scores[row] >= values[row, k - 1])
            order = np.lexsort((tie_place[contenders], -scores[row, contenders]))
            first[row] = contenders[order[:k]]
    order = np.lexsort((tie_place[first], -np.take_along_axis(scores, first, axis=1)), axis=1)
    return np.take_along_axis(first, order, axis=1)


def _versions(benchmark: Benchmark) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each query id, its queries, and the (p, 2) pairs of them that are in two languages."""
    rows_of: dict[str, list[int]] = {}
    for row, id_ in enumerate(benchmark.query_ids):
        rows_of.setdefault(id_, []).append(row)
    found = []
    for rows in map(np.array, rows_of.values()):
        pairs = np.stack([rows[side] for side in np.triu_indices(len(rows), 1)], axis=1)
        languages = benchmark.query_languages[pairs]
        found.append((rows, pairs[languages[:, 0] != languages[:, 1]]))
    return found


def _blocks(versions: list[tuple[np.ndarray, np.ndarray]], most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Queries in blocks of at most `most`, or of one id, and the pairs among them: the versions of a question stay
    together."""
    start = size = 0
    for stop, (rows, _) in enumerate(versions):
        if size and size + len(rows) > most:
            yield _joined(versions[start:stop])
            start, size = stop, 0
        size += len(rows)
    yield _joined(versions[start:])


def _joined(versions: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    rows, pairs = zip(*versions, strict=True)
    return np.concatenate(rows), np.concatenate(pairs)


def _inverse(permutation: np.ndarray) -> np.ndarray:
    inverse = np.empty_like(permutation)
    inverse[permutation] = np.arange(len(permutation))
    return inverse

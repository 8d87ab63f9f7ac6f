"""Ranks by counting: how many candidates stand before each relevant one, in its own language and in the whole pool."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

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


def rank_relevant(benchmark: Benchmark, queries: np.ndarray, candidates: np.ndarray) -> Ranks:
    """Scores every query with every candidate by dot product and ranks the relevant ones.

    queries: (Q, d) float32. candidates: (C, d) float32. Equal scores rank as trec_eval ranks them: the greater
    candidate id first. Memory is bounded by blocks of queries.
    """
    # Columns are ordered by language, so that a language is a slice.
    columns = np.argsort(benchmark.candidate_languages, kind="stable")
    column_of = _inverse(columns)
    bounds = np.searchsorted(benchmark.candidate_languages[columns], np.arange(len(benchmark.languages) + 1))
    by_descending_id = np.argsort(np.array(benchmark.candidate_ids))[::-1]
    tie_place = _inverse(by_descending_id)[columns]

    # Equal vectors are scored once: a matrix product may round equal columns differently, and ties would be lost.
    distinct, distinct_of = _distinct(candidates[columns])
    pool = torch.from_numpy(distinct).T
    relevant = column_of[benchmark.relevant]
    language = benchmark.candidate_languages[benchmark.relevant]
    offsets = benchmark.relevant_offsets
    within_language = np.empty(len(relevant), np.int64)
    in_pool = np.empty(len(relevant), np.int64)
    rows_at_once = max(1, _BLOCK_SCORES // len(columns))
    with bar(f"ranking {benchmark.name}", len(queries), worth_it=len(queries) >= 1_000) as progress:
        for start in range(0, len(queries), rows_at_once):
            scores = (torch.from_numpy(queries[start : start + rows_at_once]) @ pool).numpy()
            scores = scores.take(distinct_of, axis=1)  # by rows, unlike `scores[:, distinct_of]`
            for query, line in enumerate(scores, start):
                for pair in range(offsets[query], offsets[query + 1]):
                    column = relevant[pair]
                    ahead = line > line[column]
                    equal = np.flatnonzero(line == line[column])
                    if len(equal) > 1:
                        ahead[equal[tie_place[equal] < tie_place[column]]] = True
                    in_pool[pair] = 1 + np.count_nonzero(ahead)
                    own = slice(bounds[language[pair]], bounds[language[pair] + 1])
                    within_language[pair] = 1 + np.count_nonzero(ahead[own])
            progress.advance(len(scores))
    return Ranks(within_language, in_pool)


def _distinct(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows, and for each row which of them it is. (`np.unique(axis=0)` sorts, and takes seconds.)"""
    number: dict[bytes, int] = {}
    of = np.array([number.setdefault(vector.tobytes(), len(number)) for vector in vectors])
    return np.frombuffer(b"".join(number), vectors.dtype).reshape(-1, vectors.shape[1]).copy(), of


def _inverse(permutation: np.ndarray) -> np.ndarray:
    inverse = np.empty_like(permutation)
    inverse[permutation] = np.arange(len(permutation))
    return inverse

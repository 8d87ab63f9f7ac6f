"""Exact ranks by counting the candidates with greater scores, within a language and in the pool of all languages.

The same pass finds the first places of the pool, and how the translations of a query score them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from babelbatch.distributed.collectives import share_of_rank, sum_over_ranks_on_cpu
from babelbatch.evaluation.id_order import by_descending_id
from babelbatch.evaluation.ranks import Ranks, Top
from babelbatch.evaluation.scorer import Matrix, scorer
from babelbatch.progress import bar
from babelbatch.records import ABSENT, Benchmark

_BLOCK_SCORES = 8_000_000  # scores in memory at once,
_LEAST_QUERIES = 128  # but of this many if vectors are dense: with fewer, reading them takes longer than the products


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of a block of scores: candidates ordered by language, so that a language is a slice.

    candidates: (C,) candidate of each column. bounds: (L + 1,) first column of each language, and the end.
    tie_order: (C,) place of each column among equal scores. relevant: column of each relevant pair's candidate.
    relevant_language: language of each relevant pair's candidate. excluded: (Q,) column that is not ranked for each
    query, or ABSENT; None if there are none.
    """

    candidates: NDArray[np.int64]
    bounds: list[int]
    tie_order: NDArray[np.int64]
    relevant: NDArray[np.int64]
    relevant_language: list[int]
    excluded: NDArray[np.int64] | None


def rank(
    benchmark: Benchmark, queries: Matrix, candidates: Matrix, k: int, *, divided: bool = False
) -> tuple[Ranks, Top]:
    """Scores every query with every candidate by dot product, ranks the relevant candidates, and finds the top k.

    queries: (Q, d) float32. candidates: (C, d) float32, both dense or both sparse. k: places, at most C. Ties are
    broken as in trec_eval: the greater candidate id first. Besides the vectors, memory holds 32 MB of scores
    (three times that if vectors are sparse; 512 bytes a candidate if they are dense and that is more) and 8 k bytes for
    each pair of parallel queries.

    divided: whether several processes rank a share of the blocks of queries each. All of them must call it, with equal
        vectors, and get all results: those of one process, with equally many threads to the bit. One block is not
        divided.
    """
    count, k = len(benchmark.query_ids), min(k, len(benchmark.candidate_ids))
    columns = _columns(benchmark)
    offsets = benchmark.relevant_offsets.tolist()
    scores_of = scorer(queries, candidates[columns.candidates])
    blocks = list(_blocks(_translations(benchmark), _queries_in_block(candidates)))
    first_pairs = np.cumsum([0, *(len(pairs) for _, pairs in blocks)]).tolist()
    # What other processes rank stays zero here until the sum over all of them.
    within_language = np.zeros(len(columns.relevant), np.int64)
    in_pool = np.zeros(len(columns.relevant), np.int64)
    top = np.zeros((count, k), np.int64)
    top_scores = np.zeros((count, k), np.float32)
    across = np.zeros((first_pairs[-1], 2, k), np.float32)
    row_in_block = np.empty(count, np.int64)
    share = share_of_rank(len(blocks)) if divided else range(len(blocks))
    compared = max(1, _BLOCK_SCORES // len(columns.candidates))  # relevant candidates at once
    own = sum(len(blocks[number][0]) for number in share)
    with bar(f"ranking {benchmark.name}", own, unit="queries") as progress:
        for number in share:
            rows, block_pairs = blocks[number]
            scores = scores_of(rows)
            if columns.excluded is not None:
                _exclude(scores, columns.excluded[rows])
            for query, query_scores in zip(rows.tolist(), scores, strict=True):
                for first in range(offsets[query], offsets[query + 1], compared):
                    span = slice(first, min(first + compared, offsets[query + 1]))
                    within_language[span], in_pool[span] = _count_ahead(query_scores, columns, span)
            top[rows] = block_top = _top_k(scores, columns.tie_order, k)
            top_scores[rows] = np.take_along_axis(scores, block_top, axis=1)
            row_in_block[rows] = np.arange(len(rows))
            a, b = row_in_block[block_pairs].T
            block_across = across[first_pairs[number] : first_pairs[number + 1]]
            block_across[:, 0] = scores[a[:, None], block_top[b]]
            block_across[:, 1] = scores[b[:, None], block_top[a]]
            progress.advance(len(rows))
            del scores, query_scores  # before the next block, which needs as much memory
    if divided:
        for found in (within_language, in_pool, top, top_scores, across):
            sum_over_ranks_on_cpu(torch.from_numpy(found))
    ranks = Ranks(within_language + 1, in_pool + 1)
    pairs = np.concatenate([block_pairs for _, block_pairs in blocks])
    return ranks, Top(columns.candidates[top], top_scores, pairs, across)


def top_candidates(
    queries: Matrix,
    candidates: Matrix,
    candidate_ids: Sequence[str],
    k: int,
    excluded: NDArray[np.int64] | None = None,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """The k candidates with the greatest scores for each query, best first, ties as in `rank`.

    excluded: (Q,) row of a candidate that gets the score -inf, or ABSENT. Memory as in `rank`.
    Yields blocks: rows of queries, (rows, k) rows of candidates, (rows, k) float32 scores.
    """
    count, k = queries.shape[0], min(k, len(candidate_ids))
    tie_order = inverse_permutation(by_descending_id(candidate_ids))
    scores_of = scorer(queries, candidates)
    block_size = _queries_in_block(candidates)
    for start in range(0, count, block_size):
        rows = np.arange(start, min(start + block_size, count))
        scores = scores_of(rows)
        if excluded is not None:
            _exclude(scores, excluded[rows])
        top = _top_k(scores, tie_order, k)
        top_scores = np.take_along_axis(scores, top, axis=1)
        del scores  # before the next block, which needs as much memory
        yield rows, top, top_scores


def _queries_in_block(candidates: Matrix) -> int:
    least = _LEAST_QUERIES if isinstance(candidates, np.ndarray) else 1
    return max(least, _BLOCK_SCORES // int(candidates.shape[0]))


def inverse_permutation(permutation: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each number in a permutation."""
    inverse = np.empty_like(permutation)
    inverse[permutation] = np.arange(len(permutation))
    return inverse


def _columns(benchmark: Benchmark) -> _Columns:
    candidates = np.argsort(benchmark.candidate_languages, kind="stable")
    languages = benchmark.candidate_languages[candidates]
    return _Columns(
        candidates=candidates,
        bounds=np.searchsorted(languages, np.arange(len(benchmark.languages) + 1)).tolist(),
        tie_order=inverse_permutation(by_descending_id(benchmark.candidate_ids))[candidates],
        relevant=inverse_permutation(candidates)[benchmark.relevant],
        relevant_language=benchmark.candidate_languages[benchmark.relevant].tolist(),
        excluded=None if benchmark.excluded is None else rows_in_pool(benchmark.excluded, candidates),
    )


def rows_in_pool(rows: NDArray[np.int64], pool: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each row in a pool of rows; ABSENT where it is not in it, or is ABSENT itself."""
    place = np.full(int(pool.max(initial=0)) + 2, ABSENT)  # the last one stands for ABSENT
    place[pool] = np.arange(len(pool))
    return np.asarray(place[np.where(rows < len(place) - 1, rows, ABSENT)], np.int64)


def _exclude(scores: NDArray[np.float32], columns: NDArray[np.int64]) -> None:
    """Puts one column of each row behind all others; none where it is ABSENT."""
    there = np.flatnonzero(columns != ABSENT)
    scores[there, columns[there]] = -np.inf


def _count_ahead(query_scores: NDArray[np.float32], columns: _Columns, span: slice) -> tuple[list[int], list[int]]:
    """How many candidates precede each relevant one of `span`, in its language and in the pool, for one query."""
    ahead = _is_ahead(query_scores, columns.tie_order, columns.relevant[span])
    bounds = columns.bounds
    within_language = [
        int(np.count_nonzero(row[bounds[language] : bounds[language + 1]]))
        for row, language in zip(ahead, columns.relevant_language[span], strict=True)
    ]
    return within_language, [int(np.count_nonzero(row)) for row in ahead]


def _is_ahead(
    query_scores: NDArray[np.float32], tie_order: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(r, C) whether each candidate precedes each of r columns, by the (C,) scores of one query."""
    scores = query_scores[columns, None]
    ahead = query_scores > scores
    equal = query_scores == scores
    if np.count_nonzero(equal) > len(columns):
        ahead |= equal & (tie_order < tie_order[columns, None])
    return np.asarray(ahead)


def _top_k(scores: NDArray[np.float32], tie_order: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """(rows, k) columns with the greatest scores of each row, best first; ties by ascending tie order."""
    more = min(k + 1, scores.shape[1])
    values, found = (part.numpy() for part in torch.topk(torch.from_numpy(scores), more, dim=1))
    top: NDArray[np.int64] = found[:, :k].copy()
    if more > k:
        for row in np.flatnonzero(values[:, k - 1] == values[:, k]):  # topk breaks a tie across the border arbitrarily
            contenders = np.flatnonzero(scores[row] >= values[row, k - 1])
            order = np.lexsort((tie_order[contenders], -scores[row, contenders]))
            top[row] = contenders[order[:k]]
    order = np.lexsort((tie_order[top], -np.take_along_axis(scores, top, axis=1)), axis=1)
    return np.take_along_axis(top, order, axis=1)


def _translations(benchmark: Benchmark) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
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


def _blocks(
    translations: list[tuple[NDArray[np.int64], NDArray[np.int64]]], most: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Blocks of at most `most` queries, and the pairs among them. The queries of one id are in one block."""
    start = size = 0
    for stop, (rows, _) in enumerate(translations):
        if size and size + len(rows) > most:
            yield _concatenate(translations[start:stop])
            start, size = stop, 0
        size += len(rows)
    yield _concatenate(translations[start:])


def _concatenate(
    translations: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows, pairs = zip(*translations, strict=True)
    return np.concatenate(rows), np.concatenate(pairs)

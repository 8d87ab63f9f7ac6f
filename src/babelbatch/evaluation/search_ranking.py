"""Ranks by search: the places of relevant candidates among the first hundred, within a language and in the pool.

For pools that are too large for memory or for a full ranking. A candidate beyond the first hundred has no rank.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from babelbatch.evaluation.id_order import by_descending_id
from babelbatch.evaluation.metrics import MISSED
from babelbatch.evaluation.ranking import inverse_permutation
from babelbatch.evaluation.ranks import Ranks
from babelbatch.progress import bar, percent_at_least
from babelbatch.records import ABSENT, Benchmark
from babelbatch.search.index import HNSW, IVF, NO_ROW, Exact, Neighbours, Search, measure_recall
from babelbatch.search.sharded_vectors import Reordered
from babelbatch.search.vectors import Vectors

DEPTH = 100
"""Places that are searched, or all candidates if there are fewer."""

log = logging.getLogger(__name__)

_BLOCK_QUERIES = 8_192

Index: TypeAlias = Exact | IVF | HNSW


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What the searches of a benchmark returned.

    ranks: of the relevant pairs, as from `ranking.rank`; MISSED where the candidate is not among the first DEPTH, and
        in the pool if there is none.
    top: (Q, k) candidates in the first places of the pool, ABSENT where an approximate index found fewer.
    recall: by pool ("all", or a language), the share of the exact first DEPTH that an approximate index finds, see
        `search.index.measure_recall`. Empty for the exact search.
    """

    ranks: Ranks
    top: NDArray[np.int64]
    recall: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Pool:
    """Candidates that are searched together: rows start to stop in storage order.

    pairs: the relevant pairs ranked in it. is_all: whether it is the pool of all languages.
    """

    name: str
    start: int
    stop: int
    pairs: NDArray[np.int64]
    is_all: bool


def storage_order(benchmark: Benchmark) -> NDArray[np.int64]:
    """(C,) candidates in the order in which their vectors are stored.

    By language, so that a language is a slice; within it the greater id first, as trec_eval breaks ties.
    """
    return _storage_order(benchmark, by_descending_id(benchmark.candidate_ids))


def search_ranks(
    benchmark: Benchmark,
    queries: NDArray[np.float32],
    vectors: Vectors | Reordered,
    index: Index,
    k: int,
    threads: int | None = None,
) -> SearchResult:
    """Searches each language (and each of its parts) for the queries it answers, and the pool for all queries.

    queries: (Q, d) float32. vectors: of the candidates, in `storage_order`. k: places of `SearchResult.top`, at most
    DEPTH. Ties are broken as in trec_eval, the greater candidate id first, except that faiss chooses which of several
    tied candidates is the last of the DEPTH. Memory holds the scores of a block of queries with DEPTH candidates, and
    the vectors that the index needs: one shard at a time, or a whole pool.
    """
    descending = by_descending_id(benchmark.candidate_ids)
    order = _storage_order(benchmark, descending)
    tie_order = inverse_permutation(descending)[order]
    relevant = inverse_permutation(order)[benchmark.relevant]
    query_of_pair = np.repeat(np.arange(len(queries)), np.diff(benchmark.relevant_offsets))

    within_language, in_pool = np.full(len(relevant), MISSED), np.full(len(relevant), MISSED)
    top = np.full((len(queries), min(k, len(order))), ABSENT, np.int64)
    recall: dict[str, float] = {}
    for pool in _pools(benchmark, order):
        rows_of_pool = vectors if pool.is_all else vectors.between(pool.start, pool.stop)
        query_rows = np.unique(query_of_pair[pool.pairs])  # ascending, as the pairs are
        depth = min(DEPTH, pool.stop - pool.start)
        search = index.build(rows_of_pool, threads)
        if not isinstance(index, Exact):
            recall[pool.name] = measure_recall(search, queries[query_rows], depth, pool=rows_of_pool, threads=threads)
        description = f"searching {benchmark.name} ({pool.name})"
        ranks = in_pool if pool.is_all else within_language
        for block, neighbours in _search_blocks(search, queries, query_rows, depth, description):
            rows = _break_ties(neighbours, tie_order[pool.start : pool.stop])
            pairs = pool.pairs[slice(*np.searchsorted(query_of_pair[pool.pairs], [block[0], block[-1] + 1]))]
            row_in_block = np.searchsorted(block, query_of_pair[pairs])
            ranks[pairs] = ranks_in(rows, row_in_block, relevant[pairs] - pool.start)
            if pool.is_all:
                first = rows[:, : top.shape[1]]
                top[block] = np.where(first == NO_ROW, ABSENT, order[first])
    if recall:
        _log_recall(benchmark, recall)
    return SearchResult(Ranks(within_language, in_pool), top, recall)


def ranks_in(rows: NDArray[np.int64], row_in_block: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """(P,) rank, from 1, of `wanted[p]` among the (Q, k) `rows` of query `row_in_block[p]`; MISSED if absent."""
    _, k = rows.shape
    width = max(int(rows.max()), int(wanted.max())) + 1
    keys = np.where(rows == NO_ROW, -1, np.arange(len(rows))[:, None] * width + rows).ravel()
    order = np.argsort(keys, kind="stable")
    wanted_keys = row_in_block * width + wanted
    place = order[np.minimum(np.searchsorted(keys, wanted_keys, sorter=order), len(keys) - 1)]
    return np.where(keys[place] == wanted_keys, place % k + 1, MISSED)


def _pools(benchmark: Benchmark, order: NDArray[np.int64]) -> Iterator[_Pool]:
    """The pools with relevant candidates: each cell, and all languages if the benchmark has a common pool."""
    cells = benchmark.cells
    parts = 1 if benchmark.parts is None else int(benchmark.parts.max()) + 1
    names = [f"{name}.{part}" if parts > 1 else name for name in benchmark.languages for part in range(parts)]
    bounds = np.searchsorted(cells[order], np.arange(len(names) + 1)).tolist()
    cell_of_pair = cells[benchmark.relevant]
    for cell, name in enumerate(names):
        pairs = np.flatnonzero(cell_of_pair == cell)
        if len(pairs):
            yield _Pool(name, bounds[cell], bounds[cell + 1], pairs, is_all=False)
    if benchmark.pooled:
        yield _Pool("all", 0, len(order), np.arange(len(cell_of_pair)), is_all=True)


def _search_blocks(
    search: Search, queries: NDArray[np.float32], rows: NDArray[np.int64], depth: int, description: str
) -> Iterator[tuple[NDArray[np.int64], Neighbours]]:
    with bar(description, len(rows), unit="queries") as progress:
        for start in range(0, len(rows), _BLOCK_QUERIES):
            block = rows[start : start + _BLOCK_QUERIES]
            yield block, search(queries[block], depth)
            progress.advance(len(block))


def _break_ties(found: Neighbours, tie_order: NDArray[np.int64]) -> NDArray[np.int64]:
    """(Q, k) rows, best first, ties by ascending tie order; NO_ROW at the end."""
    order = np.lexsort((tie_order[found.rows], -found.scores), axis=1)
    return np.take_along_axis(found.rows, order, axis=1)


def _storage_order(benchmark: Benchmark, descending: NDArray[np.int64]) -> NDArray[np.int64]:
    return descending[np.argsort(benchmark.cells[descending], kind="stable")]


def _log_recall(benchmark: Benchmark, recall: dict[str, float]) -> None:
    least = min(share for name, share in recall.items() if name != "all")
    over_all = f"{percent_at_least(recall['all'], 1)} over the pool of all languages, " if benchmark.pooled else ""
    message = "%s: of the exact first %d the index finds %s%s or more in each"
    log.info(message, benchmark.name, DEPTH, over_all, percent_at_least(least, 1))

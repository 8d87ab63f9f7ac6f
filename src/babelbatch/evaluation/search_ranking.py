"""Ranks by search: which relevant candidates are among the first hundred, in their own language and in the whole pool.

For pools that are too large to be held in memory or ranked in full. What is beyond the first hundred has no rank.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from babelbatch.evaluation.id_order import by_descending_id
from babelbatch.evaluation.metrics import MISSED
from babelbatch.evaluation.ranking import Ranks
from babelbatch.progress import bar
from babelbatch.records import ABSENT, Benchmark
from babelbatch.search.index import HNSW, IVF, NO_ROW, Exact, Neighbours, measure_recall
from babelbatch.search.vectors import Vectors

DEPTH = 100
"""Places that are searched for, or all candidates if there are fewer."""

log = logging.getLogger(__name__)

_QUERIES = 8_192  # searched at once

Index = Exact | IVF | HNSW


@dataclass(frozen=True, slots=True)
class Found:
    """What the searches of a benchmark found.

    ranks: of the relevant pairs, as `ranking.rank` has them; MISSED where the candidate is not among the first DEPTH,
        and in the pool where there is none.
    top: (Q, k) candidates in the first places of the pool, ABSENT where an approximate index found fewer.
    recall: pool ("all", or a language) -> the share of the exact first DEPTH that an approximate index finds, see
        `search.measure_recall`. Empty for the exact search.
    """

    ranks: Ranks
    top: np.ndarray
    recall: dict[str, float]


def storage_order(benchmark: Benchmark) -> np.ndarray:
    """(C,) candidates in the order in which their vectors are to be written: by language, so that a language is a
    slice, and in it the greater id first, which is how trec_eval ranks equal scores."""
    return _storage_order(benchmark, by_descending_id(benchmark.candidate_ids))


def search_ranks(
    benchmark: Benchmark, queries: np.ndarray, vectors: Vectors, index: Index, k: int, threads: int | None = None
) -> Found:
    """Searches the candidates of each language, or of each of its parts, for the queries that they answer, and the pool
    for all queries, if the benchmark has one.

    queries: (Q, d) float32. vectors: of the candidates, in the order of `storage_order`. k: places of `Found.top`, at
    most DEPTH. Equal scores rank as trec_eval ranks them, the greater candidate id first; only which of several equal
    ones is the last of the DEPTH is left to faiss. Holds the scores of a block of queries with DEPTH candidates, and of
    the vectors what the index holds: one shard at a time, or a pool.
    """
    descending = by_descending_id(benchmark.candidate_ids)
    order = _storage_order(benchmark, descending)
    cells = benchmark.cells
    parts = 1 if benchmark.parts is None else int(benchmark.parts.max()) + 1
    names = [f"{name}.{part}" if parts > 1 else name for name in benchmark.languages for part in range(parts)]
    bounds = np.searchsorted(cells[order], np.arange(len(names) + 1))
    query_of_pair = np.repeat(np.arange(len(queries)), np.diff(benchmark.relevant_offsets))
    cell_of_pair = cells[benchmark.relevant]
    tie_place = np.empty(len(order), np.int64)
    tie_place[descending] = np.arange(len(order))
    tie_place = tie_place[order]  # of each row
    row_of = np.empty(len(order), np.int64)
    row_of[order] = np.arange(len(order))
    relevant = row_of[benchmark.relevant]

    within_language = np.full(len(relevant), MISSED)
    in_pool = np.full(len(relevant), MISSED)
    top = np.full((len(queries), min(k, len(order))), ABSENT, np.int64)
    recall: dict[str, float] = {}
    searched = [(name, bounds[place], bounds[place + 1]) for place, name in enumerate(names)]
    pools = [*searched, ("all", 0, len(order))] if benchmark.pooled else searched
    for place, (name, start, stop) in enumerate(pools):
        whole = place == len(searched)
        pairs = np.arange(len(relevant)) if whole else np.flatnonzero(cell_of_pair == place)
        if len(pairs) == 0:
            continue
        pool = vectors if whole else _part(vectors, start, stop)
        depth = min(DEPTH, int(stop - start))
        asked = np.unique(query_of_pair[pairs])  # ascending, as the pairs are
        search = index.build(pool, threads)
        if not isinstance(index, Exact):
            recall[name] = measure_recall(search, queries[asked], depth, pool=pool, threads=threads)
        with bar(f"searching {benchmark.name} ({name})", len(asked), unit="queries") as progress:
            for first in range(0, len(asked), _QUERIES):
                block = asked[first : first + _QUERIES]
                found = search(queries[block], depth)
                rows = _with_ties_by_id(found, tie_place[start:stop])
                span = slice(*np.searchsorted(query_of_pair[pairs], [block[0], block[-1] + 1]))
                of = np.searchsorted(block, query_of_pair[pairs[span]])
                ranks = ranks_in(rows, of, relevant[pairs[span]] - start)
                (in_pool if whole else within_language)[pairs[span]] = ranks
                if whole:
                    shown = rows[:, : top.shape[1]]
                    top[block] = np.where(shown == NO_ROW, ABSENT, order[shown])
                progress.advance(len(block))
    if recall:
        least = min(share for name, share in recall.items() if name != "all")
        whole = f"{100 * recall['all']:.1f} % over the pool of all languages, " if benchmark.pooled else ""
        log.info(
            "%s: of the exact first %d the index finds %s%.1f %% or more in each",
            benchmark.name, DEPTH, whole, 100 * least,
        )  # fmt: skip
    return Found(Ranks(within_language, in_pool), top, recall)


def ranks_in(rows: np.ndarray, of: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(P,) rank, from 1, of the row `wanted[p]` among the (Q, k) `rows` of query `of[p]`; MISSED where it is not."""
    _, k = rows.shape
    width = max(int(rows.max()), int(wanted.max())) + 1
    keys = np.where(rows == NO_ROW, -1, np.arange(len(rows))[:, None] * width + rows).ravel()
    order = np.argsort(keys, kind="stable")
    asked = of * width + wanted
    place = order[np.minimum(np.searchsorted(keys, asked, sorter=order), len(keys) - 1)]
    return np.where(keys[place] == asked, place % k + 1, MISSED)


def _with_ties_by_id(found: Neighbours, tie_place: np.ndarray) -> np.ndarray:
    """(Q, k) rows, best first, of equal ones that with the least tie place; NO_ROW at the end."""
    order = np.lexsort((tie_place[found.rows], -found.scores), axis=1)
    return np.take_along_axis(found.rows, order, axis=1)


def _part(vectors: Vectors, start: int, stop: int) -> Sequence[np.ndarray]:
    """The rows from `start` to `stop`, mapped, shard by shard."""
    parts = []
    for place, first in enumerate(vectors.starts[:-1]):
        last = vectors.starts[place + 1]
        if start < last and first < stop:
            parts.append(vectors[place][max(start - first, 0) : stop - first])
    return parts


def _storage_order(benchmark: Benchmark, descending: np.ndarray) -> np.ndarray:
    return descending[np.argsort(benchmark.cells[descending], kind="stable")]

"""Ranks of a benchmark without a pool of all languages: each cell by itself, at the cost of its own candidates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from babelbatch.evaluation.ranking import rank, rows_in_pool
from babelbatch.evaluation.ranks import Ranks
from babelbatch.evaluation.scorer import Matrix
from babelbatch.progress import bar
from babelbatch.records import Benchmark


def rank_cells(benchmark: Benchmark, queries: Matrix, candidates: Matrix, *, divided: bool = False) -> Ranks:
    """Ranks the relevant candidates of a benchmark that is not pooled among those of their `cells`.

    queries: (Q, d) float32. candidates: (C, d) float32, both dense or both sparse. Ranks in the pool are those within
    the language. Ties and `divided` as in `ranking.rank`.
    """
    cells = benchmark.cells
    cell_of_pair = cells[benchmark.relevant]
    query_of_pair = np.repeat(np.arange(len(benchmark.query_ids)), np.diff(benchmark.relevant_offsets))
    ranks = np.empty(len(cell_of_pair), np.int64)
    with bar(f"ranking {benchmark.name}", len(cell_of_pair), unit="relevant candidates") as progress:
        for cell in np.unique(cell_of_pair):
            pool, pairs = np.flatnonzero(cells == cell), np.flatnonzero(cell_of_pair == cell)
            rows, starts = np.unique(query_of_pair[pairs], return_index=True)
            relevant = np.searchsorted(pool, benchmark.relevant[pairs])
            of_cell = _restrict(benchmark, rows, pool, np.append(starts, len(pairs)), relevant)
            ranks[pairs] = rank(of_cell, queries[rows], candidates[pool], k=1, divided=divided)[0].within_language
            progress.advance(len(pairs))
    return Ranks(ranks, ranks)


def _restrict(
    benchmark: Benchmark,
    rows: NDArray[np.int64],
    pool: NDArray[np.int64],
    relevant_offsets: NDArray[np.int64],
    relevant: NDArray[np.int64],
) -> Benchmark:
    """The queries `rows` over the candidates `pool` as a benchmark of one language, without gains. Ids
    stand in for the texts, which may be on disk: ranks come from vectors."""
    query_ids = tuple(benchmark.query_ids[row] for row in rows.tolist())
    candidate_ids = tuple(benchmark.candidate_ids[row] for row in pool.tolist())
    return replace(
        benchmark,
        languages=benchmark.languages[:1],
        query_ids=query_ids,
        query_texts=query_ids,
        query_languages=np.zeros(len(rows), np.int16),
        candidate_ids=candidate_ids,
        candidate_texts=candidate_ids,
        candidate_languages=np.zeros(len(pool), np.int16),
        relevant_offsets=relevant_offsets,
        relevant=relevant,
        gains=None,
        parts=None,
        missing=None,
        excluded=None if benchmark.excluded is None else rows_in_pool(benchmark.excluded[rows], pool),
        clusters=None,
        query_tasks=None,
    )

"""Ranks where there is no pool of all languages: each cell by itself, at the cost of its own candidates alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from babelbatch.evaluation.ranking import Ranks, rank
from babelbatch.evaluation.scorer import Matrix
from babelbatch.records import Benchmark


def rank_cells(benchmark: Benchmark, queries: Matrix, candidates: Matrix) -> Ranks:
    """As `ranking.rank`, of a benchmark that is not pooled: its relevant candidates among those of their `cells`. Ranks
    in the pool are those within the language.

    queries: (Q, d) float32. candidates: (C, d) float32, both dense or both sparse.
    """
    cells = benchmark.cells
    cell_of_pair = cells[benchmark.relevant]
    query_of_pair = np.repeat(np.arange(len(benchmark.query_ids)), np.diff(benchmark.relevant_offsets))
    ranks = np.empty(len(cell_of_pair), np.int64)
    for cell in np.unique(cell_of_pair):
        pool, pairs = np.flatnonzero(cells == cell), np.flatnonzero(cell_of_pair == cell)
        asked, starts = np.unique(query_of_pair[pairs], return_index=True)
        alone = replace(
            benchmark,
            languages=benchmark.languages[:1],
            query_ids=tuple(benchmark.query_ids[row] for row in asked),
            query_texts=(),
            query_languages=np.zeros(len(asked), np.int16),
            candidate_ids=tuple(benchmark.candidate_ids[row] for row in pool),
            candidate_texts=(),
            candidate_languages=np.zeros(len(pool), np.int16),
            relevant_offsets=np.append(starts, len(pairs)),
            relevant=np.searchsorted(pool, benchmark.relevant[pairs]),
            gains=None,
            parts=None,
            clusters=None,
        )
        ranks[pairs] = rank(alone, queries[asked], candidates[pool], k=1)[0].within_language
    return Ranks(ranks, ranks)

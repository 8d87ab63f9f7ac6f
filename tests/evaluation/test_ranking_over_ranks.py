"""A ranking that real processes divide: each gets what one process gets, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from babelbatch.evaluation import ranking
from babelbatch.evaluation.cell_ranking import rank_cells
from babelbatch.records import Benchmark
from preloaded import preload

RANKS = 3
QUERIES, CANDIDATES, IDS = 90, 200, 30
BLOCK = 7  # queries; so there are 15 blocks of two ids, 6 queries each


def benchmark() -> Benchmark:
    """30 questions in three languages, each with three answers."""
    random = np.random.default_rng(0)
    return Benchmark(
        name="made",
        languages=("de", "en", "zh"),
        query_ids=tuple(f"q{row % IDS}" for row in range(QUERIES)),
        query_texts=("",) * QUERIES,
        query_languages=(np.arange(QUERIES) // IDS).astype(np.int16),
        candidate_ids=tuple(f"d{row}" for row in range(CANDIDATES)),
        candidate_texts=("",) * CANDIDATES,
        candidate_languages=random.integers(0, 3, CANDIDATES).astype(np.int16),
        relevant_offsets=np.arange(0, 3 * QUERIES + 1, 3),
        relevant=np.concatenate([random.choice(CANDIDATES, 3, replace=False) for _ in range(QUERIES)]),
        protocol="made",
    )


def found(least_queries: int, between: Callable[[], None] = lambda: None) -> dict[str, list[list[object]]]:
    """Everything that a ranking finds, of the pool and of cells. Small whole numbers have many ties, and products that
    no number of threads rounds otherwise."""
    ranking._BLOCK_SCORES, ranking._LEAST_QUERIES = 1, least_queries
    random = np.random.default_rng(1)
    vectors = [random.integers(-2, 3, (rows, 6)).astype(np.float32) for rows in (QUERIES, CANDIDATES)]
    ranks, top = ranking.rank(benchmark(), *vectors, k=10, divided=True)
    between()
    cells = rank_cells(benchmark(), *vectors, divided=True)
    return {
        f"{name} {slot}": getattr(made, slot).tolist()
        for name, made in (("pool", ranks), ("top", top), ("cells", cells))
        for slot in made.__slots__
    }


def _rank(number: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", timeout=timedelta(seconds=120), rank=number, world_size=RANKS
    )
    asked = []
    scorer = ranking.scorer

    def counting_scorer(queries: ranking.Matrix, candidates: ranking.Matrix) -> object:
        scores_of = scorer(queries, candidates)

        def counted(rows: np.ndarray) -> np.ndarray:
            asked.append(len(rows))
            return scores_of(rows)

        return counted

    ranking.scorer = counting_scorer
    in_the_pool: list[int] = []
    some = found(BLOCK, lambda: in_the_pool.extend(asked))
    one_block = found(1_000)
    if number == 0:  # without the others
        asked.clear()
        ranking.rank(benchmark(), *(np.ones((rows, 2), np.float32) for rows in (QUERIES, CANDIDATES)), k=1)
    torch.save((some, one_block, in_the_pool, sum(asked)), folder / f"{number}.pt")
    dist.barrier()
    dist.destroy_process_group()


def test_each_rank_has_the_ranks_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preload()
    mp.start_processes(_rank, (tmp_path,), RANKS, daemon=True, start_method="forkserver")
    for name in ("_BLOCK_SCORES", "_LEAST_QUERIES"):
        monkeypatch.setattr(ranking, name, getattr(ranking, name))
    expected = found(BLOCK), found(1_000)
    assert len(expected[0]["top across"]) == 3 * IDS
    for number in range(RANKS):
        some, one_block, in_the_pool, alone = torch.load(tmp_path / f"{number}.pt")
        assert (some, one_block) == expected
        assert in_the_pool == [6] * 5, "each of three processes scores five of fifteen blocks"
        assert number > 0 or alone == QUERIES

"""A search that several real processes divide: each finds what one process finds, to the bit, or what one refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from numpy.typing import NDArray

from babelbatch.distributed.collectives import errors_on_every_rank, items_of_rank_0, rank, share_of_rank
from babelbatch.search import index as index_module
from babelbatch.search.index import HNSW, IVF, Exact, Pool, exact_top_k, measure_recall
from babelbatch.search.vectors import VectorWriter
from preloaded import preload

RANKS = 3
POOL = np.random.default_rng(0).normal(size=(2_000, 16)).astype(np.float32)
POOL[1_700:1_900] = POOL[100:300]  # ties between arrays of two ranks
QUERIES = np.random.default_rng(1).normal(size=(70, 16)).astype(np.float32)
DAMAGED = POOL.copy()
DAMAGED[1_999, 3] = np.nan


def arrays(pool: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return np.split(pool, [400, 400, 700, 1_100, 1_600])


def searches(folder: Path) -> dict[str, Callable[[], object]]:
    """What is asked of each rank, and of one process."""
    parts = {"ivf": IVF(lists=8, probes=2, part_rows=600), "hnsw": HNSW(links=4, search=8, part_rows=600)}
    pools: dict[str, Pool] = {"arrays": arrays(POOL), "one array": POOL, "files": stored(folder)}
    asked: dict[str, Callable[[], object]] = {}
    for name, pool in pools.items():
        asked[f"exact, {name}"] = lambda pool=pool: Exact().build(pool, 1)(QUERIES, 50)
    asked["exact, more than a rank has"] = lambda: exact_top_k(QUERIES, 1_990, pool=arrays(POOL), threads=1)
    asked["exact, fewer arrays than ranks"] = lambda: exact_top_k(QUERIES, 3, pool=[POOL[:2], POOL[2:4]], threads=1)
    asked["exact, no query"] = lambda: exact_top_k(QUERIES[:0], 5, pool=arrays(POOL), threads=1)
    for name, index in parts.items():
        asked[name] = lambda index=index: index.build(arrays(POOL), 1)(QUERIES, 50)
        asked[f"recall of {name}"] = lambda index=index: measure_recall(
            index.build(arrays(POOL), 1), QUERIES, 20, pool=arrays(POOL), threads=1
        )
        asked[f"{name}, damaged"] = lambda index=index: index.build(arrays(DAMAGED), 1)
    asked["one index"] = lambda: IVF(lists=8, probes=2).build(arrays(POOL), 1)(QUERIES, 50)
    asked["exact, damaged"] = lambda: exact_top_k(QUERIES, 5, pool=arrays(DAMAGED), threads=1)
    return asked


def stored(folder: Path) -> Pool:
    writer = VectorWriter(folder / f"vectors-{rank()}", 16, "test", shard_rows=300)
    writer.append(POOL)
    return writer.close()


def outcomes(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, ask in searches(folder).items():
        try:
            answer = ask()
        except ValueError as error:
            found[name] = str(error)
        else:
            found[name] = answer if isinstance(answer, float) else (answer.rows.tolist(), answer.scores.tolist())
    return found


def interrupted(number: int) -> Iterator[int]:
    yield number
    raise ValueError("the second line is damaged")


def _rank(number: int, folder: Path, gathered_queries: int) -> None:
    index_module._GATHERED_QUERIES = gathered_queries
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", timeout=timedelta(seconds=120), rank=number, world_size=RANKS
    )
    found = outcomes(folder)
    found["share"] = [list(share_of_rank(count)) for count in (7, 2, 0)]
    found["items"] = list(items_of_rank_0(iter(["a", "b"] if number == 0 else ["c"])))
    seen: list[object] = []
    try:
        for item in items_of_rank_0(interrupted(number)):
            seen.append(item)
    except ValueError as error:
        seen.append(str(error))
    found["interrupted items"] = seen
    try:
        with errors_on_every_rank():
            if number == 1:
                raise ValueError("rank 1 has no disk")
    except ValueError as error:
        found["error"] = str(error)
    torch.save(found, folder / f"{number}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """What each of three real processes found."""
    folder = tmp_path_factory.mktemp("ranks")
    preload()
    mp.start_processes(_rank, (folder, 32), RANKS, daemon=True, start_method="forkserver")
    return [torch.load(folder / f"{number}.pt") for number in range(RANKS)]


def test_each_rank_finds_what_one_process_finds(ranks: list[dict[str, object]], tmp_path: Path) -> None:
    expected = outcomes(tmp_path)
    damaged = {name for name, outcome in expected.items() if isinstance(outcome, str)}
    assert damaged == {"exact, damaged", "ivf, damaged", "hnsw, damaged"}
    assert 0.2 < expected["recall of ivf"] < 0.99
    for found in ranks:
        for name, outcome in expected.items():
            assert found[name] == outcome, name


def test_ranks_divide_work_without_rest(ranks: list[dict[str, object]]) -> None:
    for place, count in enumerate((7, 2, 0)):
        assert [each for found in ranks for each in found["share"][place]] == list(range(count))
    assert {len(found["share"][0]) for found in ranks} == {2, 3}


def test_all_ranks_get_the_items_and_the_errors_of_one(ranks: list[dict[str, object]]) -> None:
    for found in ranks:
        assert found["items"] == ["a", "b"]
        assert found["interrupted items"] == [0, "the second line is damaged"]
        assert found["error"] == "rank 1 has no disk"

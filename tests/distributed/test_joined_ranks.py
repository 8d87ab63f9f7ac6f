"""`commands.ranks.joined_ranks` in two real processes: they work together, and none outlives a mistake of the other.

Here because the processes import this module, and `tests.commands` is two things.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from babelbatch.commands.ranks import OTHER_WORK, joined_ranks
from babelbatch.distributed.collectives import errors_on_every_rank, max_over_ranks, require_equal
from preloaded import preload
from processes import free_port


def _joined(rank: int, folder: Path, port: int) -> None:
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }  # fmt: skip
    found: list[object] = []
    try:
        with joined_ranks():
            found += [dist.get_world_size(), max_over_ranks(10 * rank)]
            with errors_on_every_rank():
                if rank == 1:
                    raise ValueError("rank 1 has no such folder")
    except ValueError as error:
        found.append(str(error))
    found.append(dist.is_initialized())
    os.environ["MASTER_PORT"] = str(port + 1)
    try:
        with joined_ranks():
            if rank == 1:
                raise OSError("the disk is full")
            max_over_ranks(0)
    except (ValueError, OSError) as error:
        found.append(str(error).partition(";")[0])
    os.environ["MASTER_PORT"] = str(port + 2)
    try:
        with joined_ranks():
            require_equal("the same", OTHER_WORK)
            require_equal(str(rank), OTHER_WORK)
    except ValueError as error:
        found.append(str(error))
    torch.save(found, folder / f"{rank}.pt")


@pytest.mark.slow
def test_a_rank_that_fails_ends_the_others(tmp_path: Path) -> None:
    preload()
    mp.start_processes(_joined, (tmp_path, free_port()), 2, daemon=True, start_method="forkserver")
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    both = [2, 10, "rank 1 has no such folder", False]
    assert first == [*both, "another process of this command has ended", OTHER_WORK]
    assert second == [*both, "the disk is full", OTHER_WORK]

"""The ranks of a command that does not train: torchrun or srun started them, and they divide its work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from itertools import count

import torch.distributed as dist
from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]  # public, but only re-exported
from torch.distributed.rendezvous import rendezvous

from babelbatch.distributed.collectives import leave_group
from babelbatch.distributed.ranks import global_rank, world_size

_LONGEST_WAIT = timedelta(days=1)  # one rank may have the index of a large part to build when another has none

_JOBS = count()


@contextmanager
def joined_ranks() -> Iterator[None]:
    """Within it the ranks can communicate, in main memory. With one process it does nothing.

    A rank that ends with an error closes its connections, which ends the others.
    """
    if (ranks := world_size() or 1) == 1:
        yield
        return
    store = PrefixStore(f"job {next(_JOBS)}", _store())  # what an earlier job of a sweep left there is not ours
    dist.init_process_group("gloo", store=store, rank=global_rank(), world_size=ranks, timeout=_LONGEST_WAIT)
    try:
        yield
    except BaseException:
        dist.destroy_process_group()
        raise
    leave_group()


@cache
def _store() -> Store:
    """Where the ranks leave their addresses, until this process ends."""
    _name_rank_0()
    met: tuple[Store, int, int] = next(rendezvous("env://", global_rank(), world_size() or 1))
    return met[0]


def _name_rank_0() -> None:
    """Where srun started the ranks, sets the address and the port at which they meet, as torchrun does."""
    if "MASTER_ADDR" in os.environ and "MASTER_PORT" in os.environ:
        return
    # Here, because it imports Lightning, which a search does without; which hands the class on without exporting it.
    from pytorch_lightning.plugins.environments import SLURMEnvironment  # type: ignore[attr-defined]

    environment = SLURMEnvironment()
    os.environ["MASTER_ADDR"] = environment.main_address
    os.environ["MASTER_PORT"] = str(environment.main_port)

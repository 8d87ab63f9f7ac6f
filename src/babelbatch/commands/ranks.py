"""The ranks of a command that does not train: torchrun or srun started them, and they divide its work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch.distributed as dist

from babelbatch.distributed.collectives import leave_group
from babelbatch.distributed.ranks import global_rank, ranks_of_step

OTHER_WORK = "the processes of this command have different settings, weights or data; give all of them the same"
_LONGEST_WAIT = timedelta(days=1)  # one rank may have the index of a large part to build when another has none


@contextmanager
def joined_ranks() -> Iterator[None]:
    """Within it the ranks can communicate over gloo, without their GPUs. With one process it does nothing.

    A rank that ends with an error closes its connections. Raises ValueError where another one did.
    """
    if (ranks := ranks_of_step()) == 1:
        yield
        return
    _name_rank_0()
    dist.init_process_group("gloo", rank=global_rank(), world_size=ranks, timeout=_LONGEST_WAIT)
    try:
        yield
        leave_group()
    except BaseException as error:
        if dist.is_initialized():
            dist.destroy_process_group()
        if isinstance(error, RuntimeError) and "by peer" in str(error):
            raise ValueError(
                "another process of this command has ended; the reason is in its output, or in rank<k>.log of the "
                "output folder"
            ) from error
        raise


def _name_rank_0() -> None:
    """Where srun started the ranks, sets the address and the port at which they meet, as torchrun does."""
    if "MASTER_ADDR" in os.environ and "MASTER_PORT" in os.environ:
        return
    # Here, because it imports Lightning, which a search does without; which hands the class on without exporting it.
    from pytorch_lightning.plugins.environments import SLURMEnvironment  # type: ignore[attr-defined]

    nodes = os.environ.get("SLURM_STEP_NODELIST") or os.environ["SLURM_NODELIST"]
    job, step = int(os.environ["SLURM_JOB_ID"]), int(os.environ.get("SLURM_STEP_ID", 0))
    os.environ.setdefault("MASTER_ADDR", SLURMEnvironment.resolve_root_node_address(nodes))
    os.environ.setdefault("MASTER_PORT", str(15_000 + (job + 101 * step) % 10_000))  # steps of a job run side by side

"""The rank and number of processes of a run, as the launcher's environment variables give them."""

from __future__ import annotations

import os

SHARDED_STRATEGY = "fsdp"
"""The value of `trainer.strategy` with which the encoder is divided among the ranks. Lightning's own strategy of this
name, for the first version of FSDP, is not used."""


def global_rank() -> int:
    """The rank of this process, 0 if it is the only one. Rank 0 writes the run's files and takes its lock."""
    if "RANK" in os.environ:
        return int(os.environ["RANK"])
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    return int(os.environ.get("SLURM_PROCID", 0)) if _started_by_srun() else 0


def local_rank() -> int:
    """The number of this process among those of its machine, from 0."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    return int(os.environ.get("SLURM_LOCALID", 0)) if _started_by_srun() else 0


def world_size() -> int | None:
    """Number of processes that torchrun, srun or `supervisor.py` started together; None if none of them did."""
    if "WORLD_SIZE" in os.environ:
        return int(os.environ["WORLD_SIZE"])
    return int(os.environ["SLURM_NTASKS"]) if _started_by_srun() else None


def ranks_of_step() -> int:
    """Number of processes that run this command together, started by torchrun or by srun; 1 without them. A batch
    script sees the number of tasks of its job, and runs a command that it types without srun once."""
    if "WORLD_SIZE" in os.environ:
        return int(os.environ["WORLD_SIZE"])
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) if _started_by_srun() else 1


def srun_lacks_tasks_per_node() -> bool:
    """Whether srun started several processes (-n) without --ntasks-per-node, which Lightning needs."""
    by_srun = "WORLD_SIZE" not in os.environ and _started_by_srun()
    return by_srun and int(os.environ["SLURM_NTASKS"]) > 1 and "SLURM_NTASKS_PER_NODE" not in os.environ


def devices_per_node(devices: object) -> int | None:
    """How many devices Lightning understands `trainer.devices` to be; None if it counts those of the machine."""
    match devices:
        case bool():
            return None
        case int() if devices >= 1:
            return devices
        case list() if devices:
            return len(devices)
        case str() if "," in devices:
            return len([part for part in devices.split(",") if part.strip()]) or None
        case str() if devices.isdigit() and int(devices) >= 1:
            return int(devices)
        case _:
            return None


def _started_by_srun() -> bool:
    """Decided as Lightning decides it, so that both see the same ranks: an interactive allocation starts nothing."""
    return "SLURM_NTASKS" in os.environ and os.environ.get("SLURM_JOB_NAME") not in {"bash", "interactive"}

"""Which of the processes of a run this one is, as whoever started it says in the environment."""

from __future__ import annotations

import os


def global_rank() -> int:
    """0 for the process that writes the run's files and takes its lock; 0 also when there is only one."""
    if "RANK" in os.environ:
        return int(os.environ["RANK"])
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    return int(os.environ.get("SLURM_PROCID", 0)) if _started_by_srun() else 0


def world_size() -> int | None:
    """How many processes were started together (by torchrun, srun or `supervisor.py`), or None if nobody said so."""
    if "WORLD_SIZE" in os.environ:
        return int(os.environ["WORLD_SIZE"])
    return int(os.environ["SLURM_NTASKS"]) if _started_by_srun() else None


def srun_lacks_tasks_per_node() -> bool:
    """Whether srun was told how many processes to start (-n), but not how many a machine, which Lightning asks for."""
    ours = "WORLD_SIZE" not in os.environ and _started_by_srun()
    return ours and int(os.environ["SLURM_NTASKS"]) > 1 and "SLURM_NTASKS_PER_NODE" not in os.environ


def devices_per_node(devices: object) -> int | None:
    """How many devices Lightning takes `trainer.devices` for, or None where it would count those of the machine."""
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
    """As Lightning decides it, so that both see the same ranks: an interactive allocation starts nothing by itself."""
    return "SLURM_NTASKS" in os.environ and os.environ.get("SLURM_JOB_NAME") not in {"bash", "interactive"}

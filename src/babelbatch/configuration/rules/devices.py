"""Checks of the devices and processes of a run, and of how the processes were started."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from babelbatch.configuration.rules.sharding import problems_of_sharding
from babelbatch.distributed.gpus import has_no_gpu
from babelbatch.distributed.ranks import SHARDED_STRATEGY, devices_per_node, srun_lacks_tasks_per_node, world_size

_LAUNCHED_HERE = (".BasicLauncher", ".FreshLauncher", ".JoblibLauncher", ".LocalLauncher")
"""Launchers whose jobs run on this machine."""


def problems_of_gpu(cfg: dict[str, Any], launcher: str | None) -> Iterator[str]:
    """Settings that need a GPU where there is none. A cluster's launcher starts the jobs on other machines."""
    if not has_no_gpu() or not (launcher is None or launcher.endswith(_LAUNCHED_HERE)):
        return
    trainer = cfg.get("trainer") or {}
    if (accelerator := trainer.get("accelerator")) in {"gpu", "cuda"}:
        yield f"trainer.accelerator: {accelerator}, but this machine has no GPU; set trainer=default"
    elif (precision := str(trainer.get("precision", ""))).startswith("16"):
        yield f"trainer.precision: {precision} needs a GPU; set trainer.precision=bf16-mixed"
    if str(device := cfg.get("device", "auto")).startswith("cuda"):
        yield f"device: {device}, but this machine has no GPU; set device=auto"


def problems_of_devices(cfg: dict[str, Any], launcher: str | None) -> Iterator[str]:
    """Yields `path: problem; remedy`. launcher: the class that starts the jobs of a sweep; None for a single run."""
    trainer = cfg["trainer"]
    devices = devices_per_node(trainer.get("devices", "auto"))
    if devices is None:
        yield (
            f"trainer.devices: {trainer.get('devices', 'auto')!r} gives no number of devices; "
            "set a number, or a list such as [0,2]"
        )
        return
    nodes = trainer.get("num_nodes", 1)
    if not isinstance(nodes, int) or nodes < 1:
        yield f"trainer.num_nodes: {nodes!r} is not at least 1"
        return
    total, started = devices * nodes, world_size() or 1
    if started > 1 and launcher is not None:
        yield "hydra/launcher: a sweep starts the processes of its jobs itself; type it without torchrun or srun"
    elif started > 1 and started != total:
        yield f"trainer.devices: {started} processes were started, but trainer.devices times num_nodes is {total}"
    elif srun_lacks_tasks_per_node():
        yield (
            f"trainer.devices: srun has the total number of processes only; "
            f"type srun --nodes={nodes} --ntasks-per-node={devices}"
        )
    yield from problems_of_sharding(cfg, total)
    if total == 1:
        return
    strategy = trainer.get("strategy", "auto")
    if isinstance(strategy, str) and strategy != SHARDED_STRATEGY and not _starts_no_process(strategy):
        yield f"trainer.strategy: {total} devices need the strategy ddp or fsdp, not {strategy!r}; set trainer=ddp"
    size = cfg["sampling"].get("batch_size")
    if isinstance(size, int) and size < total:
        yield f"sampling.batch_size: {size} pairs do not give each of {total} devices one; raise it"
    if launcher is not None and launcher.endswith(".BasicLauncher"):
        yield f"trainer.devices: in a sweep, {total} devices need fresh processes; set hydra/launcher=fresh"
    elif nodes > 1 and started == 1 and (launcher is None or launcher.endswith((*_LAUNCHED_HERE, ".RayLauncher"))):
        yield (
            f"trainer.num_nodes: nothing has started the processes on {nodes} machines; "
            "use srun, torchrun or a launcher such as submitit_slurm"
        )


def _starts_no_process(strategy: str) -> bool:
    """Whether it is DDP among processes that somebody else has started."""
    return strategy.startswith("ddp") and not re.search("spawn|fork|notebook", strategy)

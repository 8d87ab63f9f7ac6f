"""Checks of the launcher of a sweep: what it needs on this machine, and whether it fits the jobs."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from typing import Any

from babelbatch.distributed.ranks import devices_per_node

_NEEDED = {
    ".SlurmLauncher": ("submitit_slurm", "submitit", "slurm"),
    ".LocalLauncher": ("submitit_local", "submitit", "slurm"),
    ".RayLauncher": ("ray", "ray", "ray"),
}
"""End of the class -> the option, the library and the extra that has it."""
_OWN = "hydra_plugins.babelbatch_launcher."


def problems_of_launcher(cfg: dict[str, Any], launcher: dict[str, Any]) -> Iterator[str]:
    """Yields `path: problem; remedy`. launcher: `hydra.launcher`, with its `_target_`."""
    target = launcher["_target_"]
    if not target.startswith(_OWN):
        return
    for end, (option, library, extra) in _NEEDED.items():
        if target.endswith(end) and not is_installed(library):
            yield f"hydra/launcher: {option} needs {library}; pip install 'babelbatch[{extra}]'"
    if target.endswith(".JoblibLauncher") and launcher.get("n_jobs") == 0:
        yield "hydra.launcher.n_jobs: 0 jobs at once; set a number, or -1 for one for each core"
    if target.endswith(".RayLauncher"):
        yield from _problems_of_gpus_of_ray(cfg, launcher)
    if target.endswith((".SlurmLauncher", ".LocalLauncher")):
        yield from _problems_of_time(launcher)
    if target.endswith(".LocalLauncher") and _number(launcher, "array_parallelism", 1) < 1:
        yield "hydra.launcher.array_parallelism: no job at once; set at least 1"
    if target.endswith(".SlurmLauncher"):
        if not has_sbatch():
            yield (
                "hydra/launcher: there is no sbatch on this machine; type the command on a node of the cluster, or try "
                "it here with hydra/launcher=submitit_local"
            )
        yield from _problems_of_tasks(cfg, launcher)


def jobs_at_once(launcher: dict[str, Any]) -> tuple[int, str] | None:
    """How many jobs a launcher runs at once at most, and how to raise it; None if that is not known."""
    target = launcher["_target_"]
    if target.endswith((".BasicLauncher", ".FreshLauncher")):
        return 1, "set hydra/launcher=joblib, or hydra.sweeper.n_jobs=1"
    for end, key in (
        (".JoblibLauncher", "n_jobs"),
        (".LocalLauncher", "array_parallelism"),
        (".SlurmLauncher", "array_parallelism"),
    ):
        if target.endswith(end) and isinstance(value := launcher.get(key), int) and value > 0:
            return value, f"raise hydra.launcher.{key}"
    return None


def is_installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def has_sbatch() -> bool:
    return shutil.which("sbatch") is not None


def _problems_of_time(launcher: dict[str, Any]) -> Iterator[str]:
    minutes, seconds = _number(launcher, "timeout_min", 1440), _number(launcher, "signal_delay_s", 120)
    if seconds >= 60 * minutes:
        yield (
            f"hydra.launcher.signal_delay_s: a job of {minutes:g} minutes is told {seconds:g} seconds before its end "
            "to save, that is at its start; lower it"
        )


def _problems_of_tasks(cfg: dict[str, Any], launcher: dict[str, Any]) -> Iterator[str]:
    """Whether Slurm starts one process, or all ranks of a job, and has a GPU for each."""
    nodes, tasks = _number(launcher, "nodes", 1), _number(launcher, "tasks_per_node", 1)
    trainer = cfg.get("trainer") or {}
    devices, wanted_nodes = devices_per_node(trainer.get("devices", 1)) or 1, trainer.get("num_nodes", 1)
    if (nodes, tasks) != (wanted_nodes, devices) and (nodes, tasks, wanted_nodes) != (1, 1, 1):
        yield (
            f"hydra.launcher.tasks_per_node: Slurm would start {tasks} processes on each of {nodes} nodes, and a job "
            f"has trainer.devices={devices} on trainer.num_nodes={wanted_nodes}; set "
            f"hydra.launcher.nodes={wanted_nodes} hydra.launcher.tasks_per_node={devices}"
        )
    gpus = launcher.get("gpus_per_node")
    if isinstance(gpus, int) and trainer.get("accelerator") != "cpu" and gpus < devices:
        yield (
            f"hydra.launcher.gpus_per_node: a job has {gpus} GPUs for trainer.devices={devices}; "
            f"set hydra.launcher.gpus_per_node={devices}, or null without GPUs"
        )


def _problems_of_gpus_of_ray(cfg: dict[str, Any], launcher: dict[str, Any]) -> Iterator[str]:
    devices = devices_per_node((cfg.get("trainer") or {}).get("devices", 1)) or 1
    gpus = launcher.get("num_gpus")
    if isinstance(gpus, (int, float)) and 0 < gpus < devices and devices > 1:
        yield f"hydra.launcher.num_gpus: {gpus:g} for trainer.devices={devices}; set it to {devices}, or null"


def _number(launcher: dict[str, Any], key: str, default: int) -> Any:
    value = launcher.get(key, default)
    return value if isinstance(value, (int, float)) else default

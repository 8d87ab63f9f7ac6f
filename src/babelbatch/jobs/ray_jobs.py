"""`hydra/launcher=ray`: each job a task of Ray."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from babelbatch.configuration.schema import ConfigError
from babelbatch.distributed.ranks import devices_per_node
from babelbatch.jobs.elsewhere import Task, without_result
from babelbatch.jobs.outcome import NOT_STARTED, Outcome
from babelbatch.jobs.supervisor import recorded_signals

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray sends statistics of its use home unless it is told not to


def run_with_ray(
    tasks: Sequence[Task], *, address: str | None, num_cpus: float, num_gpus: float | None, max_retries: int
) -> tuple[list[Outcome], int]:
    """Runs each task in a process of Ray's; see `elsewhere.Run`. The job has one of its own, which that one supervises.

    A signal is passed on to the jobs, which then save a checkpoint. Raises ConfigError if no node has what a job asks
    for, since Ray would wait for ever.
    """
    import ray  # of an extra, which this module can be imported without

    try:
        ray.init(address=address, include_dashboard=False, logging_level=logging.WARNING, log_to_driver=True)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            [f"hydra.launcher.address: Ray cannot be used at {address or 'this machine'} ({reason})"]
        ) from error
    try:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        found = [_resources(task, num_cpus, num_gpus, nodes) for task in tasks]
        _refuse_unavailable(found, nodes)
        run = ray.remote(_run)
        with recorded_signals() as received:
            handles = [
                run.options(num_cpus=cpus, num_gpus=gpus, max_retries=max_retries).remote(task)
                for task, (cpus, gpus) in zip(tasks, found, strict=True)
            ]
            waiting, passed_on = list(handles), 0
            while waiting:
                _, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=0.5)
                if len(received) > passed_on:
                    passed_on = len(received)
                    for handle in waiting:
                        ray.cancel(handle)
        return [_outcome(handle, task) for handle, task in zip(handles, tasks, strict=True)], (received or [0])[0]
    finally:
        ray.shutdown()


def _run(task: Task) -> Outcome:
    return task()


Node = dict[str, float]
"""What a node has: `CPU`, `GPU` and others."""


def _resources(task: Task, num_cpus: float, num_gpus: float | None, nodes: Sequence[Node]) -> tuple[float, float]:
    if num_gpus is not None:
        return num_cpus, num_gpus
    has_gpus = any(node.get("GPU") for node in nodes)
    devices = devices_per_node(task.cfg.trainer.get("devices", 1)) if "trainer" in task.cfg else 1
    return num_cpus, (devices or 1) if has_gpus else 0


def _refuse_unavailable(asked: Sequence[tuple[float, float]], nodes: Sequence[Node]) -> None:
    for cpus, gpus in asked:
        if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
            largest = ", ".join(f"{node.get('CPU', 0):g} and {node.get('GPU', 0):g}" for node in nodes)
            raise ConfigError(
                [
                    f"hydra.launcher: a job asks for {cpus:g} cores and {gpus:g} GPUs, and Ray's nodes have {largest}; "
                    "set hydra.launcher.num_cpus and .num_gpus"
                ]
            )


def _outcome(handle: Any, task: Task) -> Outcome:
    import ray
    from ray.exceptions import RayError, TaskCancelledError

    try:
        outcome = ray.get(handle)
    except TaskCancelledError:
        return NOT_STARTED
    except RayError as error:  # its process or its node was lost
        return without_result(task, (str(error).strip().splitlines() or [type(error).__name__])[0])
    assert isinstance(outcome, Outcome)
    return outcome

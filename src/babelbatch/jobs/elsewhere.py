"""Jobs of a sweep that run in other processes or on other machines, and their outcomes here.

`joblib_jobs`, `submitit_jobs` and `ray_jobs` run them; this module makes them, and is the same for all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from babelbatch.configuration.home import put_home
from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.schema import ConfigError
from babelbatch.jobs.failures import print_error
from babelbatch.jobs.job import skip_finished
from babelbatch.jobs.outcome import EXIT_FAILED, EXIT_USER_ERROR, FINISHED, NOT_STARTED, Outcome
from babelbatch.jobs.sweep import JobRunner
from babelbatch.runs.files import is_finished
from babelbatch.runs.stopping import Stopped


@dataclass(frozen=True)
class Task:
    """One job of a sweep, to be called in another process. What was checked runs: its configuration is composed.

    folder: of the run. place: the working directory of the command, in which relative paths of the settings lie.
    """

    runner: JobRunner
    context: HydraContext
    cfg: DictConfig
    folder: Path
    place: Path

    def __call__(self) -> Outcome:
        """Runs the job, and returns its outcome whatever that is."""
        try:
            os.chdir(self.place)
        except OSError as error:
            reason = (
                f"{self.place} cannot be entered on {os.uname().nodename} ({error.strerror}); all nodes must share it"
            )
            return Outcome("failed", EXIT_FAILED, reason)
        setup_globals()
        returned = run_job(self.runner, self.cfg, "hydra.sweep.dir", "hydra.sweep.subdir", self.context)
        outcome = returned.return_value
        assert isinstance(outcome, Outcome)
        return outcome


class OfHydra(Protocol):
    """What Hydra gives a launcher."""

    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig


Run = Callable[[Sequence[Task]], tuple[list[Outcome], int]]
"""Runs tasks to their end. Returns the outcome of each, and the signal that stopped this process meanwhile, or 0."""


def run_elsewhere(given: OfHydra, overrides: Sequence[Sequence[str]], first: int, run: Run) -> list[JobReturn]:
    """Runs those jobs of a batch that are not finished, and registers the outcome of each. A job that is listed twice
    runs once. first: the number of the first job. Raises Stopped if this process was asked to stop.

    run: may raise ConfigError if it can run none of them.
    """
    runner = given.task_function
    assert isinstance(runner, JobRunner)
    tasks = [_task(runner, given, each, number) for number, each in enumerate(overrides, first)]
    waiting: dict[Path, Task] = {}
    for task in tasks:
        if is_finished(task.folder, config_hash(task.cfg)):
            runner.register(task.folder, skip_finished(task.cfg, task.folder))
        else:
            waiting.setdefault(task.folder, task)
            runner.outcomes.setdefault(task.folder, NOT_STARTED)
    try:
        outcomes, signum = run(list(waiting.values())) if waiting else ([], 0)
    except ConfigError as error:  # Hydra would print a traceback
        print_error(str(error))
        outcomes, signum = [Outcome("failed", EXIT_USER_ERROR, error.problems[0])] * len(waiting), 0
    runner.outcomes |= dict(zip(waiting, outcomes, strict=True))
    if signum:
        raise Stopped(signum)
    return [_returned(each, task, runner.outcomes[task.folder]) for each, task in zip(overrides, tasks, strict=True)]


def without_result(task: Task, reason: str) -> Outcome:
    """The outcome of a job whose process has ended without telling it."""
    if is_finished(task.folder, config_hash(task.cfg)):
        return FINISHED
    return Outcome("failed", EXIT_FAILED, f"{reason}; run the same command again to resume")


def composed_job(given: OfHydra, overrides: Sequence[str], number: int) -> tuple[DictConfig, Path]:
    """The configuration of a job of a sweep, and the folder of its run. number: of the job."""
    cfg = given.hydra_context.config_loader.load_sweep_config(given.config, list(overrides))
    with open_dict(cfg):
        cfg.hydra.job.id = f"{cfg.hydra.job.name}_{number}"
        cfg.hydra.job.num = number
        put_home(cfg)
        cfg.hydra.sweep.dir = str(Path(cfg.hydra.sweep.dir).absolute())
        cfg.hydra.sweep.subdir = str(cfg.hydra.sweep.subdir)
    return cfg, Path(cfg.hydra.sweep.dir, cfg.hydra.sweep.subdir)


def _task(runner: JobRunner, given: OfHydra, overrides: Sequence[str], number: int) -> Task:
    cfg, folder = composed_job(given, overrides, number)
    return Task(runner, given.hydra_context, cfg, folder, Path.cwd())


def _returned(overrides: Sequence[str], task: Task, outcome: Any) -> JobReturn:
    return JobReturn(list(overrides), task.cfg, status=JobStatus.COMPLETED, _return_value=outcome)

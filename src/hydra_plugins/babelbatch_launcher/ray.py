"""`hydra/launcher=ray`: each job of a sweep a task of Ray, on this machine or in a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from hydra.core.utils import JobReturn

from hydra_plugins.babelbatch_launcher.elsewhere import ElsewhereLauncher


class RayLauncher(ElsewhereLauncher):
    """Runs each job as a task of Ray, which chooses the node and the GPUs.

    address: of a running cluster, or `auto`; None starts Ray on this machine for the time of the sweep.
    num_cpus: cores that a job is given. num_gpus: GPUs that a job is given; None for as many as it has devices, if the
        cluster has GPUs.
    max_retries: how often a job is started again, where it resumes, after the loss of its node; -1 for no limit.
    """

    def __init__(
        self, address: str | None = None, num_cpus: float = 1, num_gpus: float | None = None, max_retries: int = 3
    ) -> None:
        self._run: dict[str, Any] = {
            "address": address,
            "num_cpus": num_cpus,
            "num_gpus": num_gpus,
            "max_retries": max_retries,
        }

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from babelbatch.jobs.elsewhere import run_elsewhere
        from babelbatch.jobs.ray_jobs import run_with_ray

        return run_elsewhere(self, job_overrides, initial_job_idx, partial(run_with_ray, **self._run))

"""`hydra/launcher=submitit_slurm`: each job of a sweep a job of Slurm; `submitit_local`: the same without Slurm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from omegaconf import OmegaConf

from hydra_plugins.babelbatch_launcher.elsewhere import ElsewhereLauncher


class SubmititLauncher(ElsewhereLauncher):
    """Submits the jobs through submitit."""

    cluster: str

    def __init__(self, submitit_folder: str | None, max_num_timeout: int, parameters: dict[str, Any]) -> None:
        plain = {
            key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            for key, value in parameters.items()
        }
        given = {key: value for key, value in plain.items() if value is not None}
        self._folder = submitit_folder
        self._run: dict[str, Any] = {"max_num_timeout": max_num_timeout, "parameters": given}

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from babelbatch.jobs.elsewhere import run_elsewhere
        from babelbatch.jobs.submitit_jobs import run_with_submitit

        folder = Path(self._folder or Path(self.config.hydra.sweep.dir, ".submitit", "%j"))
        run = partial(run_with_submitit, cluster=self.cluster, folder=folder.absolute(), **self._run)
        return run_elsewhere(self, job_overrides, initial_job_idx, run)


class SlurmLauncher(SubmititLauncher):
    """Submits the jobs of a sweep as one array of Slurm jobs, and waits for them.

    timeout_min: time limit of a job in minutes. signal_delay_s: so many seconds before the limit the job saves a
        checkpoint. max_num_timeout: how often it is then put into the queue again, where it resumes.
    nodes: of a job. tasks_per_node: processes that Slurm starts on each; 1, and babelbatch starts one for each of
        `trainer.devices`, or as many as `trainer.devices`.
    gpus_per_node: GPUs of a job on each node; null for none. cpus_per_task: cores of each process. mem_gb: memory of a
        job on each node; null for the default of the partition.
    array_parallelism: how many jobs run at once.
    partition: of Slurm. account: of Slurm. qos: of Slurm. constraint: of Slurm. exclude: nodes not to use. gres: of
        Slurm. comment: of Slurm.
    name: of the jobs in the queue. setup: shell commands that a job runs first. srun_args: further arguments of srun.
    additional_parameters: further options of sbatch, such as {requeue: true}.
    submitit_folder: for the jobs' output and what is handed to them, on a disk that all nodes share; null for
        `.submitit` in the folder of the sweep.
    """

    cluster = "slurm"

    def __init__(
        self,
        timeout_min: int = 1440,
        signal_delay_s: int = 120,
        max_num_timeout: int = 20,
        nodes: int = 1,
        tasks_per_node: int = 1,
        gpus_per_node: int | None = None,
        cpus_per_task: int | None = None,
        mem_gb: float | None = None,
        array_parallelism: int = 256,
        partition: str | None = None,
        account: str | None = None,
        qos: str | None = None,
        constraint: str | None = None,
        exclude: str | None = None,
        gres: str | None = None,
        comment: str | None = None,
        name: str = "babelbatch",
        setup: list[str] | None = None,
        srun_args: list[str] | None = None,
        additional_parameters: dict[str, Any] | None = None,
        submitit_folder: str | None = None,
    ) -> None:
        of_slurm = {
            "signal_delay_s": signal_delay_s, "array_parallelism": array_parallelism, "partition": partition,
            "account": account, "qos": qos, "constraint": constraint, "exclude": exclude, "gres": gres,
            "comment": comment, "setup": setup, "srun_args": srun_args, "additional_parameters": additional_parameters,
        }  # fmt: skip
        parameters: dict[str, Any] = {
            "timeout_min": timeout_min, "nodes": nodes, "tasks_per_node": tasks_per_node,
            "gpus_per_node": gpus_per_node, "cpus_per_task": cpus_per_task, "mem_gb": mem_gb, "name": name,
        }  # fmt: skip
        parameters |= {f"slurm_{key}": value for key, value in of_slurm.items()}
        super().__init__(submitit_folder, max_num_timeout, parameters)


class LocalLauncher(SubmititLauncher):
    """Runs the jobs as processes of this machine that go on without the command, to try what `submitit_slurm` will do.

    timeout_min: time limit of a job in minutes. signal_delay_s: so many seconds before the limit the job saves a
        checkpoint. max_num_timeout: how often it is then started again, where it resumes; at most 5.
    gpus_per_node: the first so many GPUs of the machine, for every job; null for none.
    array_parallelism: how many jobs run at once.
    submitit_folder: for the jobs' output and what is handed to them; null for `.submitit` in the folder of the sweep.
    """

    cluster = "local"

    def __init__(
        self,
        timeout_min: int = 1440,
        signal_delay_s: int = 120,
        max_num_timeout: int = 5,
        gpus_per_node: int | None = None,
        array_parallelism: int = 1,
        submitit_folder: str | None = None,
    ) -> None:
        parameters: dict[str, Any] = {
            "timeout_min": timeout_min, "signal_delay_s": signal_delay_s, "gpus_per_node": gpus_per_node,
            "array_parallelism": array_parallelism,
        }  # fmt: skip
        super().__init__(submitit_folder, max_num_timeout, parameters)

"""`hydra/launcher=submitit_slurm` and `submitit_local`: each job of a sweep a job of Slurm, or as if it were one."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError, UncompletedJobError

from babelbatch.configuration.schema import ConfigError
from babelbatch.jobs.elsewhere import Task, without_result
from babelbatch.jobs.failures import print_error
from babelbatch.jobs.outcome import EXIT_FAILED, NOT_STARTED, Outcome
from babelbatch.jobs.supervisor import recorded_signals
from babelbatch.runs.stopping import Stopped, raise_on_sigterm, signal_exit_code

_OUT_OF_TIME = submitit.JobEnvironment._usr_sig()  # SIGUSR2, unless SUBMITIT_PREEMPT_SIGNAL says otherwise
_ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT",
}  # fmt: skip
"""States in which Slurm does not run a job again."""
_MOST_SECONDS = 20.0  # between two questions to Slurm


@dataclass(frozen=True)
class SubmittedTask:
    """What a job of Slurm calls, in each of its processes."""

    task: Task

    def __call__(self) -> Outcome:
        """Returns the outcome, unless the job is to run again: then the process ends without one.

        SIGTERM (`scancel`, `scontrol requeue`, pre-emption) and the signal before the time limit stop the run as
        everywhere: it saves a checkpoint. After the second submitit puts the job into the queue, as often as it may.
        """
        requeue = signal.getsignal(_OUT_OF_TIME)
        assert callable(requeue)  # submitit's; without us it would end the process before the checkpoint
        received: list[int] = []

        def stop(signum: int, frame: FrameType | None) -> None:
            received.append(signum)
            signal.raise_signal(signal.SIGTERM)

        signal.signal(_OUT_OF_TIME, stop)
        raise_on_sigterm()  # submitit ignores it
        try:
            outcome = self.task()
        except Stopped as stopped:  # before the job began
            outcome = Outcome("interrupted", signal_exit_code(stopped.signum), stopped=stopped.signum)
        for signum in (_OUT_OF_TIME, signal.SIGTERM):
            signal.signal(signum, signal.SIG_IGN)
        if not outcome.stopped:
            return outcome
        if received:
            try:
                requeue(_OUT_OF_TIME, None)  # ends the process of rank 0
            except UncompletedJobError:
                reason = (
                    "out of time as often as hydra.launcher.max_num_timeout allows; type the command again to resume"
                )
                return Outcome("interrupted", EXIT_FAILED, reason)
            sys.exit(0)  # of another rank, which must not end rank 0 with it
        sys.exit(signal_exit_code(outcome.stopped))

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """What submitit submits when the time is over: the same again."""
        return submitit.helpers.DelayedSubmission(self)


def run_with_submitit(
    tasks: Sequence[Task], *, cluster: str, folder: Path, max_num_timeout: int, parameters: dict[str, Any]
) -> tuple[list[Outcome], int]:
    """Submits the tasks and waits for them; see `elsewhere.Run`. Jobs of Slurm go on when this process ends."""
    parameters = dict(parameters)
    at_once = len(tasks) if cluster == "slurm" else parameters.pop("array_parallelism")
    executor = (  # the automatic one does not take all parameters of the local one
        submitit.AutoExecutor(folder=folder, cluster=cluster, slurm_max_num_timeout=max_num_timeout)
        if cluster == "slurm"
        else submitit.LocalExecutor(folder=folder, max_num_timeout=max_num_timeout)
    )
    executor.update_parameters(**parameters)
    outcomes: dict[int, Outcome] = {}
    running: dict[int, submitit.Job[Outcome]] = {}
    gone = _Slurm().has_ended if cluster == "slurm" else _local_has_ended
    with recorded_signals() as received:
        pending = list(enumerate(tasks))
        seconds = 0.5
        while (pending or running) and not received:
            batch, pending = pending[: at_once - len(running)], pending[at_once - len(running) :]
            if batch:
                jobs = _submit(executor, [task for _, task in batch])
                running |= {number: job for (number, _), job in zip(batch, jobs, strict=True)}
                if cluster == "slurm":
                    _say_submitted(jobs, folder)
            ended = {number: found for number, job in running.items() if (found := _outcome(job, tasks[number], gone))}
            for number in ended:
                del running[number]
            if ended:
                outcomes |= ended
                print_error(f"{len(outcomes)} of {len(tasks)} jobs have ended")
            elif running:
                time.sleep(seconds)
                seconds = min(1.2 * seconds, _MOST_SECONDS if cluster == "slurm" else 1.0)
        if received and cluster == "local":
            outcomes |= _stopped(running, tasks)
        elif received and running:
            ids = " ".join(sorted({job.job_id.partition("_")[0] for job in running.values()}))
            print_error(
                f"{len(running)} jobs go on without this command (scancel {ids} ends them); type it again later to see "
                "their results"
            )
            outcomes |= {
                number: Outcome("running elsewhere", 75, f"job {job.job_id}") for number, job in running.items()
            }
    return [outcomes.get(number, NOT_STARTED) for number in range(len(tasks))], received[0] if received else 0


def _submit(executor: submitit.Executor, tasks: Sequence[Task]) -> list[submitit.Job[Outcome]]:
    """Raises ConfigError with what Slurm says if it does not take the jobs."""
    try:
        return list(executor.submit_array([SubmittedTask(task) for task in tasks]))
    except (FailedJobError, FailedSubmissionError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = [line.removeprefix("sbatch: error: ") for line in lines if line.startswith("sbatch: error:")] or lines
        raise ConfigError([f"hydra.launcher: Slurm refused the jobs ({'; '.join(said[:3])})"]) from error


def _say_submitted(jobs: Sequence[submitit.Job[Outcome]], folder: Path) -> None:
    ids = [job.job_id for job in jobs]
    shown = ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1]}"
    print_error(f"submitted {len(ids)} jobs of Slurm, {shown}; their output: {folder.parent}/<job>/*_log.out and .err")


Ended = Callable[["submitit.Job[Outcome]"], str]
"""Why a job will not run any more, such as "Slurm: TIMEOUT"; empty while it may."""


def _outcome(job: submitit.Job[Outcome], task: Task, ended: Ended) -> Outcome | None:
    """The outcome of a job, or None while it has not ended. Rank 0 tells it."""
    rank0 = job.task(0)
    if not rank0.paths.result_pickle.exists():
        why = ended(job)
        if not why:
            return None
        if not rank0.paths.result_pickle.exists():  # it may have been written meanwhile
            return without_result(
                task, f"job {job.job_id} has ended without a result ({why}); see {rank0.paths.stderr}"
            )
    try:
        outcome: Outcome = rank0.result()
        return outcome
    except Exception as error:  # of submitit, or of what is unpickled
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        return without_result(task, f"job {job.job_id}: {reason}")


class _Slurm:
    """Asks Slurm about all jobs at once. submitit asks its accounting, which not every cluster has, and would then wait
    for ever for a job that was killed."""

    def __init__(self) -> None:
        self._states: dict[str, str] | None = None
        self._asked, self._absent = 0.0, dict[str, float]()

    def has_ended(self, job: submitit.Job[Outcome]) -> str:
        """A job that is put into the queue again may be in no state for a moment, and the file system of its node may
        be slow to show the result, so what is seen twice, some seconds apart, counts."""
        self._ask()
        state = None if self._states is None else self._states.get(job.job_id, "unknown to Slurm")
        if state is None or (state not in _ENDED and state != "unknown to Slurm"):
            self._absent.pop(job.job_id, None)
            return ""
        first = self._absent.setdefault(job.job_id, self._asked)
        return f"Slurm: {state}" if self._asked - first >= 5 else ""

    def _ask(self) -> None:
        if time.monotonic() - self._asked < 2:
            return
        command = ["squeue", "--noheader", "--array", "--states=all", "--format=%i %T", f"--user={getpass.getuser()}"]
        done = subprocess.run(command, capture_output=True, text=True)
        self._asked = time.monotonic()
        lines = [line.split() for line in done.stdout.splitlines()]
        self._states = {line[0]: line[1] for line in lines} if done.returncode == 0 else None


def _local_has_ended(job: submitit.Job[Outcome]) -> str:
    return "its process has ended" if job.done() else ""


def _stopped(running: dict[int, submitit.Job[Outcome]], tasks: Sequence[Task]) -> dict[int, Outcome]:
    """Ends local jobs, each after it has saved a checkpoint."""
    for job in running.values():
        with suppress(ProcessLookupError):
            os.kill(int(job.job_id), signal.SIGTERM)  # its controller passes it on
    while not all(job.done() for job in running.values()):
        time.sleep(0.2)
    code = signal_exit_code(signal.SIGTERM)
    return {
        number: _outcome(job, tasks[number], lambda _: "")
        or Outcome("interrupted", code, f"{tasks[number].folder} is not finished; run the same command again to resume")
        for number, job in running.items()
    }

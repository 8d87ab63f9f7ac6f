"""What becomes of a job of Slurm that is stopped, and how its end is noticed without Slurm's accounting."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("submitit", reason="needs submitit: pip install -e '.[slurm]'")

from submitit.core.utils import UncompletedJobError

from babelbatch.jobs import submitit_jobs
from babelbatch.jobs.outcome import FINISHED, Outcome
from babelbatch.jobs.submitit_jobs import SubmittedTask
from babelbatch.runs.stopping import Stopped


@pytest.fixture
def submitits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The calls of the handler by which submitit puts a job into the queue again."""
    calls: list[int] = []
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGUSR2, signal.SIGTERM)}
    signal.signal(signal.SIGUSR2, lambda signum, frame: calls.append(signum))
    yield calls
    for signum, handler in before.items():
        signal.signal(signum, handler)


def stopped_by(signum: int) -> Outcome:
    """As `JobRunner`: the job saves a checkpoint, and says what stopped it."""
    try:
        os.kill(os.getpid(), signum)
    except Stopped as stop:
        return Outcome("interrupted", 143, stopped=stop.signum)
    return FINISHED


def test_a_job_that_ends_has_its_outcome(submitits: list[int]) -> None:
    assert SubmittedTask(lambda: FINISHED)() == FINISHED
    assert submitits == []


def test_before_the_time_limit_it_is_put_into_the_queue_again(submitits: list[int]) -> None:
    with pytest.raises(SystemExit) as stop:
        SubmittedTask(lambda: stopped_by(signal.SIGUSR2))()
    assert submitits == [signal.SIGUSR2]
    assert stop.value.code == 0


def test_unless_that_is_done_too_often(submitits: list[int]) -> None:
    def refuse(signum: int, frame: object) -> None:
        raise UncompletedJobError("timed-out too many times")

    signal.signal(signal.SIGUSR2, refuse)
    outcome = SubmittedTask(lambda: stopped_by(signal.SIGUSR2))()
    assert (outcome.state, outcome.code) == ("interrupted", 1)
    assert "hydra.launcher.max_num_timeout" in outcome.reason


def test_slurm_itself_requeues_what_it_stops(submitits: list[int]) -> None:
    """No result: the command would take it for the end of the job."""
    with pytest.raises(SystemExit) as stop:
        SubmittedTask(lambda: stopped_by(signal.SIGTERM))()
    assert submitits == []
    assert stop.value.code == 143


def test_what_runs_again_is_the_same_task() -> None:
    task = SubmittedTask(lambda: FINISHED)
    assert task.checkpoint().function == task


@pytest.mark.parametrize(
    ("queue", "ended"),
    [
        ("7_0 RUNNING\n7_1 PENDING\n", ["", ""]),
        ("7_0 COMPLETING\n7_1 REQUEUED\n", ["", ""]),
        ("7_0 TIMEOUT\n7_1 RUNNING\n", ["Slurm: TIMEOUT", ""]),
        ("7_1 CANCELLED\n", ["Slurm: unknown to Slurm", "Slurm: CANCELLED"]),
    ],
)
def test_the_end_of_a_job_is_seen_twice(
    queue: str, ended: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text(f"#!{sys.executable} -IS\nprint({queue!r}, end='')\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    now = 100.0
    monkeypatch.setattr(submitit_jobs.time, "monotonic", lambda: now)
    slurm = submitit_jobs._Slurm()
    jobs = [SimpleNamespace(job_id=each) for each in ("7_0", "7_1")]
    assert [slurm.has_ended(job) for job in jobs] == ["", ""]
    now += 6
    assert [slurm.has_ended(job) for job in jobs] == ended


def test_a_queue_that_does_not_answer_ends_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text("#!/bin/sh\nexit 1\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    now = 100.0
    monkeypatch.setattr(submitit_jobs.time, "monotonic", lambda: now)
    slurm = submitit_jobs._Slurm()
    for _ in range(3):
        assert slurm.has_ended(SimpleNamespace(job_id="7")) == ""
        now += 60

"""`hydra/launcher=joblib`: several jobs at once on this machine."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from joblib import Parallel, delayed, effective_n_jobs

from babelbatch.jobs.elsewhere import Task
from babelbatch.jobs.outcome import NOT_STARTED, Outcome
from babelbatch.jobs.supervisor import recorded_signals

_STOP = "stop"


def run_with_joblib(tasks: Sequence[Task], *, n_jobs: int, verbose: int) -> tuple[list[Outcome], int]:
    """Runs each task in a process of joblib's, in the order given; see `elsewhere.Run`.

    joblib kills its processes when a signal arrives. So that the jobs save a checkpoint first, the signal is passed on
    to them, and the tasks that have not begun are not started any more.
    """
    if effective_n_jobs(n_jobs) == 1:  # joblib would call them in this process
        return _run_in_turn(tasks)
    with tempfile.TemporaryDirectory(prefix="babelbatch-joblib-") as name:
        place, received = Path(name), list[int]()

        def pass_on(signum: int, frame: FrameType | None) -> None:
            received.append(signum)
            (place / _STOP).touch()
            for file in place.glob("[0-9]*"):
                with suppress(ProcessLookupError):
                    os.kill(int(file.name), signum)

        before = {signum: signal.signal(signum, pass_on) for signum in (signal.SIGINT, signal.SIGTERM)}
        try:
            run = Parallel(n_jobs=n_jobs, verbose=verbose, backend="loky", batch_size=1, pre_dispatch="all")
            outcomes = run(delayed(_run)(task, place, os.getpid()) for task in tasks)
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)
    return list(outcomes), received[0] if received else 0


def _run_in_turn(tasks: Sequence[Task]) -> tuple[list[Outcome], int]:
    """One after the other; each has a process of its own, which this one supervises."""
    outcomes: list[Outcome] = []
    with recorded_signals() as received:
        for task in tasks:
            outcomes.append(NOT_STARTED if received else task())
            if outcomes[-1].stopped:
                received.append(outcomes[-1].stopped)
    return outcomes, received[0] if received else 0


def _run(task: Task, place: Path, parent: int) -> Outcome:
    """In a process of joblib's. The job has one of its own, which this one supervises."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # Ctrl-C reaches the whole group of a terminal, and then would come twice
    file = place / str(os.getpid())
    file.touch()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        return NOT_STARTED if (place / _STOP).exists() else task()
    finally:
        file.unlink(missing_ok=True)


def _end_with(parent: int) -> None:
    """Ends this process, and so its job, when the command has ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)

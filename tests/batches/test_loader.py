"""Processes that prepare batches: how they start, and how they end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path

import pytest
import torch

from babelbatch.batches.loader import planned_batches
from babelbatch.storage import WaitedTooLong
from processes import ended, started, until

COUNTING = """
import os, time
from babelbatch.batches.loader import planned_batches

class Counted:
    def plan(self, step):
        return step

def build(plan, step):
    return plan, os.getpid()

if __name__ == '__main__':
    seen = set()
    for step, worker in planned_batches(Counted().plan, build, steps=2_000, done=0, workers=2):
        if worker not in seen:
            seen.add(worker)
            print(worker, flush=True)
        time.sleep(0.05)
    print("done")
"""


class Counted:
    def plan(self, step: int) -> int:
        return step


def with_its_process(plan: int, step: int) -> str:
    return f"{plan} {step} {os.getpid()}"


def with_its_parent(plan: int, step: int) -> str:
    return str(os.getppid())


def test_batches_come_in_order_whoever_builds_them() -> None:
    for workers in (0, 2):
        loader = planned_batches(Counted().plan, with_its_process, steps=9, done=2, workers=workers)
        for _ in range(2):  # an epoch, and another by the same workers
            batches = [tuple(map(int, batch.split())) for batch in loader]
            assert [(plan, step) for plan, step, _ in batches] == [(step, step) for step in range(2, 9)]
            assert len({builder for *_, builder in batches} - {os.getpid()}) == workers
        assert len(loader) == 9


def test_this_process_is_not_forked() -> None:
    """A thread of its own may hold a lock of the interpreter at the moment of a fork, and the child waits for it
    without end."""
    parents = set(planned_batches(Counted().plan, with_its_parent, steps=9, done=0, workers=2))
    assert parents == {str(forkserver._forkserver._forkserver_pid)}
    assert parents.isdisjoint({str(os.getpid())})


def test_workers_do_not_outlive_who_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "counting.py"
    script.write_text(COUNTING)
    with started(sys.executable, script, start_new_session=True) as killed:
        workers = {int(killed.stdout.readline()) for _ in range(2)}
        assert workers <= of_the_session(killed.pid)
        killed.send_signal(signal.SIGKILL)
    until(lambda: not of_the_session(killed.pid))


def test_workers_leave_signals_to_the_training_process(tmp_path: Path) -> None:
    """Also those of a server that other code has started; ours ignores signals from its start (`test_resume.py`)."""
    script = tmp_path / "counting.py"
    main = "if __name__ == '__main__':\n"
    others = f"{main}    from multiprocessing import forkserver\n    forkserver.ensure_running()\n"
    script.write_text(COUNTING.replace("2_000", "100").replace(main, others))
    with started(sys.executable, script) as counting:
        for pid in {int(counting.stdout.readline()) for _ in range(2)}:
            for signum in (signal.SIGTERM, signal.SIGINT):
                os.kill(pid, signum)
        output, errors = ended(counting)
    assert (counting.returncode, output) == (0, "done\n"), errors


def slow(plan: int, step: int) -> int:
    time.sleep(1_000 if step == 3 else 0)
    return step


def as_tensor(plan: int, step: int) -> torch.Tensor:
    return torch.full((1_000,), step)


@pytest.mark.parametrize("build", [with_its_process, as_tensor, slow])
def test_a_stuck_worker_ends_the_run_in_a_line(build: Callable[[int, int], object]) -> None:
    """By default torch waits for it without end, for a tensor also with its own `timeout`, since the worker hands it
    over. It is killed: a stopped process does not see that its run ends."""
    stopped = build is not slow
    loader = planned_batches(Counted().plan, build, steps=9, done=0, workers=2, stuck_minutes=0.05)
    batches = iter(loader)
    next(batches), next(batches)
    workers = batches._workers
    if stopped:
        os.kill(workers[1].pid, signal.SIGSTOP)
    with pytest.raises(WaitedTooLong) as refused:
        list(batches)
    assert str(refused.value) == (
        f"data.num_workers: worker 1 (pid {workers[1].pid}) prepared no batch for 0.05 minutes; run the same command "
        "again to resume, with data.num_workers=0 if it happens again, or with a larger trainer.stuck_minutes if "
        "batches take so long"
    )
    until(lambda: not any(worker.is_alive() for worker in workers))


def of_the_session(leader: int) -> set[int]:
    """The living processes of a session: workers, the server that forks them, the tracker of resources."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session, *_ = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(session) == leader and state != "Z":
            found.add(int(stat.parent.name))
    return found

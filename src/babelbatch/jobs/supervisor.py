"""Starts the processes of one job, passes signals on to them, and ends them together.

The end of a worker's standard input means that the supervisor has ended, even if it was killed. Workers run in sessions
of their own, so that Ctrl-C in a terminal reaches them once, through the supervisor.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from babelbatch.runs.stopping import signal_exit_code

Worker = subprocess.Popen[bytes]

_STOPPED = {signal_exit_code(signum) for signum in (signal.SIGINT, signal.SIGTERM)}


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """How the workers of a job ended.

    code: the exit code of the first one that failed, or 0; 128 + n if signal n ended it. rank: of that one.
    signum: the last signal that asked this process to stop meanwhile, or 0. suspended: whether that rank was stopped
        by SIGSTOP for too long, and all were killed for it.
    """

    code: int
    rank: int
    signum: int
    suspended: bool = False


def supervise(
    command: Sequence[str],
    processes: int,
    logs: Path,
    settings: Mapping[str, object],
    grace: float = 30.0,
    suspended: float = 600.0,
) -> WorkerExit:
    """Runs `command` in `processes` processes, and returns when all have ended.

    Rank 0 has this process's output; rank k writes to `logs`/rank<k>.log. Each reads `settings`, one line of JSON,
    from its standard input, which ends when this process does. SIGINT and SIGTERM are passed on.
    grace: seconds that the others have to end by themselves when one has failed, then after a SIGTERM; four times as
        many when they were asked to stop, which takes a checkpoint and the end of logging. A third signal kills.
    suspended: seconds after which a rank that is stopped (SIGSTOP), while another is not, ends the job. A user may
        stop all of them, and let them go on later.
    """
    port = _free_port() if processes > 1 else 0
    workers: list[Worker] = []
    with recorded_signals() as received:
        try:
            for rank in range(processes):
                workers.append(_start(command, rank, processes, port, logs, settings))
            first, stopped = _watch(workers, received, grace, suspended)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
                with suppress(BrokenPipeError):
                    _stdin(worker).close()
    codes = [_shell_code(worker.returncode) for worker in workers]
    if codes[0] == codes[first] == 2:  # every rank finds a user error, and rank 0 has printed it
        first = 0
    return WorkerExit(codes[first], first, received[-1] if received else 0, stopped)


def _watch(workers: list[Worker], received: list[int], grace: float, suspended: float) -> tuple[int, bool]:
    """Waits for all workers, and ends them when one has failed. Returns the first rank to fail, or 0, and whether it
    was killed since it was stopped."""
    first: int | None = None
    pauses = _Pauses(workers, suspended)
    passed_on = 0
    deadline = float("inf")
    steps = [subprocess.Popen.terminate, subprocess.Popen.kill]
    while running := [worker for worker in workers if worker.poll() is None]:
        for signum in received[passed_on:]:
            passed_on += 1
            for worker in running:
                worker.send_signal(signum)
        if len(received) >= 3:
            for worker in running:
                worker.kill()
        if first is None and (paused := pauses.too_long()) is not None:
            for worker in running:
                worker.kill()
            return paused, True
        if first is None:
            codes = [_shell_code(worker.returncode or 0) for worker in workers]
            first = next((rank for rank, code in enumerate(codes) if code), None)
            if first is not None:
                stopping = bool(received) and codes[first] in _STOPPED
                # If another command runs this job, rank 0 ends before it has begun: nothing to wait for then.
                deadline = time.monotonic() + (0 if codes[0] == 75 else 4 * grace if stopping else grace)
        if time.monotonic() > deadline and steps:
            end = steps.pop(0)
            for worker in running:
                end(worker)
            deadline = time.monotonic() + grace
        time.sleep(0.05)
    if first is None:
        first = next((rank for rank, worker in enumerate(workers) if worker.returncode), 0)
    return first, False


class _Pauses:
    """For how many seconds each worker was seen stopped, while another was not. Seconds in which this process is
    stopped itself do not count."""

    def __init__(self, workers: list[Worker], most: float) -> None:
        self._workers, self._most = workers, most
        self._seconds = [0] * len(workers)
        self._next = time.monotonic() + 1

    def too_long(self) -> int | None:
        """The rank that is stopped for too long, or None. Looks once a second."""
        if len(self._workers) == 1 or time.monotonic() < self._next:
            return None
        self._next = time.monotonic() + 1
        stopped = [_is_stopped(worker.pid) for worker in self._workers]
        alone = not all(stopped)
        self._seconds = [n + 1 if alone and now else 0 for n, now in zip(self._seconds, stopped, strict=True)]
        return next((rank for rank, seconds in enumerate(self._seconds) if seconds >= self._most), None)


def _is_stopped(pid: int) -> bool:
    """Whether a signal has stopped the process; False where the system has no /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T"
    except (OSError, IndexError):
        return False


def _start(
    command: Sequence[str], rank: int, processes: int, port: int, logs: Path, settings: Mapping[str, object]
) -> Worker:
    output = None
    if rank:
        output = (logs / f"rank{rank}.log").open("ab")
    worker = subprocess.Popen(
        command,
        env=_environment(rank, processes, port) if processes > 1 else None,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    if output is not None:
        output.close()
    with suppress(BrokenPipeError):
        _stdin(worker).write(json.dumps(settings).encode() + b"\n")
        _stdin(worker).flush()
    return worker


def _stdin(worker: Worker) -> IO[bytes]:
    assert worker.stdin is not None  # a pipe, see `_start`
    return worker.stdin


def _environment(rank: int, processes: int, port: int) -> dict[str, str]:
    """The variables from which torch and Lightning learn their rank where they did not start the processes."""
    # From these Lightning would conclude that srun or torchrun started the ranks.
    inherited = {key: value for key, value in os.environ.items() if key not in {"SLURM_NTASKS", "TORCHELASTIC_RUN_ID"}}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # macOS
    inherited.setdefault("OMP_NUM_THREADS", str(max(1, cores // processes)))
    return inherited | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "NODE_RANK": "0",
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _shell_code(returncode: int) -> int:
    return signal_exit_code(-returncode) if returncode < 0 else returncode


@contextmanager
def recorded_signals() -> Iterator[list[int]]:
    """SIGINT and SIGTERM that arrive meanwhile, in order, instead of their effects."""
    received: list[int] = []
    before = {
        signum: signal.signal(signum, lambda number, _: received.append(number))
        for signum in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield received
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)

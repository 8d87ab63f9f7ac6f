"""In a process that `preloaded.py` has forked: what a command starts is forked too, before it has threads."""

from __future__ import annotations

import atexit
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import forkserver, util
from types import SimpleNamespace
from typing import IO, NoReturn

import numpy as np
from hydra.core.singleton import Singleton


def to_the_end(main: Callable[[], object]) -> NoReturn:
    """Calls the main function of a forked process, and ends it as an interpreter would."""
    random.seed()  # as in a fresh process, not as in all others that the server has forked
    np.random.seed()
    code: object = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()  # waits for threads, which multiprocessing would do after atexit
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def fork_workers(typed: Sequence[str]) -> None:
    """Lets the supervisor of a job fork its workers from this process. They find Hydra as it is now.

    typed: the command. Workers fork the servers of their loaders if it names a number of workers.
    """
    from babelbatch.jobs import supervisor, worker

    hydra = Singleton.get_state()
    stdins: list[IO[bytes]] = []  # which end with this process only if no worker has them

    class Worker:
        """What the supervisor uses of `subprocess.Popen`."""

        def __init__(
            self, command: list[str], *, env: dict[str, str] | None, stdin: int, stdout: IO[bytes] | None,
            stderr: IO[bytes] | None, start_new_session: bool,
        ) -> None:  # fmt: skip
            assert command[:3] == [sys.executable, "-m", "babelbatch.jobs.worker"]
            assert stdin == subprocess.PIPE
            assert start_new_session
            self.returncode: int | None = None
            reading, writing = os.pipe()
            sys.stdout.flush()
            sys.stderr.flush()
            self.pid = os.fork()
            if not self.pid:
                os.close(writing)
                to_the_end(lambda: begin(command, env, [reading, stdout, stderr]))
            os.close(reading)
            self.stdin = open(writing, "wb")  # noqa: SIM115 - the supervisor closes it
            stdins.append(self.stdin)

        def poll(self) -> int | None:
            return self._wait(os.WNOHANG)

        def wait(self) -> int | None:
            return self._wait(0)

        def _wait(self, options: int) -> int | None:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, options)
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
            return self.returncode

        def send_signal(self, signum: int) -> None:
            if self.poll() is None:
                os.kill(self.pid, signum)

        def terminate(self) -> None:
            self.send_signal(signal.SIGTERM)

        def kill(self) -> None:
            self.send_signal(signal.SIGKILL)

    def begin(command: list[str], environment: dict[str, str] | None, streams: list[int | IO[bytes] | None]) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        for stream in stdins:
            stream.close()
        for descriptor, given in enumerate(streams):
            if given is not None:
                os.dup2(given if isinstance(given, int) else given.fileno(), descriptor)
        if environment is not None:
            os.environ.clear()
            os.environ.update(environment)
        Singleton.set_state(hydra)
        sys.argv = command[2:]
        atexit._clear()
        if names_loader_workers(typed):
            fork_server_of_loaders()
        worker.main()

    supervisor.subprocess = SimpleNamespace(PIPE=subprocess.PIPE, Popen=Worker)


def names_loader_workers(typed: Sequence[str]) -> bool:
    return any(argument.startswith("data.num_workers=") and not argument.endswith("=0") for argument in typed)


def fork_server_of_loaders() -> None:
    """Lets multiprocessing use a process that is forked now as its fork server, which workers of a DataLoader come
    from. The process ends with this one if it is not needed."""
    ours, theirs = socket.socketpair()
    server = os.fork()
    if not server:
        ours.close()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})  # as `worker_context` does
        try:
            needed, descriptors, *_ = socket.recv_fds(theirs, 1, 2)
            if needed:
                forkserver.main(*descriptors, [])
        finally:
            os._exit(0)
    theirs.close()
    spawn = util.spawnv_passfds

    def spawnv_passfds(path: str, arguments: Sequence[str], descriptors: Sequence[int]) -> int:
        if "multiprocessing.forkserver import main" not in arguments[-1]:
            return spawn(path, arguments, descriptors)
        socket.send_fds(ours, [b"1"], list(descriptors))
        return server

    util.spawnv_passfds = spawnv_passfds

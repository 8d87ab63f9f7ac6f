"""Commands in processes forked from one that has imported their libraries, which takes longer than most small runs.

A forked process has its own pid, signals and locks, and so have the workers and ranks that it forks where the command
would start an interpreter each. Tests about what is imported, about the start of workers and about orphans start
interpreters; so does one side of those about equal bits, since forked processes share the seed of Python's hashes.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import multiprocessing
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from forked import fork_server_of_loaders, fork_workers, names_loader_workers, to_the_end
from processes import PATIENCE, alive, descendants, ended, finished

# A console script, or Python with a file, that is run by the process that listens at a socket. Its standard streams are
# those of this one.
_CLIENT = """#!{python} -IS
import json, os, socket, sys
typed = [{script!r}, *sys.argv[1:]]
if typed[0] == {python!r}:
    if not (typed[1:] and typed[1].endswith(".py")):
        os.execv({python!r}, typed)
    del typed[0]
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    with server.makefile("rw") as line:
        streams = [f"/proc/{{os.getpid()}}/fd/{{number}}" for number in (0, 1, 2)]
        line.write(json.dumps([typed, os.getcwd(), dict(os.environ), streams]) + "\\n")
        line.flush()
        sys.exit(json.loads(line.readline()))
"""
_STARTED: dict[str, Any] = {}  # the server that tests use
_READ_BY_IMPORTS = ("CUDA", "HF_", "KMP_", "MKL_", "OMP_", "OPENBLAS", "PYTHON", "TOKENIZERS_", "TRANSFORMERS_")


def run_preloaded(
    script: Path, *arguments: str | Path, cwd: Path, env: dict[str, str] | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Runs a console script to its end, which must have this exit code, with the arguments and the environment that it
    would have if a user typed it."""
    if _read_by_imports() != _server()[1]:  # a test has set one of them meanwhile
        return finished(script, *arguments, cwd=cwd, env=env, code=code)
    with started_preloaded(script, *arguments, cwd=cwd, env=env) as process:
        stdout, stderr = ended(process)
    assert process.returncode == code, f"exit code {process.returncode}\n{stdout}\n{stderr}"
    return subprocess.CompletedProcess([str(script), *map(str, arguments)], code, stdout, stderr)


class Preloaded:
    """A script in a forked process, with what the tests need of the interface of `subprocess.Popen`.

    typed: the script and its arguments. streams: standard input, output and error, each the path of a file or one end
    of a pipe.
    """

    def __init__(
        self, typed: list[str], cwd: Path, environment: dict[str, str], streams: list[str | Connection]
    ) -> None:
        self._process = _server()[0].Process(target=_child, args=(typed, str(cwd), environment, streams))
        self._process.start()
        self._outputs = [Path(stream) for stream in streams[1:] if isinstance(stream, str)]
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, signum: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, ...]:
        """What stands in the files of output and error after the end of the process."""
        self._process.join(timeout)
        if self._process.is_alive():
            raise subprocess.TimeoutExpired("a forked process", timeout or 0)
        return tuple(path.read_text() if path.exists() else "" for path in self._outputs)


@contextlib.contextmanager
def started_preloaded(
    script: Path, *arguments: str | Path, cwd: Path, env: dict[str, str] | None = None, merged: bool = False
) -> Iterator[Preloaded]:
    """As `processes.started`, for a console script; merged: its errors are part of its output."""
    with tempfile.TemporaryDirectory() as place:
        outputs = [str(Path(place) / name) for name in ("stdout", "stdout" if merged else "stderr")]
        typed = [str(script), *map(str, arguments)]
        process = Preloaded(typed, cwd, dict(os.environ if env is None else env), [os.devnull, *outputs])
        try:
            yield process
        finally:
            for pid in (process.pid, *descendants(process.pid)) if process.poll() is None else ():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.communicate(30)


@contextlib.contextmanager
def preloaded_scripts(folder: Path, scripts: Iterable[Path]) -> Iterator[None]:
    """Writes a stand-in for each console script, and for `python`, into a folder, for the PATH of a shell: it has the
    output and the exit code of the script, which runs in a process forked here."""
    address = str(folder / "socket")
    python = Path(sys.executable).with_name("python")
    for script in (*scripts, python):
        stand_in = folder / script.name
        stand_in.write_text(_CLIENT.format(python=str(python), address=address, script=str(script)))
        stand_in.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        threading.Thread(target=_serve, args=(listening,), daemon=True).start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)  # which ends `accept`


def _serve(listening: socket.socket) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection, connection.makefile("rw") as line:
        process = _server()[0].Process(target=_child, args=json.loads(line.readline()))
        process.start()
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
        line.write(f"{process.exitcode}\n")


def preload() -> None:
    """Lets processes that multiprocessing starts by `forkserver` begin with the libraries imported."""
    _server()


def _server() -> tuple[ForkServerContext, dict[str, str]]:
    """The server, which ends with this process, and the variables that it was started with."""
    context = multiprocessing.get_context("forkserver")
    server = forkserver._forkserver
    if server._forkserver_pid == _STARTED.get("pid", 0) and alive(_STARTED["pid"]):
        return context, _STARTED["variables"]
    context.set_forkserver_preload(["warm"])
    if server._forkserver_pid not in {None, _STARTED.get("pid")}:  # that of a loader: it ends with its last worker
        os.close(server._forkserver_alive_fd)
        server._forkserver_pid = server._forkserver_alive_fd = server._forkserver_address = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        forkserver.ensure_running()
    _STARTED.update(pid=server._forkserver_pid, variables=_read_by_imports())
    return context, _STARTED["variables"]


def _read_by_imports() -> dict[str, str]:
    """With one OpenMP thread, whatever the number of this process: the tests share the machine."""
    found = {name: value for name, value in os.environ.items() if name.startswith(_READ_BY_IMPORTS)}
    found.pop("PYTHONPATH", None)  # `_child` heeds it
    return found | {"OMP_NUM_THREADS": "1"}


def _child(typed: list[str], cwd: str, environment: dict[str, str], streams: list[str | Connection]) -> None:
    """Becomes the command: as an interpreter does from the start of a script to its end.

    streams: standard input, output and error, each the path of a file or one end of a pipe.
    """
    assert "warm" in sys.modules, "the server could not import warm.py, an ImportError that multiprocessing hides"
    atexit._clear()  # what must be done at the end of the server, such as removing wandb's temporary folder, is its own
    weakref.finalize._registry.clear()
    weakref.finalize._registered_with_atexit = False
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    own = [os.path.abspath(entry) for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:0] = [os.path.dirname(os.path.abspath(typed[0])), *(entry for entry in own if entry not in sys.path)]
    for descriptor, stream in enumerate(streams):
        if isinstance(stream, Connection):
            os.dup2(stream.fileno(), descriptor)
            stream.close()
        else:
            access = os.O_RDWR | os.O_CREAT | os.O_APPEND if descriptor else os.O_RDONLY  # else a pipe never ends
            opened = os.open(stream, access)
            os.dup2(opened, descriptor)
            os.close(opened)
    sys.stdin = open(0)  # noqa: SIM115 - open until the process ends
    sys.argv = typed
    if names_loader_workers(typed):
        fork_server_of_loaders()
    fork_workers(typed)
    to_the_end(lambda: runpy.run_path(typed[0], run_name="__main__"))

"""Processes that tests start: none is waited for without end, and one that is stuck says where it is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 400.0  # seconds for what takes ten to twenty, on a machine that has much else to do

# For scripts that measure their own memory, in KiB. `ru_maxrss` begins at what the process that started them held.
PEAK = """
def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


@contextmanager
def started(*command: str | Path, **options: object) -> Iterator[subprocess.Popen[str]]:
    """A process whose output is read by pipes; dead afterwards with all that it has started, come what may."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes | options) as process:
        try:
            yield process
        finally:
            for pid in (process.pid, *descendants(process.pid)) if process.poll() is None else ():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def ended(process: subprocess.Popen[str], within: float = PATIENCE) -> tuple[str, str]:
    """What a process has said by its end, for which it has some seconds."""
    try:
        return process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        pass  # its own message shows no output
    raise AssertionError(f"not ended within {within:g} s\n{last_words(process)}")


def finished(
    *command: str | Path, code: int = 0, within: float = PATIENCE, **options: object
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, which must have this exit code."""
    with started(*command, **options) as process:
        stdout, stderr = ended(process, within)
    assert process.returncode == code, f"exit code {process.returncode}\n{stdout}\n{stderr}"
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def python(script: str, *arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Runs a script in an interpreter of its own."""
    return finished(sys.executable, "-c", script, *map(str, arguments), **options)


def until(
    happened: Callable[[], object], process: subprocess.Popen[str] | None = None, within: float = PATIENCE
) -> None:
    """Waits for something, while the process that it is expected of lives."""
    deadline = time.monotonic() + within
    while not happened():
        over = process is not None and process.poll() is not None
        if over and not happened():
            raise AssertionError(f"it ended with {process.returncode}\n{last_words(process)}")
        if time.monotonic() > deadline:
            output = "" if process is None else last_words(process)
            raise AssertionError(f"it has not happened within {within:g} s\n{output}")
        time.sleep(0.05)


def last_words(process: subprocess.Popen[str]) -> str:
    """Ends a process and what it has started. What they have said, and of each interpreter the stacks of its threads:
    PYTHONFAULTHANDLER is set."""
    family = [process.pid, *descendants(process.pid)] if process.poll() is None else []
    logs = {Path(f"/proc/{pid}/fd/2").resolve() for pid in family}
    for pid in family:
        with suppress(ProcessLookupError, FileNotFoundError):
            ours = Path(f"/proc/{pid}/exe").resolve().name.startswith("python")
            os.kill(pid, signal.SIGABRT if ours else signal.SIGKILL)
    try:
        output = [text or "" for text in process.communicate(timeout=30)]
    except (subprocess.TimeoutExpired, ValueError) as fault:
        output = [f"(its output cannot be read: {fault})"]
    output += [f"{log}:\n{log.read_text(errors='replace')}" for log in sorted(logs) if log.is_file()]
    return "\n".join(output)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = list(children.get(pid, []))
    for child in found:
        found += children.get(child, [])
    return found


def alive(pid: int) -> bool:
    """Whether a process runs. Of an orphan that has ended nobody may collect the exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def typed(command: str, *arguments: str) -> list[str]:
    """A command as its console script starts it, also where the installed script is older than pyproject.toml."""
    script = f"import sys; from babelbatch.cli import {command}; sys.argv[0] = 'babelbatch-{command}'; {command}()"
    return [sys.executable, "-c", script, *arguments]


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

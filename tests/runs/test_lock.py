"""One process a folder, and no lock that outlives its process."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from babelbatch.runs.lock import FolderLocked, locked
from processes import ended, started

HOLD = """
import sys
from pathlib import Path
from babelbatch.runs.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with started(sys.executable, "-c", HOLD, folder, stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == "held\n"
        yield process


def test_a_second_process_hears_who_has_the_folder(tmp_path: Path) -> None:
    with holder(tmp_path / "run") as other:
        folder = re.escape(str(tmp_path / "run"))
        who = rf"{folder} is in use by another run: pid {other.pid} on \S+ since \d{{4}}-\d\d-\d\d [\d:]{{8}}"
        with pytest.raises(FolderLocked, match=f"^{who}$"), locked(tmp_path / "run", patience=0):
            pass
        ended(other)
    with locked(tmp_path / "run"):
        assert json.loads((tmp_path / "run" / "run.lock.json").read_text())["pid"] == os.getpid()
    assert not (tmp_path / "run" / "run.lock.json").exists()


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    with holder(tmp_path) as other:
        other.send_signal(signal.SIGKILL)
        ended(other)
    with locked(tmp_path, patience=0):
        pass


def test_a_lock_is_let_go_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path, patience=0):
        pass


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])
@pytest.mark.filterwarnings("ignore")  # filelock's own, on falling back to a lock that could go stale
def test_a_file_system_without_locks(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", flock)
    message = (
        rf"output_dir: {re.escape(str(tmp_path))} cannot be locked against a second run \(.*\); choose a folder on"
    )
    with pytest.raises(ValueError, match=message), locked(tmp_path):
        pass

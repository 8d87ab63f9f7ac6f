"""One process works in a run's folder at a time.

The lock belongs to the operating system (flock on Unix) and ends with the process that holds it, however that ends: a
lock is never stale, and `run.lock` may lie about without meaning anything. Between machines this holds as far as their
shared file system forwards locks, as NFS does since version 4.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from babelbatch.storage import write_atomically

LOCK_FILE = "run.lock"
HOLDER_FILE = "run.lock.json"


class FolderLocked(Exception):
    """Another process works in the folder. holder: which, in words."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(f"{folder} runs already: {holder}")
        self.holder = holder


@contextmanager
def locked(folder: Path, patience: float = 0.5) -> Iterator[None]:
    """Holds the folder's lock. Raises Held, which says who has it, and ValueError where the file system has no locks.

    patience: seconds to wait for the other process; a moment, since a supervisor holds the lock only to hand it on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=patience, poll_interval=0.02)
    except Timeout:
        raise FolderLocked(folder, _holder(folder)) from None
    except (NotImplementedError, OSError) as error:
        raise _no_locks(folder, error) from error
    try:
        if isinstance(lock, SoftFileLock):  # what some versions fall back to; it would outlive its process
            raise _no_locks(folder, None)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
        write_atomically(folder / HOLDER_FILE, json.dumps(holder) + "\n")
        yield
    finally:
        (folder / HOLDER_FILE).unlink(missing_ok=True)
        lock.release()


def _holder(folder: Path) -> str:
    try:
        return "pid {pid} on {host} since {since}".format(**json.loads((folder / HOLDER_FILE).read_text()))
    except (OSError, ValueError, KeyError):
        return "in another process"


def _no_locks(folder: Path, error: Exception | None) -> ValueError:
    return ValueError(
        f"output_dir: {folder} cannot be locked against a second run ({error or 'no file locks there'}); "
        "choose a folder on another file system"
    )

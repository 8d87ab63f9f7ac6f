"""One process works in a run's folder at a time.

The operating system's lock (flock on Unix) ends with its process, however that ends, so it is never stale; a `run.lock`
that is left behind means nothing. Between machines it works if their shared file system forwards locks, as NFS does
since version 4.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from babelbatch.storage import write_atomically
from babelbatch.storage.documents import read_json_object

LOCK_FILE = "run.lock"
HOLDER_FILE = "run.lock.json"


class FolderLocked(Exception):
    """Another process works in the folder. holder: which one, such as "pid 7 on node1 since ..."."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(f"{folder} is in use by another run: {holder}")
        self.holder = holder


@contextmanager
def locked(folder: Path, patience: float = 0.5) -> Iterator[None]:
    """Locks the folder. Raises FolderLocked, which names the process that works there, and ValueError where the file
    system has no locks.

    patience: seconds to wait for the other process; a supervisor locks the folder only until its worker does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock: BaseFileLock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=patience, poll_interval=0.02)
    except Timeout:
        raise FolderLocked(folder, _holder(folder)) from None
    except (NotImplementedError, OSError) as error:
        raise _no_locks(folder, error) from error
    try:
        if isinstance(lock, SoftFileLock):  # some versions fall back to it; it would outlive its process
            raise _no_locks(folder, None)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
        write_atomically(folder / HOLDER_FILE, json.dumps(holder) + "\n")
        yield
    finally:
        (folder / HOLDER_FILE).unlink(missing_ok=True)
        lock.release()


def _holder(folder: Path) -> str:
    try:
        return "pid {pid} on {host} since {since}".format(**read_json_object(folder / HOLDER_FILE))
    except (OSError, ValueError, KeyError, TypeError):
        return "in another process"


def _no_locks(folder: Path, error: Exception | None) -> ValueError:
    return ValueError(
        f"output_dir: {folder} cannot be locked against a second run ({error or 'no file locks there'}); "
        "choose a folder on another file system"
    )

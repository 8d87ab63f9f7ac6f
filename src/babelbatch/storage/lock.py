"""File locks: one process builds an entry of the cache while the others wait."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from babelbatch.storage.documents import read_json_object
from babelbatch.storage.durable import write_atomically

log = logging.getLogger(__name__)

_REMINDER_SECONDS = 600.0
_HOLDER_SUFFIX = ".holder"


@contextmanager
def locked(file: Path, activity: str) -> Iterator[None]:
    """Holds an exclusive lock. If another process has it, logs what that process is doing and waits; while it waits, a
    warning says from time to time which process that is, so that one that hangs can be ended.

    activity: for the log, such as "tokenising passages". The system releases the lock if its holder dies.
    """
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process is %s: waiting for it", activity)
        _wait(lock, file, activity)
    holder = file.with_suffix(_HOLDER_SUFFIX)
    try:
        content = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
        with suppress(OSError):  # it only makes a message better; the disk may be full
            write_atomically(holder, json.dumps(content) + "\n")
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def describe_holder(file: Path) -> str:
    """Who has a lock, such as "pid 7 on node1 since 2026-01-31 12:00:00", as the holder wrote it into `file`."""
    try:
        found = read_json_object(file)
        return f"pid {int(found['pid'])} on {str(found['host'])[:80]} since {str(found['since'])[:30]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _wait(lock: BaseFileLock, file: Path, activity: str) -> None:
    started = time.monotonic()
    while True:
        try:
            lock.acquire(timeout=_REMINDER_SECONDS)
            return
        except Timeout:
            log.warning(
                "waiting for %s, which is %s, for %.0f minutes; if that process hangs, end it, and this one goes on",
                describe_holder(file.with_suffix(_HOLDER_SUFFIX)), activity, (time.monotonic() - started) / 60,
            )  # fmt: skip


@contextmanager
def try_lock(file: Path) -> Iterator[bool]:
    """Takes the lock if that needs no waiting, and yields whether it did."""
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):  # another process has it, or the file belongs to another user
        yield False
        return
    try:
        yield True
    finally:
        lock.release()

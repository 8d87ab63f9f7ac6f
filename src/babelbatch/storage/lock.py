"""File locks: one process builds an entry of the cache while the others wait."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)


@contextmanager
def locked(file: Path, activity: str) -> Iterator[None]:
    """Holds an exclusive lock. If another process has it, logs what that process is doing and waits.

    activity: for the log, such as "tokenising passages". The system releases the lock if its holder dies.
    """
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process is %s: waiting for it", activity)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


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

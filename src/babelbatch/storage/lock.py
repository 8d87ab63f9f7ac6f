"""Locks of what one process builds in the cache while others wait for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)


def acquire_lock(file: Path, doing: str) -> FileLock:
    """The lock, held; the system releases it when its holder dies. Says once, if it has to wait, what another process
    is doing, such as "tokenising passages"."""
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process is %s: waiting for it", doing)
        lock.acquire()
    return lock


@contextmanager
def try_lock(file: Path) -> Iterator[bool]:
    """Takes the lock without waiting, if nobody holds it; yields whether it was taken."""
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):  # held, or another user's
        yield False
        return
    try:
        yield True
    finally:
        lock.release()

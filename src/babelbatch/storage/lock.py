"""The lock of something in the cache that one process makes and the others wait for."""

from __future__ import annotations

import logging
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)


def acquired(file: Path, doing: str) -> FileLock:
    """The lock, held; the system releases it when its holder dies. Says once, if it has to wait, what another process
    is doing, such as "tokenising passages"."""
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process is %s: waiting for it", doing)
        lock.acquire()
    return lock

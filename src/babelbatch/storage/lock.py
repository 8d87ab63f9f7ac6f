"""File locks: one process builds an entry of the cache while the others wait."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from babelbatch.storage.documents import read_json_object
from babelbatch.storage.durable import write_atomically

log = logging.getLogger(__name__)

_LOOK_SECONDS = 60.0  # between two looks at the holder
_REMINDER_LOOKS = 10  # between two warnings
_IDLE_LOOKS = 30  # without processor time of the holder, after which it counts as hung
_MOST_LOOKS = 24 * 60  # that anybody waits
_IDLE_SECONDS = 0.05  # of processor time between two looks: less than a slow download uses
_HOLDER_SUFFIX = ".holder"


class WaitedTooLong(ValueError):
    """Another process does not go on. The message says which one, and what to do."""


@contextmanager
def locked(file: Path, activity: str) -> Iterator[None]:
    """Holds an exclusive lock. If another process has it, logs what that process is doing and waits; while it waits, a
    warning every ten minutes says which process that is.

    activity: for the log, such as "tokenising passages". The system releases the lock if its holder dies.
    Raises WaitedTooLong if the holder uses no processor time for half an hour, which can be seen on its own machine
    only, and after a day in any case.
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
    holder = file.with_suffix(_HOLDER_SUFFIX)
    used, idle = _processor_seconds(holder), 0
    for look in range(1, _MOST_LOOKS + 1):  # counted, since this process may be suspended meanwhile
        try:
            lock.acquire(timeout=_LOOK_SECONDS)
            return
        except Timeout:
            before, used = used, _processor_seconds(holder)
        is_idle = used is not None and before is not None and used - before < _IDLE_SECONDS
        idle = idle + 1 if is_idle else 0
        if idle >= _IDLE_LOOKS:
            minutes = f"{_IDLE_LOOKS * _LOOK_SECONDS / 60:.0f} minutes"
            raise _waited_too_long(holder, f"is {activity}, but has used no processor time for {minutes}", file)
        if look % _REMINDER_LOOKS == 0:
            log.warning(
                "waiting for %s, which is %s, for %.0f minutes; if that process hangs, end it, and this one goes on",
                describe_holder(holder), activity, look * _LOOK_SECONDS / 60,
            )  # fmt: skip
    raise _waited_too_long(holder, f"has been {activity} for {_MOST_LOOKS * _LOOK_SECONDS / 3600:.0f} hours", file)


def _waited_too_long(holder: Path, fact: str, file: Path) -> WaitedTooLong:
    return WaitedTooLong(f"{describe_holder(holder)} {fact} ({file}); end it, then run the same command again")


def _processor_seconds(holder: Path) -> float | None:
    """What the holder of a lock has used so far; None if it is unknown, or runs on another machine."""
    try:
        found = read_json_object(holder)
        if found["host"] != socket.gethostname():
            return None
        fields = Path(f"/proc/{int(found['pid'])}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


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

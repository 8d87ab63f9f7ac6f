"""Who waits for a lock is told for whom, since when, and how to go on."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from babelbatch.storage import lock
from babelbatch.storage.lock import WaitedTooLong, _processor_seconds, describe_holder, locked
from processes import alive, started, until


def test_a_holder_that_hangs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lock, "_LOOK_SECONDS", 0.005)
    monkeypatch.setattr(lock, "_IDLE_LOOKS", 10_000)
    monkeypatch.setattr(lock, "_MOST_LOOKS", 10_000)
    file = tmp_path / "entry.lock"
    entered = threading.Event()

    def wait() -> None:
        with locked(file, "building it"):
            entered.set()

    waiting = threading.Thread(target=wait)
    with caplog.at_level(logging.INFO), locked(file, "building it"):
        waiting.start()
        deadline = time.monotonic() + 20
        while len(caplog.messages) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not entered.is_set()
    waiting.join(20)
    assert entered.is_set()
    assert caplog.messages[0] == "another process is building it: waiting for it"
    assert re.fullmatch(
        rf"waiting for pid {os.getpid()} on {re.escape(socket.gethostname())} since [-0-9]+ [:0-9]+, which is building "
        "it, for 0 minutes; if that process hangs, end it, and this one goes on",
        caplog.messages[1],
    )
    assert [path.name for path in tmp_path.iterdir()] in ([], ["entry.lock"])


HOLDER = """
import fcntl, json, os, socket, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
note = {"pid": os.getpid(), "host": socket.gethostname(), "since": "2026-01-31 12:00:00"}
open(sys.argv[2], "w").write(json.dumps(note))
print("locked", flush=True)
while True:
    work = sum(range(100_000)) if sys.argv[3] == "busy" else time.sleep(60)
"""


@contextmanager
def another_process(file: Path, how: str) -> Iterator[int]:
    with started(sys.executable, "-ISc", HOLDER, file, file.with_suffix(".holder"), how) as holder:
        assert holder.stdout.readline() == "locked\n"
        yield holder.pid


def test_the_wait_for_a_live_but_hung_process_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_LOOK_SECONDS", 0.02)
    file = tmp_path / "entry.lock"
    with another_process(file, "hung") as pid:
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(WaitedTooLong) as refused, locked(file, "building it"):
            pass
        assert str(refused.value) == (
            f"pid {pid} on {socket.gethostname()} since 2026-01-31 12:00:00 is building it, but has used no processor "
            f"time for 0 minutes ({file}); end it, then run the same command again"
        )
        os.kill(pid, signal.SIGKILL)
        until(lambda: not alive(pid))
        with locked(file, "building it"):
            pass


def test_the_wait_for_a_busy_process_is_longer_but_ends_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(lock, "_IDLE_SECONDS", -1)  # so short a look may see no tick of the clock
    monkeypatch.setattr(lock, "_MOST_LOOKS", 40)
    file = tmp_path / "entry.lock"
    with (
        another_process(file, "busy") as pid,
        pytest.raises(WaitedTooLong, match=rf"^pid {pid} on .* has been building it for 0 hours \("),
        locked(file, "building it"),
    ):
        pass


def test_processor_time_of_another_machine_is_unknown(tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
    assert 0 < _processor_seconds(note) < 10_000
    note.write_text(json.dumps({"pid": os.getpid(), "host": "elsewhere"}))
    assert _processor_seconds(note) is None


@pytest.mark.parametrize("content", ["", "[]", '{"pid": {}, "host": 1, "since": 2}', '{"pid": 1}', "x" * 99])
def test_a_damaged_note_of_the_holder(tmp_path: Path, content: str) -> None:
    (tmp_path / "note").write_text(content)
    assert describe_holder(tmp_path / "note") == "another process"

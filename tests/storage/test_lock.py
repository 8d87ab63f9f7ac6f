"""Who waits for a lock is told for whom, since when, and how to go on."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
import time
from pathlib import Path

import pytest

from babelbatch.storage import lock
from babelbatch.storage.lock import describe_holder, locked


def test_a_holder_that_hangs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lock, "_REMINDER_SECONDS", 0.05)
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


@pytest.mark.parametrize("content", ["", "[]", '{"pid": {}, "host": 1, "since": 2}', '{"pid": 1}', "x" * 99])
def test_a_damaged_note_of_the_holder(tmp_path: Path, content: str) -> None:
    (tmp_path / "note").write_text(content)
    assert describe_holder(tmp_path / "note") == "another process"

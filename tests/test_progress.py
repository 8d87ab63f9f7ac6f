"""What one sees while waiting: how often, and what. Real processes wait with shorter limits than users do."""

import logging
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from babelbatch import progress
from babelbatch.progress import LINE_EVERY, SHOWN_AFTER, Lines, Work, announce, bar, waiting
from processes import ended, started


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    monkeypatch.setattr(Lines, "_last", float("-inf"))
    return Clock()


def watched(lines: Lines, clock: Clock, seconds: int, step: float = 1.0) -> None:
    """As the thread of `bar` does."""
    end = clock.now + seconds
    clock.now += SHOWN_AFTER
    while clock.now < end:
        lines.show()
        clock.now += step
    clock.now = end


def test_at_least_a_line_a_minute(clock: Clock) -> None:
    work = Work("encoding", 36_000, "texts", started=clock.now)
    written: list[tuple[float, str]] = []
    lines = Lines(work, clock, lambda line: written.append((clock.now - 1000, line)))
    for _ in range(3600):
        work.advance(10)
        if clock.now - 1000 >= SHOWN_AFTER:
            lines.show()
        clock.now += 1
    lines.close(finished=True)
    times = [when for when, _ in written]
    assert times[0] == 2
    assert times[-1] == 3600
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) <= 60
    assert min(gaps[:-1]) >= 50  # and not many more
    assert written[0][1] == "encoding: 30 of 36,000 texts (0%), 15 texts/s, 39 min 58 s left"
    assert written[36][1] == "encoding: 18,030 of 36,000 texts (50%), 10 texts/s, 29 min 56 s left"
    assert written[-1][1] == "encoding: done in 1 h 0 min, 10 texts/s"


def test_one_step_of_an_hour_is_followed_too(clock: Clock) -> None:
    """And nothing but its time is known."""
    written: list[str] = []
    lines = Lines(Work("building the index", None, started=clock.now), clock, written.append)
    watched(lines, clock, 200)
    assert written == [
        "building the index: 2 s so far", "building the index: 52 s so far", "building the index: 1 min 42 s so far",
        "building the index: 2 min 32 s so far",
    ]  # fmt: skip
    lines.close(finished=True)
    assert written[-1] == "building the index: done in 3 min 20 s"


def test_work_within_other_work_logs_once_a_minute_for_both(clock: Clock) -> None:
    written: list[str] = []
    outer = Lines(Work("loading", None, started=clock.now), clock, written.append)
    clock.now += 2
    outer.show()
    clock.now += 40
    inner = Lines(Work("tokenising", 100, started=clock.now), clock, written.append)
    for _ in range(58):
        clock.now += 1
        outer.show()
        if clock.now - 1042 >= 2:
            inner.show()
    assert written == ["loading: 2 s so far", "tokenising: 0 of 100 items", "loading: 1 min 34 s so far"]


def test_work_that_fails_is_not_done(clock: Clock) -> None:
    written: list[str] = []
    lines = Lines(Work("reading", 10, started=clock.now), clock, written.append)
    watched(lines, clock, 5)
    lines.close(finished=False)
    assert written == ["reading: 0 of 10 items"]


def test_bytes_are_scaled(clock: Clock) -> None:
    work = Work("reading", 3_000_000_000, "bytes", done=1_500_000_000, started=clock.now)
    assert work.line(clock.now + 100) == "reading: 1.5 GB of 3 GB (50%), 15 MB/s, 1 min 40 s left"
    assert work.last_line(clock.now + 100) == "reading: done in 1 min 40 s, 15 MB/s"
    slow = Work("evaluating", 4, "benchmarks", done=1, started=clock.now)
    assert slow.line(clock.now + 20) == "evaluating: 1 of 4 benchmarks (25%), 0.05 benchmarks/s, 1 min 0 s left"
    assert Work("reading", 0, "bytes", started=clock.now).line(clock.now + 3) == "reading: 0 B of 0 B"


def test_short_work_shows_nothing(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with bar("counting", 3) as work, waiting("for nothing"):
        for _ in range(3):
            work.advance(1)
    assert work.done == 3
    assert capfd.readouterr() == ("", "")
    assert caplog.messages == []


def test_the_bounds_are_the_promised_ones() -> None:
    assert SHOWN_AFTER <= 2
    assert LINE_EVERY + 2 * Lines.interval < 60


def test_announcements_are_logged_where_there_is_a_log(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    announce("reading corpus 50%")
    assert caplog.messages == ["reading corpus 50%"]
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    announce("importing torch")
    assert capfd.readouterr().err == "babelbatch: importing torch\n"


SLOW = """
import sys, time
from babelbatch import progress
progress.LINE_EVERY, progress.Lines.interval = 1.0, 0.1
with progress.waiting("building"), progress.bar("encoding", 40, "texts") as work:
    for _ in range(40):
        time.sleep(0.15)
        work.advance(1)
print("end", flush=True)
"""


def test_a_process_in_a_pipe() -> None:
    """Six seconds: a first line by the third, then one a second (instead of a minute), then the end."""
    with started(sys.executable, "-u", "-c", SLOW, stdout=subprocess.DEVNULL) as process:
        begun, times, lines = time.monotonic(), [], []
        for line in process.stderr:
            times.append(time.monotonic() - begun)
            lines.append(line)
        ended(process)
    assert process.returncode == 0
    assert all(re.fullmatch(r"babelbatch: (building|encoding): .*\n", line) for line in lines)
    counted = [line for line in lines if line.startswith("babelbatch: encoding: ")]
    assert re.fullmatch(r"babelbatch: encoding: \d+ of 40 texts \(\d+%\), [\d.]+ texts/s, \d+ s left\n", counted[0]), (
        counted
    )
    assert re.fullmatch(r"babelbatch: encoding: done in \d+ s, [\d.]+ texts/s\n", counted[-1])
    assert lines[-1].startswith("babelbatch: building: done in ")
    assert len(lines) >= 5
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) < 3, "a line a second, with room for a busy machine"


def test_a_process_at_a_terminal() -> None:
    """The bars of both works, redrawn, and taken away at the end."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"}
    with started(sys.executable, "-c", SLOW, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        begun, first, pieces = time.monotonic(), 0.0, []
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # how the end of a terminal is read
                break
            if not piece:
                break
            first = first or time.monotonic() - begun
            pieces.append(piece)
        ended(process)
    os.close(ours)
    screen = b"".join(pieces).decode()
    assert process.returncode == 0
    assert "building" in screen
    shares = [int(share) for share in re.findall(r"encoding\D*?(?:\x1b\[[\d;]*m|[━╸╺ ])*\s*(\d+)%", screen)]
    assert len(set(shares)) > 5, screen[-2000:]
    assert shares == sorted(shares)
    assert "babelbatch: encoding" not in screen  # lines are for pipes
    assert first < 10  # seconds, the start of Python on a busy machine included
    assert screen.rstrip().endswith("end")
    assert progress.SHOWN_AFTER <= 2

"""What one sees while waiting: how often, and what. Real processes wait with shorter limits than users do."""

import gc
import logging
import os
import pty
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from babelbatch import progress
from babelbatch.progress import (
    LINE_EVERY,
    SHOWN_AFTER,
    Lines,
    Work,
    announce,
    bar,
    bounded_percent,
    percent,
    percent_at_least,
    reading,
    track,
    waiting,
)
from processes import ended, python, started


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    monkeypatch.setattr(Lines, "_last", float("-inf"))
    monkeypatch.setattr(Lines, "_shown", [])
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
    assert written[0][1] == "encoding: 30 of 36,000 texts (0\xa0%), 15 texts/s, 39 min 58 s left"
    assert written[36][1] == "encoding: 18,030 of 36,000 texts (50\xa0%), 10 texts/s, 29 min 56 s left"
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


def test_work_within_other_work_shares_a_line_a_minute(clock: Clock) -> None:
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
    assert written == [
        "loading: 2 s so far", "tokenising: 0 of 100 items", "loading: 1 min 34 s so far; tokenising: 0 of 100 items",
    ]  # fmt: skip
    inner.close(finished=False)
    clock.now += LINE_EVERY
    outer.show()
    assert written[3:] == ["loading: 2 min 30 s so far"]


def test_work_that_fails_is_not_done(clock: Clock) -> None:
    written: list[str] = []
    lines = Lines(Work("reading", 10, started=clock.now), clock, written.append)
    watched(lines, clock, 5)
    lines.close(finished=False)
    assert written == ["reading: 0 of 10 items"]


def test_bytes_are_scaled(clock: Clock) -> None:
    work = Work("reading", 3_000_000_000, "bytes", done=1_500_000_000, started=clock.now)
    assert work.line(clock.now + 100) == "reading: 1.5 GB of 3 GB (50\xa0%), 15 MB/s, 1 min 40 s left"
    assert work.last_line(clock.now + 100) == "reading: done in 1 min 40 s, 15 MB/s"
    slow = Work("evaluating", 4, "benchmarks", done=1, started=clock.now)
    assert slow.line(clock.now + 20) == "evaluating: 1 of 4 benchmarks (25\xa0%), 0.05 benchmarks/s, 1 min 0 s left"
    assert Work("reading", 0, "bytes", started=clock.now).line(clock.now + 3) == "reading: 0 B of 0 B"


def test_a_number_without_a_total_is_shown(clock: Clock) -> None:
    work = Work("reading team/set", None, "rows", done=12_000, started=clock.now)
    assert work.line(clock.now + 60) == "reading team/set: 12,000 rows, 200 rows/s, 1 min 0 s so far"
    assert work.last_line(clock.now + 60) == "reading team/set: done in 1 min 0 s, 200 rows/s"


def test_a_share_that_rounding_makes_none_or_all_is_a_bound() -> None:
    shares = (0, 1e-9, 0.0004, 0.0006, 0.5, 0.9994, 0.9996, 1 - 1e-9, 1)
    assert [bounded_percent(share, 1).replace("\xa0", " ") for share in shares] == [
        "0.0 %", "< 0.1 %", "< 0.1 %", "0.1 %", "50.0 %", "99.9 %", "> 99.9 %", "> 99.9 %", "100.0 %",
    ]  # fmt: skip
    assert [bounded_percent(share) for share in (0.004, 0.006, 0.996)] == ["<\xa01\xa0%", "1\xa0%", ">\xa099\xa0%"]


def test_at_least_is_rounded_down() -> None:
    shares = (0.9996, 0.8457, 0.29, 0.999, 1, 0)
    assert [percent_at_least(share, 1).replace("\xa0", " ") for share in shares] == [
        "99.9 %", "84.5 %", "29.0 %", "99.9 %", "100.0 %", "0.0 %",
    ]  # fmt: skip


def test_percentages_have_a_no_break_space() -> None:
    assert (percent(0.5283), percent(0.5283, 1), percent(0), percent(1)) == (
        "53\xa0%",
        "52.8\xa0%",
        "0\xa0%",
        "100\xa0%",
    )


def test_a_position_is_read_when_it_is_shown(works: list[Work]) -> None:
    """And at the end: a loop that calls nothing is followed too."""
    place = 0
    with bar("reading", 7, "rows", lambda: place):
        place = 3
        (work,) = works
        work.measure()
        assert work.done == 3
        place = 7
    assert work.done == 7


def test_a_file_is_followed_by_its_bytes(tmp_path: Path, works: list[Work]) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 100)
    with path.open("rb", buffering=0) as file, reading(path, file):
        file.read(30)
        (work,) = works
        work.measure()
        assert (work.description, work.done, work.total, work.unit) == ("reading a.txt", 30, 100, "bytes")
        file.read(20)
    assert work.done == 50


def test_a_pipe_is_followed_by_the_time(tmp_path: Path, works: list[Work]) -> None:
    readable, writable = os.pipe()
    with open(readable, "rb") as file, open(writable, "wb"), reading(Path("pipe"), file):
        pass
    assert [(work.description, work.total, work.done) for work in works] == [("reading pipe", None, 0)]


def test_items_are_followed_as_they_are_taken(works: list[Work]) -> None:
    taken = track(["a", "b", "c"], "comparing", "texts")
    assert (next(taken), next(taken)) == ("a", "b")
    (work,) = works
    work.measure()
    assert (work.description, work.done, work.total, work.unit) == ("comparing", 1, 3, "texts")
    assert list(taken) == ["c"]
    assert work.done == 3
    assert list(track(iter("ab"), "comparing")) == ["a", "b"]
    assert (works[1].done, works[1].total) == (2, None)


def test_no_thread_outlives_a_loop_that_fails(tmp_path: Path) -> None:
    def fail() -> None:
        for _ in track(range(3), "comparing"):
            raise ValueError("a wrong row")

    with pytest.raises(ValueError, match="a wrong row"):
        fail()
    gc.collect()
    assert [thread.name for thread in threading.enumerate() if thread.name == "progress"] == []


LOG_ONCE = """
import logging, sys
from pathlib import Path
if sys.argv[1] == "huggingface_hub":
    import babelbatch.encoder.hub
else:
    from babelbatch.sources.tables import HubTable
    HubTable(sys.argv[2]).version()
logger = logging.getLogger(sys.argv[1])
logger.warning("before there is a log")
logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stderr)
logger.warning("in the log")
"""


@pytest.mark.parametrize("library", ["huggingface_hub", "datasets"])
def test_a_warning_of_a_library_with_a_handler_of_its_own_is_shown_once(library: str, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"id": "1"}')
    done = python(LOG_ONCE, library, tmp_path)
    assert done.stderr == "before there is a log\nWARNING in the log\n"


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
    monkeypatch.setattr(logging.getLogger(), "handlers", [caplog.handler])
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
    assert all(re.fullmatch(r"babelbatch: (building|encoding): .*\n", line) for line in lines), lines
    counted = [line for line in lines if line.startswith("babelbatch: encoding: ")]
    pattern = (
        r"babelbatch: (building: \d+ s so far; )?encoding: \d+ of 40 texts \(\d+\xa0%\), [\d.]+ texts/s, \d+ s left\n"
    )
    assert re.fullmatch(pattern, counted[0]), counted
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
    shares = [int(share) for share in re.findall(r"encoding\D*?(?:\x1b\[[\d;]*m|[━╸╺ ])*\s*(\d+)\xa0%", screen)]
    assert len(set(shares)) > 5, screen[-2000:]
    assert shares == sorted(shares)
    assert "babelbatch: encoding" not in screen  # lines are for pipes
    assert first < 10  # seconds, the start of Python on a busy machine included
    assert screen.rstrip().endswith("end")
    assert progress.SHOWN_AFTER <= 2

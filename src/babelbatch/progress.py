"""What one sees while waiting: a bar at a terminal, and in a pipe or a log file a line a minute.

`announce` names the step that begins. `bar` follows a loop, `waiting` a single long call.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeft

log = logging.getLogger(__name__)

SHOWN_AFTER = 2.0  # seconds; work that is shorter shows nothing
LINE_EVERY = 50.0  # seconds between two lines at most, with some room below a minute for a busy machine


def announce(message: str) -> None:
    """Logs what begins now; before logging is set up, prints it on stderr."""
    if logging.getLogger().handlers:
        log.info("%s", message)
    else:
        print(f"babelbatch: {message}", file=sys.stderr, flush=True)


@dataclass(slots=True)
class Work:
    """What has been done, out of `total`. total: None where it is not known.

    unit: of `total`, in the plural; `bytes` are shown in kB, MB and so on. started: in seconds of the monotonic clock.
    """

    description: str
    total: int | None
    unit: str = "items"
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    def advance(self, done: int) -> None:
        self.done += done

    def line(self, now: float) -> str:
        """Done and total, rate and time left, such as "encoding: 300 of 900 texts (33%), 15 texts/s, 40 s left"."""
        passed = now - self.started
        if self.total is None:
            return f"{self.description}: {_duration(passed)} so far"
        counted = f"{_amount(self.done, self.unit)} of {_amount(self.total, self.unit)}"
        if not self.unit_is_bytes:
            counted = f"{counted} {self.unit}"
        if not self.done or not self.total or passed <= 0:
            return f"{self.description}: {counted}"
        left = passed * max(self.total - self.done, 0) / self.done
        share = f"{self.done / self.total:.0%}"
        return f"{self.description}: {counted} ({share}), {self._rate(passed)}, {_duration(left)} left"

    def last_line(self, now: float) -> str:
        passed = now - self.started
        rate = f", {self._rate(passed)}" if self.total is not None and self.done and passed > 0 else ""
        return f"{self.description}: done in {_duration(passed)}{rate}"

    @property
    def unit_is_bytes(self) -> bool:
        return self.unit == "bytes"

    def _rate(self, passed: float) -> str:
        rate = self.done / passed
        if self.unit_is_bytes:
            return f"{_amount(round(rate), self.unit)}/s"
        return f"{rate:,.0f} {self.unit}/s" if rate >= 10 else f"{rate:.2g} {self.unit}/s"


class Display(Protocol):
    """Shows work that goes on. `show` is called every `interval` seconds, `close` once."""

    interval: float

    def show(self) -> None: ...

    def close(self, finished: bool) -> None: ...


class Lines:
    """Logs a line at the first `show`, then one whenever none was logged for `LINE_EVERY` seconds, and one at the end.
    Work within other work counts its lines too, so that not each of them logs every minute."""

    interval = 1.0
    _last = float("-inf")  # of all work of the process

    def __init__(
        self, work: Work, clock: Callable[[], float] = time.monotonic, write: Callable[[str], None] = announce
    ) -> None:
        self._work, self._clock, self._write = work, clock, write
        self._begun = False

    def show(self) -> None:
        if not self._begun or self._due():
            self._begun = True
            self._line(self._work.line(self._clock()))

    def close(self, finished: bool) -> None:
        if finished and (self._begun or self._due()):
            self._line(self._work.last_line(self._clock()))

    def _due(self) -> bool:
        return self._clock() - max(Lines._last, self._work.started) >= LINE_EVERY

    def _line(self, text: str) -> None:
        Lines._last = self._clock()
        self._write(text)


class TerminalBar:
    """A line of the terminal, which disappears at the end. Work within other work shows a line each."""

    interval = 0.1
    _lock = threading.Lock()
    _live: _LiveProgress | None = None

    def __init__(self, work: Work) -> None:
        self._work = work
        self._task: TaskID | None = None

    def show(self) -> None:
        with TerminalBar._lock:
            live = TerminalBar._live = TerminalBar._live or _LiveProgress()
            if self._task is None:
                self._task = live.progress.add_task(self._work.description, total=self._work.total)
            live.progress.update(self._task, completed=self._work.done)

    def close(self, finished: bool) -> None:
        with TerminalBar._lock:
            live = TerminalBar._live
            if self._task is None or live is None:
                return
            live.progress.remove_task(self._task)
            if not live.progress.tasks:
                live.stop()
                TerminalBar._live = None


class _LiveProgress:
    """The bars at the terminal's lower end. What is logged meanwhile is printed above them."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeLeft())
        stdout, both = sys.stdout, sys.stdout.isatty()  # output to a file or a pipe must not turn up on the terminal
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=both)
        self.progress.start()
        self._handlers = [
            handler
            for handler in logging.getLogger().handlers
            if both and isinstance(handler, logging.StreamHandler) and handler.stream is stdout
        ]
        self._stdout = stdout
        for handler in self._handlers:
            handler.setStream(sys.stdout)  # rich has replaced it

    def stop(self) -> None:
        for handler in self._handlers:
            handler.setStream(self._stdout)
        self.progress.stop()


@contextmanager
def bar(description: str, total: int | None, unit: str = "items") -> Iterator[Work]:
    """Shows how far a loop is, which calls `advance` on the value of this context manager. Work of less than two
    seconds shows nothing. unit: what `total` counts, in the plural."""
    work = Work(description, total, unit)
    display: Display = TerminalBar(work) if sys.stderr.isatty() else Lines(work)
    over = threading.Event()
    # A thread, because one step of the loop may take longer than a minute.
    watcher = threading.Thread(target=_watch, args=(display, over), name="progress", daemon=True)
    watcher.start()
    finished = False
    try:
        yield work
        finished = True
    finally:
        over.set()
        watcher.join()
        display.close(finished)


@contextmanager
def waiting(description: str) -> Iterator[None]:
    """Shows that a single long call goes on, whose end cannot be foreseen."""
    with bar(description, None):
        yield


def _watch(display: Display, over: threading.Event) -> None:
    if over.wait(SHOWN_AFTER):
        return
    while True:
        display.show()
        if over.wait(display.interval):
            return


def _amount(number: int, unit: str) -> str:
    if unit != "bytes":
        return f"{number:,}"
    size, prefixes = float(number), ["", "k", "M", "G", "T"]
    while size >= 1000 and len(prefixes) > 1:
        size /= 1000
        prefixes.pop(0)
    return f"{size:.3g} {prefixes[0]}B"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

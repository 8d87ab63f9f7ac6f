"""What one sees while waiting: a bar at a terminal, and in a pipe or a log file a line a minute.

`announce` names the step that begins. `bar` and `track` follow a loop, `reading` a file, `waiting` a single long call.
`silent` switches all of them off.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeft
from rich.text import Text

log = logging.getLogger(__name__)

Item = TypeVar("Item")

SHOWN_AFTER = 2.0  # seconds; work that is shorter shows nothing
LINE_EVERY = 50.0  # seconds between two lines at most, with some room below a minute for a busy machine


_SILENT = ContextVar("silent", default=False)
_LINES_ONLY = ContextVar("lines only", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """Shows no bar and announces nothing within, in this thread."""
    token = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(token)


def show_lines_only() -> None:
    """From now on shows lines at a terminal, too, where another process shows its bars."""
    _LINES_ONLY.set(True)


def announce(message: str) -> None:
    """Logs what begins now; before logging is set up, prints it on stderr."""
    if _SILENT.get():
        return
    if logging.getLogger().handlers:
        log.info("%s", message)
    else:
        print(f"babelbatch: {message}", file=sys.stderr, flush=True)


def log_once(library: str) -> None:
    """Silences a library's own handler on stderr wherever the root logger has handlers, which get its messages too."""
    for handler in logging.getLogger(library).handlers:
        if _root_has_no_handlers not in handler.filters:
            handler.addFilter(_root_has_no_handlers)


def _root_has_no_handlers(_: logging.LogRecord) -> bool:
    return not logging.getLogger().handlers


def percent(share: float, digits: int = 0) -> str:
    """A share as a percentage, joined to its unit by a no-break space: 0.528 is `53 %`. digits: decimals."""
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def bounded_percent(share: float, digits: int = 0) -> str:
    """As `percent`, but a share that only rounding makes none or all is `< 0.1 %` or `> 99.9 %`."""
    least = 0.1**digits
    rounded = round(100 * share, digits)
    if rounded <= 0 < share:
        return f"<\N{NO-BREAK SPACE}{percent(least / 100, digits)}"
    if share < 1 and rounded >= 100:
        return f">\N{NO-BREAK SPACE}{percent(1 - least / 100, digits)}"
    return percent(share, digits)


def percent_at_least(share: float, digits: int = 0) -> str:
    """As `percent`, rounded down, for what a sentence says that there is at least."""
    scale: int = 10**digits
    return percent(math.floor(round(100 * share * scale, 6)) / scale / 100, digits)


@dataclass(slots=True)
class Work:
    """What has been done, out of `total`. total: None where it is not known.

    unit: of `total`, in the plural; `bytes` are shown in kB, MB and so on. started: in seconds of the monotonic clock.
    position: returns what has been done, for a loop that does not call `advance`.
    """

    description: str
    total: int | None
    unit: str = "items"
    done: int = 0
    started: float = field(default_factory=time.monotonic)
    position: Callable[[], int] | None = None

    def advance(self, done: int) -> None:
        self.done += done

    def measure(self) -> None:
        """Updates `done` from `position`, if there is one."""
        if self.position is not None:
            self.done = self.position()

    def line(self, now: float) -> str:
        """Done and total, rate and time left, such as "encoding: 300 of 900 texts (33 %), 15 texts/s, 40 s left"."""
        passed = now - self.started
        if self.total is None:
            counted = f"{self.done:,} {self.unit}, {self._rate(passed)}, " if self.done and passed > 0 else ""
            return f"{self.description}: {counted}{_duration(passed)} so far"
        counted = f"{_amount(self.done, self.unit)} of {_amount(self.total, self.unit)}"
        if not self.unit_is_bytes:
            counted = f"{counted} {self.unit}"
        if not self.done or not self.total or passed <= 0:
            return f"{self.description}: {counted}"
        left = passed * max(self.total - self.done, 0) / self.done
        share = percent(self.done / self.total)
        return f"{self.description}: {counted} ({share}), {self._rate(passed)}, {_duration(left)} left"

    def last_line(self, now: float) -> str:
        passed = now - self.started
        rate = f", {self._rate(passed)}" if self.done and passed > 0 else ""
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
    Work within other work shares its line a minute, the outermost first."""

    interval = 1.0
    _lock = threading.Lock()
    _last = float("-inf")  # of all work of the process
    _shown: ClassVar[list[Lines]] = []  # that have logged and go on, the innermost last

    def __init__(
        self, work: Work, clock: Callable[[], float] = time.monotonic, write: Callable[[str], None] = announce
    ) -> None:
        self._work, self._clock, self._write = work, clock, write
        self._begun = False

    def show(self) -> None:
        with Lines._lock:  # each work is watched by a thread
            now = self._clock()
            if not self._begun:
                self._begun = True
                Lines._shown.append(self)
                self._line(self._work.line(now))
            elif self._due():
                self._line("; ".join(lines._work.line(now) for lines in Lines._shown))

    def close(self, finished: bool) -> None:
        with Lines._lock:
            if self._begun:
                Lines._shown.remove(self)
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
            if TerminalBar._live is None:
                TerminalBar._live = _LiveProgress()
                atexit.register(TerminalBar._stop)  # an error may end the process within a loop; the cursor is hidden
            live = TerminalBar._live
            if self._task is None:
                self._task = live.progress.add_task(
                    self._work.description, total=self._work.total, unit=self._work.unit
                )
            live.progress.update(self._task, completed=self._work.done)

    def close(self, finished: bool) -> None:
        with TerminalBar._lock:
            live = TerminalBar._live
            if self._task is None or live is None:
                return
            live.progress.remove_task(self._task)
            if not live.progress.tasks:
                TerminalBar._stop()

    @classmethod
    def _stop(cls) -> None:
        atexit.unregister(cls._stop)
        if cls._live is not None:
            cls._live.stop()
            cls._live = None


class _Share(ProgressColumn):
    """What share is done; where the total is not known, how much."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text(f"{task.completed:,.0f} {task.fields['unit']}" if task.completed else "")
        return Text(percent(task.percentage / 100).rjust(5), style="progress.percentage")


class _LiveProgress:
    """The bars at the terminal's lower end. What is logged meanwhile is printed above them."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), _Share(), TimeElapsedColumn(), TimeLeft())
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
def bar(
    description: str, total: int | None, unit: str = "items", position: Callable[[], int] | None = None
) -> Iterator[Work]:
    """Shows how far a loop is, which calls `advance` on the value of this context manager. Work of less than two
    seconds shows nothing. unit: what `total` counts, in the plural. position: returns what has been done, instead of
    the calls of `advance`; it is called by another thread."""
    work = Work(description, total, unit, position=position)
    if _SILENT.get():
        yield work
        return
    display: Display = TerminalBar(work) if sys.stderr.isatty() and not _LINES_ONLY.get() else Lines(work)
    over = threading.Event()
    # A thread, because one step of the loop may take longer than a minute.
    watcher = threading.Thread(target=_watch, args=(work, display, over), name="progress", daemon=True)
    watcher.start()
    finished = False
    try:
        yield work
        finished = True
    finally:
        over.set()
        watcher.join()
        work.measure()
        display.close(finished)


def track(items: Iterable[Item], description: str, unit: str = "items") -> Iterator[Item]:
    """The items, while a bar shows how many have been taken."""
    number = 0
    with bar(description, len(items) if isinstance(items, Sized) else None, unit, lambda: number):
        for item in items:
            yield item
            number += 1


class _OpenFile(Protocol):
    def fileno(self) -> int: ...


@contextmanager
def reading(path: Path, file: _OpenFile) -> Iterator[None]:
    """Shows how far an open file has been read, in bytes on the disk: of a gzip file, the compressed ones.

    path: for the description.
    """
    descriptor = file.fileno()
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):  # a pipe has no size
        with waiting(f"reading {path.name}"):
            yield
        return
    with bar(f"reading {path.name}", facts.st_size, "bytes", lambda: os.lseek(descriptor, 0, os.SEEK_CUR)):
        yield


@contextmanager
def waiting(description: str) -> Iterator[None]:
    """Shows that a single long call goes on, whose end cannot be foreseen."""
    with bar(description, None):
        yield


def _watch(work: Work, display: Display, over: threading.Event) -> None:
    if over.wait(SHOWN_AFTER):
        return
    while True:
        work.measure()
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

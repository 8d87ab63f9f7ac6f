"""The progress bar of long work. On a terminal only: a log file needs none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class Bar:
    """What the work reports to."""

    def __init__(self, progress: Progress | None, task: int) -> None:
        self._progress, self._task = progress, task

    def advance(self, done: int) -> None:
        if self._progress is not None:
            self._progress.advance(self._task, done)


@contextmanager
def bar(description: str, total: int, *, worth_it: bool) -> Iterator[Bar]:
    """A bar that goes away when the work is done. worth_it: whether there is enough work to show one."""
    if not (worth_it and sys.stderr.isatty()):
        yield Bar(None, 0)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress, progress.add_task(description, total=total))

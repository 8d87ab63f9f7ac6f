"""SIGTERM as an exception, as Ctrl-C is one already."""

from __future__ import annotations

import signal
from types import FrameType


class Stopped(BaseException):
    """A signal asked this process to stop, and the run is saved. Not an `Exception`, so that code that recovers from
    errors does not catch it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def raise_on_sigterm() -> None:
    """Makes SIGTERM raise Stopped in the main thread. By default it ends the process without a message."""
    signal.signal(signal.SIGTERM, _raise)


def signal_exit_code(signum: int) -> int:
    """The exit code that a shell reports for a process ended by this signal: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + signum


def _raise(signum: int, frame: FrameType | None) -> None:
    raise Stopped(signum)

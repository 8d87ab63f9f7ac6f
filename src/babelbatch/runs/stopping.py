"""Being asked to stop: SIGTERM as an exception, as Ctrl-C already is one."""

from __future__ import annotations

import signal
from types import FrameType


class Stopped(BaseException):
    """A signal asked this process to stop, and what had to be saved is saved. Not an `Exception`: nothing that goes on
    after errors goes on after this."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def raise_on_sigterm() -> None:
    """From now on SIGTERM raises Stopped in the main thread; by itself it would end the process without a word."""
    signal.signal(signal.SIGTERM, _raise)


def signal_exit_code(signum: int) -> int:
    """What a shell reports of a process that a signal ended: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + signum


def _raise(signum: int, frame: FrameType | None) -> None:
    raise Stopped(signum)

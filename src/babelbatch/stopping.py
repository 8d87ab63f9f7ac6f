"""What ends a run before its time."""

from __future__ import annotations


class Stopped(BaseException):
    """A signal asked the run to stop, and it did so after a whole step: typing the same command again goes on there."""

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(f"stopped by signal {signum}")

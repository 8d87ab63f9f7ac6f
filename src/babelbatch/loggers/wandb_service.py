"""The process that wandb runs beside ours, for all its runs."""

from __future__ import annotations

from contextlib import suppress
from typing import Any


def end_service(kill: bool = False) -> None:
    """Ends it: the next call to wandb starts another. kill: it hangs, and what it has not written is lost.

    wandb has no bound of its own for a process that hangs or has died, neither in the next run nor at exit.
    """
    import wandb

    if kill:
        with suppress(BaseException):  # these are private: wandb gives no other access to its process
            connection: Any = wandb.setup()._connection
            connection._proc._process.kill()
    with suppress(BaseException):
        wandb.teardown()

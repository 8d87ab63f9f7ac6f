"""The process that the wandb client keeps beside ours, for all its runs."""

from __future__ import annotations

from contextlib import suppress


def end_service(kill: bool = False) -> None:
    """Ends it: the next call to wandb starts another. kill: it hangs, and what it has not written is lost.

    wandb has no bound of its own for a process that hangs or has died, neither in the next run nor at exit.
    """
    import wandb

    if kill:
        with suppress(BaseException):  # reaches into wandb, which shows this process to nobody
            wandb.setup()._connection._proc._process.kill()
    with suppress(BaseException):
        wandb.teardown()

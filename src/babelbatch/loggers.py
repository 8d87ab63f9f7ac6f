"""Loggers that never ask, never hang and never stop a run."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Literal

from pytorch_lightning.loggers import WandbLogger

log = logging.getLogger(__name__)

_START_SECONDS = 20
_FINISH_SECONDS = 60


def wandb_logger(
    project: str,
    save_dir: str,
    name: str | None = None,
    group: str | None = None,
    job_type: str | None = None,
    mode: Literal["online", "offline", "disabled"] | None = None,
    tags: list[str] | None = None,
) -> WandbLogger:
    """A Weights & Biases run.

    mode: None means what the environment variable WANDB_MODE says, else online if the user is logged in, else offline.
        An online run that cannot be started within half a minute goes on offline: its files lie in `save_dir`, and
        `wandb sync` uploads them later.
    """
    import wandb

    Path(save_dir).mkdir(parents=True, exist_ok=True)
    chosen = mode or os.environ.get("WANDB_MODE") or ("online" if _logged_in() else "offline")

    if chosen == "online" and not _logged_in():  # where wandb would ask, and wait for an answer
        log.warning("not logged in to W&B: this run is logged offline; `wandb login`, then upload it with `wandb sync`")
        chosen = "offline"

    def start(mode: str) -> wandb.Run:
        settings = wandb.Settings(
            init_timeout=_START_SECONDS, finish_timeout=_FINISH_SECONDS, silent=mode != "online", console="off"
        )
        return wandb.init(
            project=project,
            dir=save_dir,
            name=name,
            group=group,
            tags=tags,
            mode=mode,
            job_type=job_type,
            settings=settings,
        )

    try:
        run = start(chosen)
    except wandb.errors.Error as error:
        log.warning("W&B cannot be reached (%s); this run is logged offline, upload it with `wandb sync`", error)
        run = start("offline")
    return WandbLogger(experiment=run, save_dir=save_dir)


def _logged_in() -> bool:
    """Whether a key is at hand. Reads files and variables only: no prompt, no network."""
    import wandb

    return wandb.login(prompt=False, verify=False)


def define_summaries(logger: WandbLogger, benchmarks: list[str]) -> None:
    """The dashboard's columns: the lowest of each loss; the last value of each score, which is the final evaluation.

    Not the best value of a score: picking the best point of a test curve would flatter the run. The last value is what
    W&B keeps unasked, under the plain key that scatter plots can use.
    """
    run = logger.experiment
    for key in ("train/loss*", "validation/loss*"):
        run.define_metric(key, step_metric="trainer/global_step", summary="min")
    for benchmark in benchmarks:
        run.define_metric(f"{benchmark}/*", step_metric="trainer/global_step")


def finish(loggers: list) -> None:
    """Closes the W&B run of a job, so that the next job of a sweep gets its own."""
    import wandb

    if any(isinstance(logger, WandbLogger) for logger in loggers):
        wandb.finish()

"""Curves on disk and in Weights & Biases: they survive a resume, and never stop or slow the training.

`csv_logger` and `wandb_logger` make a logger; `finish` ends what they hold open. Only rank 0 logs.
"""

from collections.abc import Iterable

from pytorch_lightning.loggers import Logger

from babelbatch.loggers.csv_curves import CsvCurves as CsvCurves
from babelbatch.loggers.csv_curves import csv_logger as csv_logger
from babelbatch.loggers.wandb_run import WandbRun as WandbRun
from babelbatch.loggers.wandb_run import wandb_logger as wandb_logger


def finish(loggers: Iterable[Logger]) -> None:
    """Ends the W&B run of a job, within a minute whatever happens, so that the next job of a sweep gets its own.

    Called while an exception passes, it marks the run as failed.
    """
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.finish()

"""When to evaluate, and what to log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm

from babelbatch.evaluation.evaluation import Evaluation, Result
from babelbatch.progress import Work, bar
from babelbatch.records import Benchmark

log = logging.getLogger(__name__)


class EvaluateRetrieval(pl.Callback):
    """Evaluates the benchmarks during training.

    during_training: evaluate after each validation, so that a benchmark's metric can be followed and monitored. The
        end is the run's business (`train.py`), which calls `log_final`.
    """

    def __init__(
        self, benchmarks: Mapping[str, Benchmark], evaluation: Evaluation, during_training: bool = False
    ) -> None:
        self._benchmarks = benchmarks
        self._evaluation = evaluation
        self._during_training = during_training

    # Not `on_validation_end`: callbacks that monitor a metric read it there.
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._during_training and not trainer.sanity_checking:
            for benchmark in self._benchmarks.values():
                # Every rank has the same numbers; Lightning wants to hear that it may average them.
                result = self._evaluation.during_training(pl_module.encoder, benchmark)
                pl_module.log_dict(result.metrics, sync_dist=True)


def log_final(loggers: list[pl.loggers.Logger], results: list[Result], step: int) -> None:
    """Sends the final scores to every logger: to W&B all of them, with a table and a heat-map a benchmark; to the
    others the macro scores (metrics.json has the rest).
    """
    for logger in loggers:
        for result in results:
            if hasattr(logger, "log_result"):
                logger.log_result(result, step)
            else:
                macro = {key: value for key, value in result.metrics.items() if key.count("/") == 2}
                logger.log_metrics(macro, step=step)
        logger.save()


class ProgressBar(TQDMProgressBar):
    """One bar for the steps on a terminal, and a line a validation in a log file.

    Lightning's own counts epochs, shows a bar a validation, and fills log files.
    """

    def __init__(self, refresh_rate: int = 20) -> None:
        super().__init__(refresh_rate=refresh_rate)
        self._lines = ExitStack()  # of a log file: a line a minute
        self._work: Work | None = None
        self._first_step = 0

    def init_train_tqdm(self) -> Tqdm:
        return super().init_train_tqdm() if sys.stderr.isatty() else Tqdm(disable=True)

    def init_validation_tqdm(self) -> Tqdm:
        return Tqdm(disable=True)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        if not sys.stderr.isatty():
            losses = ", ".join(f"{key} {value:.3f}" for key, value in trainer.callback_metrics.items() if "loss" in key)
            log.info("step %d of %d: %s", trainer.global_step, trainer.max_steps, losses)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        if not sys.stderr.isatty():
            self._first_step = trainer.global_step
            resumed = f" from step {self._first_step}" if self._first_step else ""
            remaining = trainer.max_steps - self._first_step
            self._lines = ExitStack()
            self._work = self._lines.enter_context(bar(f"training{resumed}", remaining, unit="steps"))

    def on_train_batch_end(self, trainer: pl.Trainer, *arguments: Any) -> None:
        super().on_train_batch_end(trainer, *arguments)
        if self._work is not None:
            self._work.done = trainer.global_step - self._first_step

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        self._lines.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        super().on_exception(trainer, pl_module, exception)
        self._lines.__exit__(type(exception), exception, exception.__traceback__)

    def on_train_epoch_start(self, trainer: pl.Trainer, *_: object) -> None:
        super().on_train_epoch_start(trainer, *_)
        self.train_progress_bar.set_description("training")

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, int | str | float]:
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}

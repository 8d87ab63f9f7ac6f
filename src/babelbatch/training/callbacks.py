"""Evaluation during training, the final scores in the loggers, and the progress bar."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import pytorch_lightning as pl
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm

from babelbatch.evaluation.dimensions import DIMENSIONS
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.evaluation.scoring import Result
from babelbatch.progress import Work, bar
from babelbatch.records import Benchmark

if TYPE_CHECKING:
    from babelbatch.training.learner import Learner

log = logging.getLogger(__name__)


class EvaluateRetrieval(pl.Callback):
    """Evaluates the benchmarks during training.

    during_training: evaluate after each validation, so that a benchmark's metric can be plotted and monitored. The
        final evaluation is a step of the run (`commands/train.py`).
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
            encoder = cast("Learner", pl_module).whole_encoder()
            for benchmark in self._benchmarks.values():
                result = self._evaluation.during_training(encoder, benchmark)
                # All ranks have the same numbers; `sync_dist` avoids Lightning's warning.
                pl_module.log_dict(result.metrics, sync_dist=True)


def log_final(loggers: list[pl.loggers.Logger], results: list[Result], step: int) -> None:
    """Logs the final scores: to W&B all of them, with a table and a heat-map of each benchmark, to other loggers the
    macro scores. Those at `evaluation.dimensions` are macro scores. metrics.json has them all.
    """
    for logger in loggers:
        for result in results:
            sizes = {
                key: value
                for key, value in result.facts.items()
                if key.startswith(DIMENSIONS) and isinstance(value, float)
            }
            if sizes:
                logger.log_metrics(sizes, step=step)
            if hasattr(logger, "log_result"):
                logger.log_result(result, step)
            else:
                macro = {key: value for key, value in result.metrics.items() if key.count("/") == 2}
                logger.log_metrics(macro, step=step)
        logger.save()


class ProgressBar(TQDMProgressBar):
    """One bar for the steps at a terminal; in a log file one line a minute and one for each validation.

    Lightning's own bar counts epochs, adds a bar for each validation, and fills log files.
    """

    BAR_FORMAT = (
        "{desc}{percentage:3.0f}\N{NO-BREAK SPACE}%|{bar}| {n_fmt}/{total_fmt} "
        "[{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"
    )

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

    def get_metrics(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        metrics = super().get_metrics(trainer, pl_module)
        return {name: value for name, value in metrics.items() if name != "v_num"}

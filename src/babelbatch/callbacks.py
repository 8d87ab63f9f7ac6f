"""When to evaluate, and what to log."""

from __future__ import annotations

import logging
import sys
from collections import defaultdict
from collections.abc import Mapping

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor

from babelbatch.evaluation import Evaluation, Result
from babelbatch.heatmap import draw
from babelbatch.records import Batch, Benchmark

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
                pl_module.log_dict(self._evaluation(pl_module.encoder, benchmark).metrics)


def log_final(loggers: list[pl.loggers.Logger], results: list[Result], step: int) -> None:
    """Sends the final scores to every logger: to W&B all of them, with a table and a heat-map a benchmark; to the
    others the macro scores (metrics.json has the rest).

    The tables have the same key in every run, so that the dashboard can put runs side by side.
    """
    for logger in loggers:
        for result in results:
            if isinstance(logger, WandbLogger):
                logger.log_metrics(result.metrics, step=step)
                _log_matrices(logger, result)
            else:
                macro = {key: value for key, value in result.metrics.items() if key.count("/") == 2}
                logger.log_metrics(macro, step=step)
        logger.save()


def _log_matrices(logger: WandbLogger, result: Result) -> None:
    import wandb

    metrics = list(result.matrices)
    rows = [
        [question, candidate, *(float(result.matrices[metric][row, column]) for metric in metrics)]
        for row, question in enumerate(result.languages)
        for column, candidate in enumerate(result.languages)
    ]
    columns = ["question language", "candidate language", *metrics]
    figure = draw(result.matrices["map"], result.languages, f"{result.benchmark}: mAP")
    logger.experiment.log(
        {
            f"{result.benchmark}/cells": wandb.Table(columns=columns, data=rows),
            f"{result.benchmark}/map_by_language": wandb.Image(figure),
        }
    )


class ProgressBar(TQDMProgressBar):
    """One bar for the steps on a terminal, and a line a validation in a log file.

    Lightning's own counts epochs, shows a bar a validation, and fills log files.
    """

    def __init__(self, refresh_rate: int = 20) -> None:
        super().__init__(refresh_rate=refresh_rate)

    def init_train_tqdm(self) -> Tqdm:
        return super().init_train_tqdm() if sys.stderr.isatty() else Tqdm(disable=True)

    def init_validation_tqdm(self) -> Tqdm:
        return Tqdm(disable=True)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        if not sys.stderr.isatty():
            losses = ", ".join(f"{key} {value:.3f}" for key, value in trainer.callback_metrics.items() if "loss" in key)
            log.info("step %d of %d: %s", trainer.global_step, trainer.max_steps, losses)

    def on_train_epoch_start(self, trainer: pl.Trainer, *_: object) -> None:
        super().on_train_epoch_start(trainer, *_)
        self.train_progress_bar.set_description("training")

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, int | str | float]:
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}


class BatchTelemetry(pl.Callback):
    """Logs what the batches were made of, as means since the last log, every `log_every_n_steps` of the trainer.

    train/loss/<kind>: loss of the X-X and of the X-Y batches.
    train/masked_rate/<kind>: share of questions that met another version of their own passage, which was masked.
    train/alpha: share of X-X batches since the start. train/learning_rate, train/temperature: now.
    """

    def __init__(self) -> None:
        self._batches: dict[str, int] = defaultdict(int)
        self._sums: dict[str, list[Tensor]] = defaultdict(list)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Mapping[str, Tensor],
        batch: Batch,
        batch_idx: int,
    ) -> None:
        self._batches[batch.kind] += 1
        # Lightning divides the loss that it returns by the number of accumulated batches.
        self._sums[f"train/loss/{batch.kind}"].append(outputs["loss"].detach() * trainer.accumulate_grad_batches)
        self._sums[f"train/masked_rate/{batch.kind}"].append(outputs["masked"].float().mean())
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if not (trainer.loggers and stepped and trainer.global_step % trainer.log_every_n_steps == 0):
            return
        values = {name: float(torch.stack(tensors).mean()) for name, tensors in self._sums.items()}
        self._sums.clear()
        values["train/alpha"] = self._batches["x_x"] / sum(self._batches.values())
        values["train/learning_rate"] = trainer.optimizers[0].param_groups[0]["lr"]
        values["train/temperature"] = float(pl_module.loss.temperature)
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step - 1)  # Lightning counts from 0

    @property
    def alpha(self) -> float | None:
        """The share of X-X batches so far, or None before the first."""
        total = sum(self._batches.values())
        return self._batches["x_x"] / total if total else None

"""Stops a run whose loss is no number any more, and says where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from babelbatch.data import PairData
from babelbatch.records import Batch

_BATCHES = 50  # between two looks: each makes the processor wait for the GPU
_NAMED_ITEMS = 5


class FiniteLoss(pl.Callback):
    """Raises ValueError if a batch's loss is NaN or infinite: with the step, the kind, the languages and the items.

    It looks every few batches, and before anything is saved: no checkpoint holds weights that such a loss has touched.
    """

    def __init__(self) -> None:
        self._unseen: list[tuple[int, Tensor]] = []

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Mapping[str, Tensor],
        batch: Batch,
        batch_idx: int,
    ) -> None:
        self._unseen.append((batch.step, outputs["value"]))
        if len(self._unseen) >= _BATCHES:
            self._look(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._look(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._look(trainer)

    def _look(self, trainer: pl.Trainer) -> None:
        if not self._unseen:
            return
        steps, values = zip(*self._unseen, strict=True)
        self._unseen.clear()
        finite = torch.isfinite(torch.stack(values)).tolist()
        if not all(finite):
            first = finite.index(False)
            raise ValueError(_message(trainer.datamodule, steps[first], float(values[first])))


def _message(data: PairData, step: int, value: float) -> str:
    plan = data.sampler.plan(step)
    names = data.corpus.languages
    pairs = sorted({*zip(plan.question_languages.tolist(), plan.passage_languages.tolist(), strict=True)})
    languages = [names[q] if q == p else f"{names[q]}-{names[p]}" for q, p in pairs]
    items = [data.corpus.ids[item] for item in plan.items[:_NAMED_ITEMS]]
    more = f" and {len(plan.items) - len(items)} more" if len(plan.items) > len(items) else ""
    return (
        f"the loss of batch {step} is {value}: an {plan.kind} batch in {', '.join(languages)}, items "
        f"{', '.join(items)}{more}. Lower optimizer.lr, raise loss.temperature or scheduler.warmup, or use "
        "trainer.precision=bf16-mixed instead of 16-mixed. The last checkpoint is from before it"
    )

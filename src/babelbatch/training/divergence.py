"""Stops a run whose loss is no number any more, and says where."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from babelbatch.batches import PairData
from babelbatch.records import Batch

_BATCHES = 50  # between two looks: each makes the processor wait for the GPU
_NAMED_ITEMS = 5


class FiniteLoss(pl.Callback):
    """Raises ValueError if a batch's loss or gradient is NaN or infinite: with its kind, languages and items.

    It looks every few batches, and before anything is saved: no checkpoint holds weights that such a batch has touched.
    (Gradients of fp16 may overflow: their step is then skipped, and its scale lowered.)
    """

    def __init__(self) -> None:
        self._unseen: list[tuple[int, Tensor, Tensor]] = []  # step, loss, norm of the gradient

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Mapping[str, Tensor],
        batch: Batch,
        batch_idx: int,
    ) -> None:
        value = outputs["value"]
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        norm = pl_module.gradient_norm
        self._unseen.append((batch.step, value, value if norm is None or scaled else norm.detach()))
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
        steps, values, norms = zip(*self._unseen, strict=True)
        self._unseen.clear()
        numbers = torch.stack([torch.stack(values).float(), torch.stack(norms).float()]).tolist()
        for step, value, norm in zip(steps, *numbers, strict=True):
            if not (math.isfinite(value) and math.isfinite(norm)):
                what = f"the gradient's norm after batch {step} is {norm}"
                if not math.isfinite(value):
                    what = f"the loss of batch {step} is {value}"
                raise ValueError(_message(trainer.datamodule, step, what))


def _message(data: PairData, step: int, what: str) -> str:
    plan = data.sampler.plan(step)
    names = data.corpus.languages
    pairs = sorted({*zip(plan.query_languages.tolist(), plan.passage_languages.tolist(), strict=True)})
    languages = [names[q] if q == p else f"{names[q]}-{names[p]}" for q, p in pairs]
    items = [data.corpus.ids[item] for item in plan.items[:_NAMED_ITEMS]]
    more = f" and {len(plan.items) - len(items)} more" if len(plan.items) > len(items) else ""
    return (
        f"{what}: an {plan.kind} batch in {', '.join(languages)}, items "
        f"{', '.join(items)}{more}. Lower optimizer.lr, raise loss.temperature or scheduler.warmup, or use "
        "trainer.precision=bf16-mixed instead of 16-mixed. What is saved is from before it"
    )

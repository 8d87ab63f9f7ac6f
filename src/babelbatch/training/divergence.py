"""Stops a run whose loss or gradient is not finite, and names the batch."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from babelbatch.batches import PairData
from babelbatch.records import Batch
from babelbatch.training.learner import Learner, StepOutput
from babelbatch.training.step_callback import StepCallback, pair_data

_BATCHES = 50  # between two checks: each makes the processor wait for the GPU
_NAMED_ITEMS = 5


class FiniteLoss(StepCallback):
    """Raises ValueError if the loss or the gradient of a batch is NaN or infinite, with its kind, languages and items.

    It checks every few batches and before each checkpoint, so no checkpoint has weights from after such a batch.
    Gradients in fp16 may overflow: such a step is skipped and the scale lowered, so their norm is not checked.
    """

    def __init__(self) -> None:
        self._unchecked: list[tuple[int, Tensor, Tensor]] = []  # step, loss, norm of the gradient

    def after_batch(
        self, trainer: pl.Trainer, learner: Learner, output: StepOutput, batch: Batch, batch_idx: int
    ) -> None:
        value, norm = output["value"], learner.gradient_norm
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        self._unchecked.append((batch.step, value, value if norm is None or scaled else norm.detach()))
        if len(self._unchecked) >= _BATCHES:
            self._check(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._check(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._check(trainer)

    def _check(self, trainer: pl.Trainer) -> None:
        if not self._unchecked:
            return
        steps, values, norms = zip(*self._unchecked, strict=True)
        self._unchecked.clear()
        numbers = torch.stack([torch.stack(values).float(), torch.stack(norms).float()]).tolist()
        for step, value, norm in zip(steps, *numbers, strict=True):
            if not (math.isfinite(value) and math.isfinite(norm)):
                what = f"the gradient's norm after batch {step} is {norm}"
                if not math.isfinite(value):
                    what = f"the loss of batch {step} is {value}"
                batch = describe_batch(pair_data(trainer), step)
                raise ValueError(
                    f"{what}: {batch}. Lower optimizer.lr, raise loss.temperature or scheduler.warmup, or use "
                    "trainer.precision=bf16-mixed instead of 16-mixed. The saved checkpoints are from before it"
                )


def describe_batch(data: PairData, step: int) -> str:
    """Kind, languages and first items of the training batch of a step."""
    plan = data.training.sampler.plan(step)
    names = data.corpus.languages
    pairs = sorted({*zip(plan.query_languages.tolist(), plan.passage_languages.tolist(), strict=True)})
    languages = [names[q] if q == p else f"{names[q]}-{names[p]}" for q, p in pairs]
    items = [data.corpus.ids[item] for item in plan.items[:_NAMED_ITEMS]]
    more = f" and {len(plan.items) - len(items)} more" if len(plan.items) > len(items) else ""
    return f"an {plan.kind} batch in {', '.join(languages)}, items {', '.join(items)}{more}"

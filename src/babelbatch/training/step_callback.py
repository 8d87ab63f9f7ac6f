"""What callbacks of this wing share: a training step with its types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from babelbatch.batches import PairData
from babelbatch.records import Batch
from babelbatch.training.learner import Learner, StepOutput


class StepCallback(pl.Callback):
    """A callback that is called after each training batch, with the types that Lightning's own hook lacks."""

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        assert isinstance(pl_module, Learner)
        assert isinstance(outputs, Mapping)
        found = StepOutput(
            loss=outputs["loss"], value=outputs["value"], parts=outputs["parts"], masked=outputs["masked"]
        )
        self.after_batch(trainer, pl_module, found, batch, batch_idx)

    def after_batch(
        self, trainer: pl.Trainer, learner: Learner, output: StepOutput, batch: Batch, batch_idx: int
    ) -> None:
        """Called with the output of `Learner.training_step`."""
        raise NotImplementedError


def pair_data(trainer: pl.Trainer) -> PairData:
    """The data module that a trainer is fitted on."""
    data: PairData = trainer.datamodule  # type: ignore[attr-defined]  # set by `fit`, missing in Lightning's types
    return data

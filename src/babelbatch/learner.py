"""One training step: encode both sides, take the loss."""

from __future__ import annotations

from collections.abc import Callable

import pytorch_lightning as pl
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from babelbatch.encoder import Encoder
from babelbatch.loss import Contrastive, Loss
from babelbatch.records import Batch


class Learner(pl.LightningModule):
    """An encoder, a loss and how to optimise them.

    optimizer: from parameter groups to an optimiser. scheduler: from (optimiser, total steps) to a schedule.
    """

    def __init__(
        self,
        encoder: Encoder,
        loss: Contrastive,
        optimizer: Callable[[list[dict]], Optimizer],
        scheduler: Callable[[Optimizer, int], LRScheduler],
        total_steps: int,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.loss = loss
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._total_steps = total_steps

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        loss = self._loss_of(batch)
        self.log("train/loss", loss.value.detach(), prog_bar=True, batch_size=len(batch.question_keys))
        return {"loss": loss.value, "masked": loss.masked}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        value = self._loss_of(batch).value
        for key in ("validation/loss", f"validation/loss/{batch.kind}"):
            self.log(key, value, on_epoch=True, batch_size=len(batch.question_keys))

    def configure_optimizers(self) -> dict:
        optimizer = self._optimizer(
            [
                {"params": [parameter for parameter in self.encoder.parameters() if parameter.requires_grad]},
                {"params": list(self.loss.parameters()), "weight_decay": 0.0},  # a temperature of 1 is no prior
            ]
        )
        scheduler = self._scheduler(optimizer, self._total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _loss_of(self, batch: Batch) -> Loss:
        questions = self.encoder(batch.questions, "question")
        candidates = self.encoder(batch.candidates, "passage")
        return self.loss(questions, candidates, batch.question_keys, batch.candidate_keys)

"""One training step: encode both sides, take the loss."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from babelbatch.collectives import rank, total, world_size
from babelbatch.encoder import Encoder
from babelbatch.encoder.model import Role
from babelbatch.grad_cache import encode_twice
from babelbatch.loss import Contrastive, Loss
from babelbatch.records import Batch
from babelbatch.tuning import parameter_groups


class Learner(pl.LightningModule):
    """An encoder, a loss and how to optimise them.

    optimizer: from parameter groups to an optimiser. scheduler: from (optimiser, total steps) to a schedule.
    seed: of dropout. A step's draws are a function of (seed, step, rank): a resumed run repeats them.
    grad_cache: encode a batch's chunks one at a time, and twice: see `encode_twice`.
    """

    def __init__(
        self,
        encoder: Encoder,
        loss: Contrastive,
        optimizer: Callable[[list[dict]], Optimizer],
        scheduler: Callable[[Optimizer, int], LRScheduler],
        total_steps: int,
        seed: int = 0,
        grad_cache: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.loss = loss
        self.gradient_norm: Tensor | None = None
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._total_steps = total_steps
        self._seed = seed
        self._grad_cache = grad_cache

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """`loss` is what to differentiate; `value` the loss of the global batch, and `masked` as `Loss` has it."""
        seed_step(self._seed, batch.step, rank())
        loss = self._loss_of(batch)
        # Ranks hold parts of a sum, and data-parallel training averages their gradients.
        return {"loss": loss.value * world_size(), "value": total(loss.value), "masked": loss.masked}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        value = total(self._loss_of(batch).value)
        for key in ("validation/loss", f"validation/loss/{batch.kind}"):
            self.log(key, value, on_epoch=True, batch_size=len(batch.question_keys), sync_dist=True)

    def configure_optimizers(self) -> dict:
        optimizer = self._optimizer(parameter_groups(self.encoder, self.loss))
        scheduler = self._scheduler(optimizer, self._total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clips as Lightning would, and keeps the norm that it finds on the way."""
        if gradient_clip_algorithm == "value":
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        else:
            self.gradient_norm = clip_grad_norm_(self.parameters(), gradient_clip_val or torch.inf)

    def _loss_of(self, batch: Batch) -> Loss:
        roles: list[Role] = ["question" if n < batch.question_chunks else "passage" for n in range(len(batch.chunks))]
        chunks = [partial(self.encoder, *chunk_and_role) for chunk_and_role in zip(batch.chunks, roles, strict=True)]
        if self._grad_cache and torch.is_grad_enabled():
            vectors = encode_twice(chunks, [part for part in self.encoder.parameters() if part.requires_grad])
        else:
            vectors = torch.cat([encode() for encode in chunks])
        return self.loss(
            vectors[batch.questions],
            vectors[batch.candidates],
            batch.question_keys,
            batch.candidate_keys,
            batch.question_counts,
            batch.candidate_counts,
        )


def seed_step(seed: int, step: int, rank: int) -> None:
    """Puts the global generators of Python, NumPy and torch into a state that depends on the arguments alone."""
    state = np.random.SeedSequence([seed, step, rank]).generate_state(3)
    random.seed(int(state[0]))
    np.random.seed(state[1])
    torch.manual_seed(int(state[2]))

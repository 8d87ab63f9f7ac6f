"""One training step: encode queries and candidates, compute the loss."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from babelbatch.distributed.collectives import rank, sum_over_ranks, world_size
from babelbatch.encoder import Encoder, Role
from babelbatch.loss import Encoded, Loss, Objective, PairedVectors
from babelbatch.records import Batch, Padded, PairedTexts, TeacherBatch
from babelbatch.training.dropout import EncodeChunk, can_mask_fast, draws_masks_only, with_fast_dropout
from babelbatch.training.embedding_rows import rows_looked_up_once
from babelbatch.training.equal_chunks import Chunk, as_many_on_each_rank
from babelbatch.training.grad_cache import encode_twice
from babelbatch.training.tuning import parameter_groups

if TYPE_CHECKING:
    from babelbatch.training.sharding import ShardedEncoder

log = logging.getLogger(__name__)


class StepOutput(TypedDict):
    """Result of a training step.

    loss: to differentiate; ranks hold parts of a sum, times their number, because data-parallel training averages.
    value: of the global batch. parts: its terms, in the order of the objective's names. masked: see `Loss`.
    """

    loss: Tensor
    value: Tensor
    parts: list[Tensor]
    masked: Tensor


class Learner(pl.LightningModule):
    """An encoder, an objective and how they are optimised.

    optimizer: from parameter groups to an optimiser. scheduler: from (optimiser, total steps) to a schedule.
    seed: of dropout. The draws of a step are a function of (seed, step, rank), so a resumed run repeats them.
    grad_cache: encode the chunks of a batch one at a time, and twice: see `encode_twice`.
    sharded: set once the encoder is divided among the ranks.
    """

    def __init__(
        self,
        encoder: Encoder,
        loss: Objective,
        optimizer: Callable[[list[dict[str, Any]]], Optimizer],
        scheduler: Callable[[Optimizer, int], LRScheduler],
        total_steps: int,
        seed: int = 0,
        grad_cache: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.loss = loss
        self.sharded: ShardedEncoder | None = None
        self.gradient_norm: Tensor | None = None
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._total_steps = total_steps
        self._seed = seed
        self.grad_cache = grad_cache
        self._masks_only: bool | None = None  # unknown before the first step

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:  # of the keys of `StepOutput`
        """The loss of a batch, as a `StepOutput`."""
        seed_step(self._seed, batch.step, rank())
        loss = self._loss_of(batch)
        value, *parts = sum_over_ranks(torch.stack([loss.value, *(loss.parts[name] for name in self.loss.parts)]))
        output = StepOutput(loss=loss.value * world_size(), value=value, parts=parts, masked=loss.masked)
        return {**output}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs the contrastive loss, whatever the objective, so that runs with different objectives can be compared."""
        loss = self._loss_of(batch)
        value = sum_over_ranks(loss.parts.get("contrastive", loss.value))
        for key in ("validation/loss", f"validation/loss/{batch.kind}"):
            self.log(key, value, on_epoch=True, batch_size=len(batch.positive_keys), sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = self._optimizer(parameter_groups(self.encoder, self.loss))
        scheduler = self._scheduler(optimizer, self._total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clips as Lightning does, and stores the norm before clipping."""
        by_value = gradient_clip_algorithm == "value"
        norm = clip_grad_norm_(self.parameters(), torch.inf if by_value else gradient_clip_val or torch.inf)
        self.gradient_norm = norm if self.sharded is None else self.sharded.gathered(norm)
        if by_value:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def whole_encoder(self) -> Encoder:
        """The encoder; if it is sharded, a copy with all weights, which all ranks must ask for together."""
        return self.encoder if self.sharded is None else self.sharded.whole()

    def _loss_of(self, batch: Batch) -> Loss:
        vectors = self._vectors([*_with_roles(batch.chunks, batch.query_chunks)])
        teacher_queries, teacher_passages = self._teacher_vectors(batch.teacher_batch)
        encoded = Encoded(
            queries=vectors[batch.queries],
            candidates=vectors[batch.candidates],
            positive_keys=batch.positive_keys,
            candidate_keys=batch.candidate_keys,
            query_counts=batch.query_counts,
            candidate_counts=batch.candidate_counts,
            translated_queries=_paired_vectors(vectors, batch.translated_queries),
            translated_passages=_paired_vectors(vectors, batch.translated_passages),
            teacher_queries=teacher_queries,
            teacher_passages=teacher_passages,
        )
        loss: Loss = self.loss(encoded, self.global_step / self._total_steps)
        return loss

    def _vectors(self, chunks: list[Chunk]) -> Tensor:
        """The vectors of all texts of the chunks."""
        rows = None
        encode: EncodeChunk = self.encoder
        if self.sharded is not None:
            chunks, rows = as_many_on_each_rank(chunks, self.encoder.settings.shared)
            encode = self.sharded.encode
        elif can_mask_fast(self.encoder) and self._draws_masks_only(chunks[0]):
            encode = with_fast_dropout(encode)
        if self.grad_cache and torch.is_grad_enabled():
            trained = [part for part in self.encoder.parameters() if part.requires_grad]
            vectors = encode_twice([partial(encode, *each) for each in chunks], trained, self.sharded is not None)
        else:
            with nullcontext() if self.sharded else rows_looked_up_once(self.encoder, chunks):
                vectors = torch.cat([encode(*each) for each in chunks])
        return vectors if rows is None else vectors[rows]

    def _draws_masks_only(self, chunk: Chunk) -> bool:
        if self._masks_only is None:
            self._masks_only = draws_masks_only(self.encoder, *chunk)
            if not self._masks_only:
                log.info(
                    "this encoder draws other random numbers too: its dropout is torch's, which is slower on a CPU"
                )
        return self._masks_only

    def _teacher_vectors(self, batch: TeacherBatch | None) -> tuple[PairedVectors | None, PairedVectors | None]:
        """The teacher's vectors of the queries and of the positives."""
        if batch is None:
            return None, None
        teacher = self.loss.teacher
        assert teacher is not None, "a teacher batch without a teacher"
        chunks = [teacher(*each) for each in _with_roles(batch.chunks, batch.query_chunks)]
        vectors = torch.cat(chunks) if chunks else batch.queries.rows.new_zeros(0, teacher.dimensions).float()
        return _paired_vectors(vectors, batch.queries), _paired_vectors(vectors, batch.passages)


def _with_roles(chunks: tuple[Padded, ...], query_chunks: int) -> Iterator[tuple[Padded, Role]]:
    """Each chunk with its tower: the first ones are for the query tower."""
    for number, chunk in enumerate(chunks):
        yield chunk, "query" if number < query_chunks else "passage"


def _paired_vectors(vectors: Tensor, texts: PairedTexts | None) -> PairedVectors | None:
    return None if texts is None else PairedVectors(vectors[texts.rows], texts.pairs, texts.counts)


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seeds the global generators of Python, NumPy and torch with a function of the arguments."""
    state = np.random.SeedSequence([seed, step, rank]).generate_state(3)
    random.seed(int(state[0]))
    np.random.seed(state[1])
    if torch.accelerator.is_available():
        torch.manual_seed(int(state[2]))
    else:  # where it would format the stack of calls, once for each kind of device that is missing
        torch.default_generator.manual_seed(int(state[2]))

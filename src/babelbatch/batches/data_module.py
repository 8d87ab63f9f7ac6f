"""The Lightning data module: training and validation batches."""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from babelbatch.batches.builder import MOST_TOKENS_ON_CPU, OVERHEAD_ON_CPU, OVERHEAD_ON_GPU
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.batches.loader import planned_batches
from babelbatch.batches.streams import BatchStream, make_streams, split_corpus
from babelbatch.batches.validation_benchmark import validation_benchmark
from babelbatch.records import Batch, Benchmark


class PairData(pl.LightningDataModule):
    """Training and validation batches.

    inputs: what the run supplies.
    validation_fraction: share of the passages held out for the validation loss; 0 for none. The split is a function of
        the item ids alone, so it is the same in every run, whatever the seed. Held-out passages are never negatives in
        training batches.
    validation_steps: batches of the validation loss. They are half X-X and half X-Y whatever the training strategy, in
        all languages, and always the same ones, so losses of different strategies can be compared. If the data allow
        one kind only, all are of that kind. Their loss is the contrastive one, whatever the objective.
    validation_queries: validation items, each in all its languages, that the trained encoder has to retrieve the
        passages of; 0 for none. The scores are `validation/<setting>/<metric>` in metrics.json, by which a report
        selects hyperparameters (`report.select`). Which items they are depends on their ids alone.
    num_workers: processes that prepare batches; 0 prepares them in the training process.
    forward_overhead: a batch is encoded in chunks of similar length; a further chunk must save so many tokens of
        padding. None: few on a CPU, thousands on a GPU.
    chunk_tokens: maximum tokens of a chunk, padding included; None: 2,048 on a CPU, no maximum elsewhere. With
        `grad_cache` it bounds the memory of a batch of any size.
    Raises ValueError if the data are too few for a batch.
    """

    def __init__(
        self,
        inputs: TrainingInputs,
        validation_fraction: float = 0.05,
        validation_steps: int = 16,
        validation_queries: int = 500,
        num_workers: int = 0,
        forward_overhead: int | None = None,
        chunk_tokens: int | None = None,
    ) -> None:
        super().__init__()
        self.num_workers = num_workers
        self.forward_overhead = forward_overhead
        self.chunk_tokens = chunk_tokens
        self.validation_queries = validation_queries
        split = split_corpus(inputs, validation_fraction)
        self.corpus = split.trained.corpus
        self.training, self.validation = make_streams(inputs, split, validation_steps)
        self._validated, self._validation_rows = split.validated.corpus, split.validation_rows
        self._stuck_minutes = inputs.stuck_minutes
        self._done = 0

    @cached_property
    def validation_benchmark(self) -> Benchmark | None:
        """Validation items as a benchmark; None without any."""
        return validation_benchmark(self._validated, self._validation_rows, self.validation_queries)

    def train_dataloader(self) -> DataLoader[Batch]:
        return self._loader(self.training, self._done)

    def val_dataloader(self) -> DataLoader[Batch] | list[Batch]:
        return [] if self.validation is None else self._loader(self.validation, done=0)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)

    def state_dict(self) -> dict[str, Any]:
        """The position in the plan: batches trained on so far."""
        assert self.trainer is not None
        return {"batches": self.trainer.fit_loop.epoch_loop.batch_progress.current.completed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Makes the next training loader begin there."""
        self._done = state_dict["batches"]

    def _loader(self, stream: BatchStream, done: int) -> DataLoader[Batch]:
        overhead, limit, on_cpu, rank, ranks = self.forward_overhead, self.chunk_tokens, True, 0, 1
        if self.trainer is not None:
            rank, ranks = self.trainer.global_rank, self.trainer.world_size
            on_cpu = self.trainer.strategy.root_device.type == "cpu"
        sampling = stream.sampler.sampling
        if sampling.batch_size < ranks:
            raise ValueError(
                f"{ranks} devices cannot share a {sampling.name} batch of {sampling.batch_size}; raise "
                "sampling.batch_size or data.validation_fraction, or lower trainer.devices"
            )
        if overhead is None:
            overhead = OVERHEAD_ON_CPU if on_cpu else OVERHEAD_ON_GPU
        if limit is None and on_cpu:
            limit = MOST_TOKENS_ON_CPU
        build = partial(stream.builder, rank=rank, ranks=ranks, overhead=overhead, token_limit=limit)
        return planned_batches(stream.plan, build, stream.steps, done, self.num_workers, self._stuck_minutes)

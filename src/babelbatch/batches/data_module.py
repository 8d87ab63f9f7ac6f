"""Corpus, sampling and tokens, joined into batches."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from babelbatch.batches.builder import OVERHEAD_ON_CPU, OVERHEAD_ON_GPU, BatchBuilder
from babelbatch.batches.code_switching import CodeSwitching
from babelbatch.batches.loader import planned_batches
from babelbatch.batches.negatives import Mined, with_negatives
from babelbatch.batches.translations import Translations
from babelbatch.batches.validation_split import HeldOutPassages, held_out
from babelbatch.encoder import Encoder
from babelbatch.records import Batch, BatchRequirements, Corpus, Mixture
from babelbatch.sampling import Availability, Sampler, Sampling, largest_batch


class PairData(pl.LightningDataModule):
    """Training and validation batches.

    corpus, sampling, encoder (for its tokenizer, prefixes and lengths), seed, steps, mined, validation, requirements,
    teacher and transform come from the run.
    mined: hard negatives for the items that are not held out, beside the corpus's own. Passages that are held out are
        no negatives in training batches.
    validation: a corpus of its own for the validation loss, all of it; then nothing of `corpus` is held out.
    transform: makes the texts that are trained on. Those of the validation loss and the teacher's stay what they are.
    steps: training batches to provide.
    validation_fraction: share of the passages that is held out for the validation loss; 0 for none. The split is a
        function of the item ids alone: the same in every run, whatever the seed.
    validation_steps: batches of the validation loss. They are half X-X and half X-Y whatever the training strategy, or
        all of one kind if there is no other, in all languages of what they are drawn from, of all parts of a mixture
        together, and always the same ones: losses of different strategies can be compared.
    num_workers: processes that prepare batches; 0 prepares them in the training process.
    forward_overhead: a batch is encoded in chunks of like length, as many as save padding: one more must save so many
        tokens. None: few on a CPU, thousands on a GPU.
    chunk_tokens: the most tokens of one chunk, padding included. With `grad_cache` it decides the memory that a batch
        of any size requirements.
    requirements, teacher: the objective's. Validation batches need nothing: their loss is the contrastive one.
    """

    def __init__(
        self,
        corpus: Corpus,
        sampling: Sampling,
        encoder: Encoder,
        seed: int,
        steps: int,
        validation_fraction: float = 0.05,
        validation_steps: int = 16,
        num_workers: int = 0,
        forward_overhead: int | None = None,
        chunk_tokens: int | None = None,
        mined: Mined | None = None,
        validation: Corpus | None = None,
        requirements: BatchRequirements | None = None,
        teacher: Encoder | None = None,
        transform: CodeSwitching | None = None,
    ) -> None:
        super().__init__()
        self.corpus = corpus
        self.transform = transform
        self.steps = steps
        self.validation_steps = validation_steps
        self.num_workers = num_workers
        self.forward_overhead = forward_overhead
        self.chunk_tokens = chunk_tokens
        apart = held_out(corpus.passage_keys, corpus.ids, validation_fraction if validation is None else 0)
        if mined is not None:
            self.corpus = corpus = with_negatives(corpus, mined, apart)
        availability = Availability(corpus)
        if validation is None:
            self.validation_sampler = _validation_sampler(corpus, sampling, np.flatnonzero(apart), availability)
        else:
            self.validation_sampler = _validation_sampler(validation, sampling)
        judged = corpus if validation is None else validation
        original, copies = corpus, 1
        if transform is not None:
            corpus, copies = transform(corpus), transform.copies
            apart = np.repeat(apart, copies)
            availability = Availability(corpus)
        requirements = requirements or BatchRequirements()
        self.sampler = sampling.sampler(corpus, seed, np.flatnonzero(~apart), availability, steps)
        self.builder = BatchBuilder(corpus, encoder, teacher, requirements.teacher_language, original, copies)
        self._unseen = HeldOutPassages(corpus, apart) if apart.any() and corpus.negatives.shape[2] else None
        self._validation_builder = self.builder if judged is corpus else BatchBuilder(judged, encoder)
        translated = requirements.query_translations or requirements.passage_translations
        self._translations = Translations(corpus, sampling.languages, seed, requirements) if translated else None
        self._taught = teacher is not None
        self._done = 0

    def train_dataloader(self) -> DataLoader:
        return self._loader(
            self.sampler, self.builder, self.steps, self._done, self._translations, self._taught, self._unseen
        )

    def val_dataloader(self) -> DataLoader | list:
        if self.validation_sampler is None:
            return []
        return self._loader(self.validation_sampler, self._validation_builder, self.validation_steps, done=0)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)

    def state_dict(self) -> dict[str, Any]:
        """The position in the plan: batches trained on so far."""
        assert self.trainer is not None
        return {"batches": self.trainer.fit_loop.epoch_loop.batch_progress.current.completed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The next loader begins there."""
        self._done = state_dict["batches"]

    def _loader(
        self,
        sampler: Sampler,
        builder: BatchBuilder,
        steps: int,
        done: int,
        translations: Translations | None = None,
        taught: bool = False,
        unseen: HeldOutPassages | None = None,
    ) -> DataLoader:
        overhead, rank, ranks = self.forward_overhead, 0, 1
        if self.trainer is not None:
            rank, ranks = self.trainer.global_rank, self.trainer.world_size
            if overhead is None and self.trainer.strategy.root_device.type != "cpu":
                overhead = OVERHEAD_ON_GPU
        if sampler.sampling.batch_size < ranks:
            raise ValueError(
                f"{ranks} devices cannot share a {sampler.sampling.name} batch of {sampler.sampling.batch_size}; raise "
                "sampling.batch_size or data.validation_fraction, or lower trainer.devices"
            )
        build = partial(
            builder,
            rank=rank,
            ranks=ranks,
            overhead=OVERHEAD_ON_CPU if overhead is None else overhead,
            token_limit=self.chunk_tokens,
            taught=taught,
            unseen=unseen,
        )
        return planned_batches(sampler, translations, build, steps, done, self.num_workers)


def _validation_sampler(
    corpus: Corpus, sampling: Sampling, rows: np.ndarray | None = None, availability: Availability | None = None
) -> Sampler | None:
    """rows: the items held out of a corpus that is trained on; None: all of a corpus that is not."""
    held = np.arange(len(corpus)) if rows is None else rows
    if len(held) == 0:
        return None
    availability = Availability(corpus) if availability is None else availability
    columns = np.arange(len(corpus.languages))
    same = [len(pool) > 0 for pool in availability.monolingual(columns, None)]
    crosses = len(columns) > 1 and len(availability.crosslingual(columns, None)) > 0
    batch_size = min(sampling.batch_size, largest_batch(corpus, held, availability))
    if batch_size < 2 and rows is None:
        raise ValueError(
            f"validation: the {len(corpus)} items of {corpus.name} are too few for a batch in every language; choose "
            "fewer languages in validation.languages, or another corpus@validation"
        )
    if batch_size < 2:
        raise ValueError(
            f"data.validation_fraction holds out {len(held)} of {len(corpus)} items, too few for a batch in every "
            "language; raise it, leave small languages out of corpus.languages, or set it to 0 for no validation loss"
        )
    alpha = 0.5 if any(same) and crosses else float(any(same))
    settings = Sampling(name="validation", alpha=alpha, batch_size=batch_size, alpha_draw="stratified")
    # Only a part of a mixture may lack X-X pairs in a language.
    one_part = Mixture((corpus.name,), (0,), 1.0) if any(same) and not all(same) else None
    return Sampler(replace(corpus, mixture=one_part), settings, 0, held, availability)

"""Corpus, sampling and tokens, joined into batches."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.nn.functional import pad
from torch.utils.data import DataLoader, Dataset
from torch.utils.data import Sampler as Order

from babelbatch.chunks import length_sorted_chunks
from babelbatch.code_switching import CodeSwitching
from babelbatch.encoder import Encoder
from babelbatch.encoding import tokens_of
from babelbatch.negatives import Mined, with_negatives
from babelbatch.pools import Presence
from babelbatch.records import ABSENT, Batch, Corpus, Padded, Plan
from babelbatch.sampling import Sampler, Sampling, largest_batch
from babelbatch.tokens import Tokens
from babelbatch.validation_split import held_out

# What a forward pass costs beside its tokens, in tokens: a processor is busy with few, a GPU waits for its orders.
_OVERHEAD_ON_CPU, _OVERHEAD_ON_GPU = 64, 8192


class PairData(pl.LightningDataModule):
    """Training and validation batches of one corpus.

    corpus, sampling, encoder (for its tokenizer, prefixes and lengths), seed, steps, mined and transform come from the
    run.
    mined: hard negatives for the items that are not held out, of passages that are not.
    transform: makes the texts that are trained on. Those of the validation loss stay what they are.
    steps: training batches to provide.
    validation_fraction: share of the passages that is held out for the validation loss; 0 for none. The split is a
        function of the item ids alone: the same in every run, whatever the seed.
    validation_steps: batches of the validation loss. They are half X-X and half X-Y whatever the training strategy, in
        all languages of the corpus, and always the same ones: losses of different strategies can be compared.
    num_workers: processes that prepare batches; 0 prepares them in the training process.
    forward_overhead: a batch is encoded in chunks of like length, as many as save padding: one more must save so many
        tokens. None: few on a CPU, thousands on a GPU.
    chunk_tokens: the most tokens of one chunk, padding included. With `grad_cache` it decides the memory that a batch
        of any size needs.
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
        apart = held_out(corpus.keys, corpus.ids, validation_fraction)
        if mined is not None:
            self.corpus = corpus = with_negatives(corpus, mined, apart)
        presence = Presence(corpus)
        self.validation_sampler = _validation_sampler(corpus, sampling, np.flatnonzero(apart), presence)
        self.builder = self.validation_builder = BatchBuilder(corpus, encoder)
        rows = np.flatnonzero(~apart)
        if transform is not None:
            corpus = transform(corpus)
            rows = np.flatnonzero(~np.repeat(apart, transform.copies))
            presence = Presence(corpus)
            self.builder = BatchBuilder(corpus, encoder)
        self.sampler = Sampler(corpus, sampling, seed, rows, presence)
        self._done = 0

    def train_dataloader(self) -> DataLoader:
        return self._loader(self.sampler, self.builder, self.steps, done=self._done)

    def val_dataloader(self) -> DataLoader | list:
        if self.validation_sampler is None:
            return []
        return self._loader(self.validation_sampler, self.validation_builder, self.validation_steps, done=0)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)

    def state_dict(self) -> dict[str, Any]:
        """The position in the plan: batches trained on so far."""
        assert self.trainer is not None
        return {"batches": self.trainer.fit_loop.epoch_loop.batch_progress.current.completed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The next loader begins there."""
        self._done = state_dict["batches"]

    def _loader(self, sampler: Sampler, builder: BatchBuilder, steps: int, done: int) -> DataLoader:
        overhead, rank, ranks = self.forward_overhead, 0, 1
        if self.trainer is not None:
            rank, ranks = self.trainer.global_rank, self.trainer.world_size
            if overhead is None and self.trainer.strategy.root_device.type != "cpu":
                overhead = _OVERHEAD_ON_GPU
        if sampler.sampling.batch_size < ranks:
            raise ValueError(
                f"{ranks} devices cannot share a {sampler.sampling.name} batch of {sampler.sampling.batch_size}; raise "
                "sampling.batch_size or data.validation_fraction, or lower trainer.devices"
            )
        build = partial(
            builder,
            rank=rank,
            ranks=ranks,
            overhead=_OVERHEAD_ON_CPU if overhead is None else overhead,
            token_limit=self.chunk_tokens,
        )
        # batch_size=None: an index is a step, and what comes back is a whole planned batch.
        return DataLoader(
            _PlannedBatches(sampler, build, steps),
            sampler=_Remaining(steps, done),
            batch_size=None,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            worker_init_fn=_ignore_signals,
            # Its own: each new iterator draws from it, and validating more often must not change the training.
            generator=torch.Generator(),
        )


class BatchBuilder:
    """Turns plans into tokenised batches. Tokenises the corpus once, when it is made."""

    def __init__(self, corpus: Corpus, encoder: Encoder) -> None:
        self._corpus = corpus
        self._shared = encoder.settings.shared
        self._questions = tokens_of(encoder, corpus.question_texts, "question")
        self._passages = tokens_of(encoder, corpus.passage_texts, "passage")

    def __call__(
        self,
        plan: Plan,
        step: int,
        *,
        rank: int = 0,
        ranks: int = 1,
        overhead: int = _OVERHEAD_ON_CPU,
        token_limit: int | None = None,
    ) -> Batch:
        """The share of one of several ranks: consecutive questions of the plan, their positives, then their hard
        negatives that exist, in the passage's language.

        overhead, token_limit: see `length_sorted_chunks`.
        """
        corpus = self._corpus
        questions = corpus.questions[plan.items, plan.question_languages]
        positives = corpus.passages[plan.items, plan.passage_languages]
        negatives = corpus.negatives[plan.items, plan.passage_languages]
        negative_keys = corpus.negative_keys[plan.items, plan.passage_languages]
        exists = negatives != ABSENT
        keys = corpus.keys[plan.items]
        assert (questions != ABSENT).all(), "planned a question in a language that it does not exist in"
        assert (positives != ABSENT).all(), "planned a passage in a language that it does not exist in"
        shares = np.array_split(np.arange(len(plan.items)), ranks)
        own = shares[rank]
        candidates = np.concatenate([positives[own], negatives[own][exists[own]]])
        candidate_keys = [part for share in shares for part in (keys[share], negative_keys[share][exists[share]])]
        sides = [(self._questions, questions[own]), (self._passages, candidates)]
        if self._shared:
            chunks, (question_rows, candidate_rows), real_tokens = _chunked(sides, overhead, token_limit)
            question_chunks = len(chunks)
        else:
            (chunks, (question_rows,), real_tokens), (more, (candidate_rows,), more_tokens) = (
                _chunked([side], overhead, token_limit) for side in sides
            )
            candidate_rows = candidate_rows + sum(len(chunk.input_ids) for chunk in chunks)
            question_chunks = len(chunks)
            chunks, real_tokens = chunks + more, real_tokens + more_tokens
        return Batch(
            plan=plan,
            step=step,
            chunks=tuple(chunks),
            question_chunks=question_chunks,
            questions=torch.from_numpy(question_rows),
            candidates=torch.from_numpy(candidate_rows),
            real_tokens=real_tokens,
            question_keys=torch.from_numpy(keys),
            candidate_keys=torch.from_numpy(np.concatenate(candidate_keys)),
            question_counts=tuple(map(len, shares)),
            candidate_counts=tuple(len(share) + int(exists[share].sum()) for share in shares),
        )


def _ignore_signals(worker: int) -> None:
    """A signal to a whole group of processes is for the one that trains: it needs its workers until it has stopped."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_IGN)


class _PlannedBatches(Dataset):
    """Step -> batch, as a map-style dataset of whole batches."""

    def __init__(self, sampler: Sampler, build: partial[Batch], steps: int) -> None:
        self._sampler, self._build, self._steps = sampler, build, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        return self._build(self._sampler.plan(step), step)


class _Remaining(Order[int]):
    """The steps that are still to do. Its length is that of all steps: Lightning counts the done ones by itself."""

    def __init__(self, steps: int, done: int) -> None:
        self._steps, self._done = steps, done

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._done, self._steps))


def _chunked(
    parts: list[tuple[Tokens, np.ndarray]], overhead: int, token_limit: int | None
) -> tuple[list[Padded], list[np.ndarray], int]:
    """Each distinct text of one or two roles once, in length-sorted chunks.

    Returns the chunks, where each text of each role is in them laid end to end, and the tokens without padding.
    """
    distinct, of = zip(*(np.unique(rows, return_inverse=True) for _, rows in parts), strict=True)
    lengths = [
        tokens.offsets[rows + 1] - tokens.offsets[rows] for (tokens, _), rows in zip(parts, distinct, strict=True)
    ]
    starts = np.cumsum([0, *map(len, distinct)])  # the roles laid end to end
    chunks, place = [], np.empty(starts[-1], np.int64)
    done = 0
    for chunk in length_sorted_chunks(np.concatenate(lengths), overhead, token_limit):
        padded = []
        for role, (tokens, _) in enumerate(parts):
            own = chunk[(chunk >= starts[role]) & (chunk < starts[role + 1])]
            place[own] = np.arange(done, done + len(own))
            done += len(own)
            if len(own):
                padded.append(tokens.padded(distinct[role][own - starts[role]]))
        chunks.append(_stacked(padded, parts[0][0].pad_id))
    return (
        chunks,
        [place[start + rows] for start, rows in zip(starts[:-1], of, strict=True)],
        int(np.concatenate(lengths).sum()),
    )


def _stacked(parts: list[Padded], pad_id: int) -> Padded:
    """Matrices one below the other, as wide as the widest."""
    width = max(part.input_ids.shape[1] for part in parts)
    widened = [(0, width - part.input_ids.shape[1]) for part in parts]
    return Padded(
        torch.cat([pad(part.input_ids, wider, value=pad_id) for part, wider in zip(parts, widened, strict=True)]),
        torch.cat([pad(part.attention_mask, wider) for part, wider in zip(parts, widened, strict=True)]),
    )


def _validation_sampler(corpus: Corpus, sampling: Sampling, rows: np.ndarray, presence: Presence) -> Sampler | None:
    if len(rows) == 0:
        return None
    batch_size = min(sampling.batch_size, largest_batch(corpus, rows, presence))
    if batch_size < 2:
        raise ValueError(
            f"data.validation_fraction holds out {len(rows)} of {len(corpus)} items, too few for a batch in every "
            "language; raise it, leave small languages out of corpus.languages, or set it to 0 for no validation loss"
        )
    alpha = 1.0 if len(corpus.languages) == 1 else 0.5
    settings = Sampling(name="validation", alpha=alpha, batch_size=batch_size, alpha_draw="stratified")
    return Sampler(corpus, settings, 0, rows, presence)

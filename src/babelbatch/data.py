"""Corpus, sampling and tokens, joined into batches."""

from __future__ import annotations

import hashlib

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from babelbatch.cache_folder import cache_folder
from babelbatch.encoder import Encoder
from babelbatch.records import ABSENT, Batch, Corpus, Plan
from babelbatch.sampling import Sampler, Sampling, largest_batch
from babelbatch.tokens import Tokens, tokenise


class PairData(pl.LightningDataModule):
    """Training and validation batches of one corpus.

    corpus, sampling, encoder (for its tokenizer, prefixes and lengths), seed and steps come from the run.
    steps: training batches to provide.
    validation_fraction: share of the passages that is held out for the validation loss; 0 for none. The split is a
        function of the item ids alone: the same in every run, whatever the seed.
    validation_steps: batches of the validation loss. They are half X-X and half X-Y whatever the training strategy, in
        all languages of the corpus, and always the same ones: losses of different strategies can be compared.
    num_workers: processes that prepare batches; 0 prepares them in the training process.
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
    ) -> None:
        super().__init__()
        self.steps = steps
        self.validation_steps = validation_steps
        self.num_workers = num_workers
        held_out = validation_rows(corpus, validation_fraction)
        self.sampler = Sampler(corpus, sampling, seed, rows=np.flatnonzero(~held_out))
        self.validation_sampler = _validation_sampler(corpus, sampling, np.flatnonzero(held_out))
        self.builder = BatchBuilder(corpus, encoder)

    def train_dataloader(self) -> DataLoader:
        return self._loader(self.sampler, self.steps)

    def val_dataloader(self) -> DataLoader | list:
        if self.validation_sampler is None:
            return []
        return self._loader(self.validation_sampler, self.validation_steps)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)

    def _loader(self, sampler: Sampler, steps: int) -> DataLoader:
        # batch_size=None: an index is a step, and what comes back is a whole planned batch.
        return DataLoader(
            _PlannedBatches(sampler, self.builder, steps),
            batch_size=None,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            # Its own: each new iterator draws from it, and validating more often must not change the training.
            generator=torch.Generator(),
        )


class BatchBuilder:
    """Turns plans into tokenised batches. Tokenises the corpus once, when it is made."""

    def __init__(self, corpus: Corpus, encoder: Encoder) -> None:
        self._corpus = corpus
        self._questions = _tokens(corpus.question_texts, encoder, "question")
        self._passages = _tokens(corpus.passage_texts, encoder, "passage")

    def __call__(self, plan: Plan, step: int) -> Batch:
        """Questions, positives in the same order, then the hard negatives that exist, in the passage's language."""
        corpus = self._corpus
        questions = corpus.questions[plan.items, plan.question_languages]
        positives = corpus.passages[plan.items, plan.passage_languages]
        negatives = corpus.negatives[plan.items, plan.passage_languages].ravel()
        negative_keys = corpus.negative_keys[plan.items, plan.passage_languages].ravel()
        exists = negatives != ABSENT
        keys = corpus.keys[plan.items]
        assert (questions != ABSENT).all(), "planned a question in a language that it does not exist in"
        assert (positives != ABSENT).all(), "planned a passage in a language that it does not exist in"
        return Batch(
            kind=plan.kind,
            step=step,
            questions=self._questions.padded(questions),
            candidates=self._passages.padded(np.concatenate([positives, negatives[exists]])),
            question_keys=torch.from_numpy(keys),
            candidate_keys=torch.from_numpy(np.concatenate([keys, negative_keys[exists]])),
        )


class _PlannedBatches(Dataset):
    """Step -> batch, as a map-style dataset of whole batches."""

    def __init__(self, sampler: Sampler, builder: BatchBuilder, steps: int) -> None:
        self._sampler, self._builder, self._steps = sampler, builder, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        return self._builder(self._sampler.plan(step), step)


def validation_rows(corpus: Corpus, fraction: float) -> np.ndarray:
    """(N,) whether an item is held out. Items that share a passage key fall on the same side."""
    first_id: dict[int, str] = {}
    for key, id_ in zip(corpus.keys.tolist(), corpus.ids, strict=True):
        first_id[key] = min(id_, first_id.get(key, id_))
    held_out = {key: _unit_hash(id_) < fraction for key, id_ in first_id.items()}
    return np.array([held_out[key] for key in corpus.keys.tolist()], bool)


def _unit_hash(text: str) -> float:
    """A number in [0, 1) from SHA-256: the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def _validation_sampler(corpus: Corpus, sampling: Sampling, rows: np.ndarray) -> Sampler | None:
    if len(rows) == 0:
        return None
    batch_size = min(sampling.batch_size, largest_batch(corpus, rows))
    if batch_size < 2:
        raise ValueError(
            f"data.validation_fraction holds out {len(rows)} of {len(corpus)} items, too few for a batch in every "
            "language; raise it, leave small languages out of corpus.languages, or set it to 0 for no validation loss"
        )
    alpha = 1.0 if len(corpus.languages) == 1 else 0.5
    settings = Sampling(name="validation", alpha=alpha, batch_size=batch_size, alpha_draw="stratified")
    return Sampler(corpus, settings, seed=0, rows=rows)


def _tokens(texts: tuple[str, ...], encoder: Encoder, role: str) -> Tokens:
    settings = encoder.settings
    return tokenise(
        texts,
        encoder.tokenizer,
        prefix=settings.prefix(role),
        max_length=settings.max_length(role),
        description=f"tokenising {role}s",
        cache=cache_folder("tokens"),
    )

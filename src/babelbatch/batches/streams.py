"""The two streams of batches of a run: training and validation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from babelbatch.batches.builder import BatchBuilder, TeacherTexts
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.batches.negatives import with_negatives
from babelbatch.batches.token_budget import TokensOfBatch, steps_for_tokens
from babelbatch.batches.tokenized import TokenizedCorpus
from babelbatch.batches.translations import Translations
from babelbatch.encoder import Encoder
from babelbatch.progress import waiting
from babelbatch.records import Corpus, Plan
from babelbatch.sampling import Availability, HeldOutPassages, Sampler, Sampling, held_out, validation_sampler


@dataclass(frozen=True)
class BatchStream:
    """Planned batches: a sampler plans a step, translations add languages to it, the builder tokenises it."""

    sampler: Sampler
    builder: BatchBuilder
    steps: int
    translations: Translations | None = None

    def plan(self, step: int) -> Plan:
        """The plan of a step, with the languages of translations if the objective requires them."""
        plan = self.sampler.plan(step)
        return plan if self.translations is None else self.translations(plan, step)


class PreparedCorpus:
    """A corpus with what training and validation derive from it, each computed once, when it is first used."""

    def __init__(self, corpus: Corpus, encoder: Encoder, availability: Availability | None = None) -> None:
        self.corpus = corpus
        self._encoder = encoder
        self._known_availability = availability

    @cached_property
    def availability(self) -> Availability:
        """Which texts exist."""
        return Availability(self.corpus) if self._known_availability is None else self._known_availability

    @cached_property
    def tokens(self) -> TokenizedCorpus:
        """The texts as the encoder's tokens."""
        return TokenizedCorpus(self.corpus, self._encoder)


@dataclass(frozen=True)
class Split:
    """What a run trains on and what it validates on.

    original: the training corpus before any transformation. trained: after it. held_out: (N,) bool over `trained`.
    validated: the corpus of the validation loss. validation_rows: its held-out rows; None: it is for validation alone.
    """

    original: PreparedCorpus
    trained: PreparedCorpus
    held_out: NDArray[np.bool_]
    validated: PreparedCorpus
    validation_rows: NDArray[np.int64] | None


def split_corpus(inputs: TrainingInputs, validation_fraction: float) -> Split:
    """Holds items out, adds mined negatives to the others and transforms the training texts."""
    corpus = inputs.corpus
    fraction = validation_fraction if inputs.validation is None else 0.0
    apart = held_out(corpus.passage_keys, corpus.ids, fraction)
    if inputs.mined is not None:
        corpus = with_negatives(corpus, inputs.mined, apart)
    original = trained = PreparedCorpus(corpus, inputs.encoder, inputs.availability)
    validated, rows = original, np.flatnonzero(apart)
    if inputs.transform is not None:
        trained = PreparedCorpus(inputs.transform(corpus), inputs.encoder)
        apart = np.repeat(apart, inputs.transform.copies)
    if inputs.validation is None:
        return Split(original, trained, apart, validated, rows)
    return Split(original, trained, apart, PreparedCorpus(inputs.validation, inputs.encoder), None)


def make_streams(inputs: TrainingInputs, split: Split, validation_steps: int) -> tuple[BatchStream, BatchStream | None]:
    """The training and the validation stream; None without validation items.

    Both samplers are made first, so that data which no batch fits are refused before anything is tokenised.
    """
    judge = None
    if split.validation_rows is None or len(split.validation_rows):
        corpus, availability = split.validated.corpus, split.validated.availability
        judge = validation_sampler(corpus, availability, inputs.sampling, split.validation_rows)
    training = _training_stream(inputs, split)
    if judge is None:
        return training, None
    return training, BatchStream(judge, BatchBuilder(split.validated.tokens), validation_steps)


def _training_stream(inputs: TrainingInputs, split: Split) -> BatchStream:
    trained, rows = split.trained, np.flatnonzero(~split.held_out)

    def sampler(batches: int | None) -> Sampler:
        return inputs.sampling.sampler(trained.corpus, inputs.seed, rows, trained.availability, batches)

    sampling_of_whole_run = sampler(inputs.steps or 1)  # refuses unfit data, and comes before the texts are tokenised
    builder, translations = _training_builder(inputs, split), _translations(inputs, split)
    if inputs.max_tokens is None:
        assert inputs.steps is not None, "a run without a budget of tokens has a number of steps"
        return BatchStream(sampling_of_whole_run, builder, inputs.steps, translations)

    def tokens_of(batches: int | None) -> TokensOfBatch:
        stream = BatchStream(sampler(batches), builder, 0, translations)
        return lambda step: builder.tokens(stream.plan(step))

    with waiting(f"planning the steps of {inputs.max_tokens:,} tokens"):
        steps = steps_for_tokens(
            inputs.max_tokens,
            tokens_of,
            limit=None if inputs.steps is None else inputs.steps // inputs.batches_per_step,
            batches_per_step=inputs.batches_per_step,
            # A sampler of one's own may use the length; a constant alpha does not.
            depends_on_length=type(inputs.sampling) is not Sampling or inputs.sampling.schedule != "constant",
        )
    batches = steps * inputs.batches_per_step
    return BatchStream(sampler(batches), builder, batches, translations)


def _training_builder(inputs: TrainingInputs, split: Split) -> BatchBuilder:
    tokens, teacher, excluded = split.trained.tokens, None, None
    if inputs.teacher is not None:
        language = inputs.requirements.teacher_language
        assert language is not None, "a teacher without a language"
        copies = 1 if inputs.transform is None else inputs.transform.copies
        teacher = TeacherTexts(TokenizedCorpus(split.original.corpus, inputs.teacher), language, copies)
    if split.held_out.any() and tokens.corpus.negatives.shape[2]:
        excluded = HeldOutPassages(tokens.corpus, split.held_out)
    return BatchBuilder(tokens, teacher, excluded)


def _translations(inputs: TrainingInputs, split: Split) -> Translations | None:
    required = inputs.requirements
    if not (required.query_translations or required.passage_translations):
        return None
    return Translations(split.trained.corpus, inputs.sampling.languages, inputs.seed, required)

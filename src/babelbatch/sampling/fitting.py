"""Whether batches can be drawn from a corpus, before an encoder is loaded for them."""

from __future__ import annotations

import numpy as np

from babelbatch.records import Corpus
from babelbatch.sampling.pools import Availability
from babelbatch.sampling.settings import Sampling
from babelbatch.sampling.validation_sampler import validation_sampler
from babelbatch.sampling.validation_split import held_out


def refuse_unfit_corpus(
    corpus: Corpus,
    sampling: Sampling,
    seed: int,
    *,
    validation_fraction: float,
    steps: int,
    availability: Availability | None = None,
) -> None:
    """Raises ValueError if a pool of the strategy is smaller than a batch.

    validation_fraction: share of the passages that is held out, and not drawn from. steps: batches of the run.
    availability: of the corpus, if at hand.
    """
    rows = None
    if validation_fraction:
        rows = np.flatnonzero(~held_out(corpus.passage_keys, corpus.ids, validation_fraction))
    try:
        sampling.sampler(corpus, seed, rows, availability, steps)
    except ValueError as error:
        raise ValueError(f"{'' if str(error).startswith('sampling.') else 'corpus: '}{error}") from error


def refuse_unfit_validation(
    corpus: Corpus,
    validation: Corpus | None,
    sampling: Sampling,
    validation_fraction: float,
    availability: Availability | None = None,
) -> None:
    """Raises ValueError if the validation loss has too few items for a batch.

    validation: the corpus for validation alone; None: `validation_fraction` of `corpus` is held out.
    availability: of `corpus`, if at hand.
    """
    if validation is not None:
        validation_sampler(validation, Availability(validation), sampling, None)
        return
    rows = np.flatnonzero(held_out(corpus.passage_keys, corpus.ids, validation_fraction))
    if len(rows):
        validation_sampler(corpus, availability or Availability(corpus), sampling, rows)

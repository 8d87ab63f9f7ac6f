"""The batches of the validation loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from babelbatch.records import Corpus, Mixture
from babelbatch.sampling.pools import Availability
from babelbatch.sampling.sampler import Sampler, largest_batch
from babelbatch.sampling.settings import Sampling


def validation_sampler(
    corpus: Corpus, availability: Availability, sampling: Sampling, held_out: NDArray[np.int64] | None
) -> Sampler:
    """Plans validation batches, the same ones for every strategy: half X-X and half X-Y, in all languages.

    If the corpus has items for one kind only, all batches are of that kind. The parts of a mixture are drawn from
    together. Batches are at most as large as those of `sampling`.

    held_out: the held-out rows of a training corpus; None: the corpus is for validation alone, and all rows are used.
    Raises ValueError if the rows are too few for a batch in every language.
    """
    rows = np.arange(len(corpus)) if held_out is None else held_out
    batch_size = min(sampling.batch_size, largest_batch(corpus, rows, availability))
    if batch_size < 2:
        raise ValueError(_too_few(corpus, held_out))
    columns = np.arange(len(corpus.languages))
    monolingual = [len(pool) > 0 for pool in availability.monolingual(columns, None)]
    crosslingual = len(columns) > 1 and len(availability.crosslingual(columns, None)) > 0
    alpha = 0.5 if any(monolingual) and crosslingual else float(any(monolingual))
    settings = Sampling(name="validation", alpha=alpha, batch_size=batch_size, alpha_draw="stratified")
    # Only a part of a mixture may lack X-X pairs in a language.
    one_part = Mixture((corpus.name,), (0,), 1.0) if any(monolingual) and not all(monolingual) else None
    return Sampler(replace(corpus, mixture=one_part), settings, 0, rows, availability)


def _too_few(corpus: Corpus, held_out: NDArray[np.int64] | None) -> str:
    if held_out is None:
        return (
            f"validation: the {len(corpus)} items of {corpus.name} are too few for a batch in every language; choose "
            "fewer languages in validation.languages, or another corpus@validation"
        )
    return (
        f"data.validation_fraction holds out {len(held_out)} of {len(corpus)} items, too few for a batch in every "
        "language; raise it, leave small languages out of corpus.languages, or set it to 0 for no validation loss"
    )

"""Whether a strategy can draw its batches from a corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from babelbatch.corpora import with_language_fraction
from babelbatch.describe.facts import CorpusFacts
from babelbatch.records import Corpus
from babelbatch.sampling import Availability, Sampling, refuse_unfit_corpus, refuse_unfit_validation

_STEPS = 1_000  # in which a schedule changes alpha; only its ends matter here


@dataclass(frozen=True)
class Draws:
    """What a run would draw.

    chosen: whether the strategy was; else only its batch size counts, for the kinds of batches that the corpus has.
    validation_fraction, language_fraction, seed: of the run. validates: whether the items of its validation loss count.
    """

    sampling: Sampling
    chosen: bool
    validation_fraction: float
    language_fraction: Mapping[str, float]
    seed: int
    validates: bool


def batch_problems(corpus: Corpus, facts: CorpusFacts, draws: Draws) -> list[str]:
    """Why batches cannot be drawn: for every language on its own, then for the strategy."""
    if draws.language_fraction:
        corpus = with_language_fraction(corpus, draws.language_fraction, draws.seed)
    availability = Availability(corpus) if corpus.mixture is None else None
    fraction = draws.validation_fraction
    found: dict[str, None] = {}
    for sampling in _samplings(facts, draws):
        try:
            refuse_unfit_corpus(
                corpus, sampling, draws.seed, validation_fraction=fraction, steps=_STEPS, availability=availability
            )
        except ValueError as error:
            found[str(error)] = None
    if draws.validates:
        try:
            refuse_unfit_validation(corpus, None, draws.sampling, fraction, availability)
        except ValueError as error:
            found[str(error)] = None
    return list(found)


def _samplings(facts: CorpusFacts, draws: Draws) -> Iterator[Sampling]:
    sampling = draws.sampling
    constant: dict[str, Any] = {"schedule": "constant", "alpha_end": None, "switch_at": None, "alpha_steps": None}
    languages = sampling.languages or list(facts["languages"])
    alone = type(sampling) is Sampling and sampling.same_language == "batch" and sampling.alpha > 0
    if alone:
        for language in languages:
            if draws.chosen or facts["languages"].get(language, {}).get("pairs"):
                yield replace(sampling, alpha=1.0, languages=[language], **constant)
    if draws.chosen:
        yield sampling
    elif facts["crosslingual_items"]:
        yield replace(sampling, alpha=0.0, **constant)

"""Whether a strategy can draw its batches from a corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from babelbatch.describe.facts import CorpusFacts
from babelbatch.records import Corpus
from babelbatch.sampling import Availability, Sampling, refuse_unfit_corpus, refuse_unfit_validation

_STEPS = 1_000  # in which a schedule changes alpha; only its ends matter here


@dataclass(frozen=True)
class Draws:
    """What a run would draw.

    chosen: whether a setting of the strategy was; else only its batch size counts, for the kinds of batches that the
    corpus has.
    validation_fraction, language_fraction, seed, train_on_test: of the run. validates: whether the items of its
    validation loss count. copies: of each item in which words are switched; more than one may fill a batch that the
    corpus does not.
    """

    sampling: Sampling
    chosen: bool
    validation_fraction: float
    language_fraction: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    validates: bool = False
    train_on_test: bool = False
    copies: int = 1


def unchecked(corpus: Corpus, draws: Draws) -> str | None:
    """Why nothing is said about the batches; None if something is."""
    if draws.copies > 1:
        return f"whether its batches can be filled was not checked: transform.copies={draws.copies} adds items"
    if corpus.mixture is not None and not draws.chosen:
        return "whether its batches can be filled was not checked: that depends on the strategy; name it with sampling="
    return None


def batch_problems(corpus: Corpus, facts: CorpusFacts, draws: Draws, validation: Corpus | None = None) -> list[str]:
    """Why batches cannot be drawn: for every language on its own, then for the strategy.

    A part of a mixture need not have every language, so there only the strategy counts. validation: the corpus for
    validation alone.
    """
    if unchecked(corpus, draws) is not None:
        return []
    availability = Availability(corpus) if corpus.mixture is None else None
    fraction = draws.validation_fraction
    found: dict[str, None] = {}
    for sampling in _samplings(facts, draws, mixed=corpus.mixture is not None):
        try:
            refuse_unfit_corpus(
                corpus, sampling, draws.seed, validation_fraction=fraction, steps=_STEPS, availability=availability
            )
        except ValueError as error:
            found[str(error)] = None
    if draws.validates or validation is not None:
        try:
            refuse_unfit_validation(corpus, validation, draws.sampling, fraction, availability)
        except ValueError as error:
            found[str(error)] = None
    return list(found)


def _samplings(facts: CorpusFacts, draws: Draws, *, mixed: bool) -> Iterator[Sampling]:
    sampling = draws.sampling
    constant: dict[str, Any] = {"schedule": "constant", "alpha_end": None, "switch_at": None, "alpha_steps": None}
    languages = sampling.languages or list(facts["languages"])
    alone = type(sampling) is Sampling and sampling.same_language == "batch" and sampling.alpha > 0
    if alone and not mixed:
        for language in languages:
            if draws.chosen or facts["languages"].get(language, {}).get("pairs"):
                yield replace(sampling, alpha=1.0, languages=[language], **constant)
    if draws.chosen:
        yield sampling
    elif facts["crosslingual_items"]:
        yield replace(sampling, alpha=0.0, **constant)

"""A fraction of the items in a language: exact, nested, a function of ids and seed; nothing else changes."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from babelbatch.corpora.language_fraction import with_language_fraction
from babelbatch.records import ABSENT, Corpus
from babelbatch.sampling import Sampler, Sampling
from configurations import problems
from conftest import MakeCorpus

TABLES = ("queries", "passages", "negatives", "negative_keys")


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    """200 items; Chinese has no query in the first 20, and no text at all in the first 10."""
    return make_corpus(
        200, negatives=1, no_query=[(n, "zh") for n in range(20)], no_passage=[(n, "zh") for n in range(10)]
    )


def items_in(corpus: Corpus, language: str) -> set[str]:
    column = corpus.languages.index(language)
    exists = (corpus.queries[:, column] != ABSENT) | (corpus.passages[:, column] != ABSENT)
    return {corpus.ids[item] for item in np.flatnonzero(exists)}


@pytest.mark.parametrize(("fraction", "expected"), [(1.0, 190), (0.3, 57), (0.1, 19), (0.01, 2), (0.001, 1)])
def test_the_number_is_exact(corpus: Corpus, fraction: float, expected: int) -> None:
    reduced = with_language_fraction(corpus, {"zh": fraction}, seed=0)
    assert len(items_in(reduced, "zh")) == expected
    assert items_in(reduced, "zh") <= items_in(corpus, "zh")


def test_fractions_are_nested_and_equal_over_languages(corpus: Corpus) -> None:
    found = [
        with_language_fraction(corpus, {"de": fraction, "en": fraction}, seed=3) for fraction in (0.01, 0.1, 0.3, 1)
    ]
    for smaller, larger in pairwise(found):
        assert items_in(smaller, "de") < items_in(larger, "de")
    for each in found:
        assert items_in(each, "de") == items_in(each, "en")
        assert items_in(each, "zh") == items_in(corpus, "zh")


def test_nothing_else_changes(corpus: Corpus) -> None:
    reduced = with_language_fraction(corpus, {"de": 0.1}, seed=0)
    for name in TABLES:
        before, after = getattr(corpus, name), getattr(reduced, name)
        assert np.array_equal(before[:, 1:], after[:, 1:])
        kept = [n for n, name in enumerate(corpus.ids) if name in items_in(reduced, "de")]
        gone = np.setdiff1d(np.arange(200), kept)
        assert np.array_equal(before[kept, 0], after[kept, 0])
        assert (after[gone, 0] == ABSENT).all()
    assert (reduced.ids, reduced.passage_texts) == (corpus.ids, corpus.passage_texts)
    assert np.array_equal(reduced.passage_keys, corpus.passage_keys)
    assert with_language_fraction(corpus, {"de": 1.0}, seed=0).fingerprint == corpus.fingerprint != reduced.fingerprint


def test_it_is_a_function_of_ids_and_seed(corpus: Corpus) -> None:
    order = np.random.default_rng(0).permutation(200)
    moved = replace(
        corpus, ids=tuple(corpus.ids[n] for n in order), passage_keys=corpus.passage_keys[order],
        **{name: getattr(corpus, name)[order] for name in TABLES},
    )  # fmt: skip
    here, there = (with_language_fraction(each, {"de": 0.1}, seed=7) for each in (corpus, moved))
    assert items_in(here, "de") == items_in(there, "de")
    assert items_in(with_language_fraction(corpus, {"de": 0.1}, seed=8), "de") != items_in(here, "de")


def test_batches_hold_no_removed_text(corpus: Corpus) -> None:
    """X-X and X-Y plans draw a language from its fraction only."""
    reduced = with_language_fraction(corpus, {"de": 0.1}, seed=0)
    allowed = items_in(reduced, "de")
    sampler = Sampler(reduced, Sampling("hybrid", 0.5, batch_size=8), 0)
    drawn = set()
    for step in range(300):
        plan = sampler.plan(step)
        for item, query, passage in zip(plan.items, plan.query_languages, plan.passage_languages, strict=True):
            if 0 in (query, passage):
                drawn.add(corpus.ids[item])
    assert drawn == allowed


def test_a_language_that_is_not_there(corpus: Corpus) -> None:
    expected = "language_fraction: the corpus hand-made has no sw; it has: de, en, zh"
    with pytest.raises(ValueError, match=re.escape(expected)):
        with_language_fraction(corpus, {"sw": 0.1}, seed=0)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (
            ["language_fraction={zh: 0}"],
            [
                "language_fraction.zh: 0.0 is not above 0 and at most 1; leave the language out of corpus.languages "
                "for none"
            ],
        ),
        (
            ["corpus.languages=[en,de]", "language_fraction.zh=0.5"],
            ["language_fraction.zh: it is not trained on; add it to corpus.languages, or leave it out"],
        ),
        (
            ["language_fraction={zh: 0.1, zho_Hans: 1}"],
            ["language_fraction: zh, zho_Hans name a language twice; leave one of them out"],
        ),
        (["language_fraction={zh: 0.1, de: 1}"], []),
        (["language_fraction.zh=0.1"], []),
    ],
)
def test_in_a_configuration(typed: list[str], expected: list[str]) -> None:
    assert problems(*typed) == expected

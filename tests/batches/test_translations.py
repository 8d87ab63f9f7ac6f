"""Another language for each text of a step."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from babelbatch.batches.translations import Translations
from babelbatch.records import ABSENT, BatchRequirements, Corpus, Plan
from babelbatch.sampling import Sampler, Sampling
from conftest import MakeCorpus

BOTH = BatchRequirements(query_translations=True, passage_translations=True)
HYBRID = Sampling(name="hybrid", alpha=0.5, batch_size=8)


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    """Forty items; the first eight lack their query in German and Chinese, item 9 its passage in Chinese."""
    lacking = [(item, language) for item in range(8) for language in ("de", "zh")]
    return make_corpus(40, no_query=lacking, no_passage=[(9, "zh")])


def plans(
    corpus: Corpus, requirements: BatchRequirements = BOTH, seed: int = 0, steps: int = 60, **options: object
) -> list[Plan]:
    sampling = replace(HYBRID, **options)
    sampler, translations = (
        Sampler(corpus, sampling, seed),
        Translations(corpus, sampling.languages, seed, requirements),
    )
    return [translations(sampler.plan(step), step) for step in range(steps)]


def test_others_exist_and_are_others(corpus: Corpus) -> None:
    without = 0
    for plan in plans(corpus):
        for table, planned, others in (
            (corpus.queries, plan.query_languages, plan.query_translation_languages),
            (corpus.passages, plan.passage_languages, plan.passage_translation_languages),
        ):
            some = others != ABSENT
            assert (table[plan.items[some], others[some]] != ABSENT).all()
            assert (others != planned)[some].all()
            assert ((table[plan.items] != ABSENT).sum(axis=1) == 1).tolist() == (~some).tolist()
            without += (~some).sum()
    assert without > 0


def test_the_plan_itself_stays(corpus: Corpus) -> None:
    sampler = Sampler(corpus, HYBRID, 0)
    for step, plan in enumerate(plans(corpus)):
        before = sampler.plan(step)
        assert plan.kind == before.kind
        for name in ("items", "query_languages", "passage_languages"):
            assert np.array_equal(getattr(plan, name), getattr(before, name))


def test_a_function_of_seed_and_step(corpus: Corpus) -> None:
    sampler = Sampler(corpus, HYBRID, 0)
    plan = sampler.plan(3)

    def drawn(seed: int, step: int) -> list[int]:
        found = Translations(corpus, None, seed, BOTH)(plan, step)
        return [*found.query_translation_languages.tolist(), *found.passage_translation_languages.tolist()]

    assert drawn(0, 3) == drawn(0, 3)
    assert drawn(0, 3) != drawn(0, 4)
    assert drawn(0, 3) != drawn(1, 3)
    assert drawn(0, 3)[:8] != drawn(0, 3)[8:]  # each side by itself


def test_uniform_over_the_others(make_corpus: MakeCorpus) -> None:
    """Four languages: each of the three others in a third of the draws, within four standard deviations."""
    corpus = make_corpus(64, ("de", "en", "ru", "zh"))
    counts = np.zeros((4, 4), int)
    for plan in plans(corpus, steps=1500):
        np.add.at(counts, (plan.query_languages, plan.query_translation_languages), 1)
    assert (counts.diagonal() == 0).all()
    for language in range(4):
        row = np.delete(counts[language], language)
        total = row.sum()
        assert np.abs(row - total / 3).max() < 4 * np.sqrt(total * 2 / 9)


def test_only_the_languages_of_the_sampling(corpus: Corpus) -> None:
    found = {int(n) for plan in plans(corpus, languages=["de", "en"]) for n in plan.passage_translation_languages}
    assert found == {0, 1}


def test_only_the_sides_that_are_needed(corpus: Corpus) -> None:
    (plan,) = plans(corpus, BatchRequirements(query_translations=True), steps=1)
    assert plan.passage_translation_languages is None
    assert plan.query_translation_languages is not None
    (plan,) = plans(corpus, BatchRequirements(passage_translations=True), steps=1)
    assert plan.query_translation_languages is None


def test_nothing_to_compare(make_corpus: MakeCorpus) -> None:
    """Queries in English only: their passages can be aligned, they cannot."""
    corpus = make_corpus(6, no_query=[(item, language) for item in range(6) for language in ("de", "zh")])
    message = (
        "loss: it compares translations, but no item of the corpus hand-made has its query in two of de, en, zh; "
        "set loss=contrastive, or another loss.sides"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Translations(corpus, None, 0, BOTH)
    Translations(corpus, None, 0, BatchRequirements(passage_translations=True))
    with pytest.raises(ValueError, match="has its passage in two of de;"):
        Translations(corpus, ["de"], 0, BatchRequirements(passage_translations=True))

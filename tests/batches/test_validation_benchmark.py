"""Validation items as a benchmark."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.batches.validation_benchmark import validation_benchmark
from babelbatch.encoder import static
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.records import ABSENT, Benchmark, Corpus
from babelbatch.sampling import Sampling
from conftest import MakeCorpus


def answers(benchmark: Benchmark) -> dict[str, list[str]]:
    """Query text -> texts of its answers."""
    offsets = benchmark.relevant_offsets
    return {
        text: [benchmark.candidate_texts[row] for row in benchmark.relevant[offsets[query] : offsets[query + 1]]]
        for query, text in enumerate(benchmark.query_texts)
    }


def of_all(corpus: Corpus, most: int = 100) -> Benchmark:
    found = validation_benchmark(corpus, None, most)
    assert found is not None
    return found


def test_queries_in_their_languages_over_the_passages_of_all_languages(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(3, ("de", "en"), no_query=[(0, "de")], no_passage=[(1, "en")])
    found = validation_benchmark(corpus, np.array([0, 1]), 10)
    assert found is not None
    assert answers(found) == {
        "question 1 de": ["passage 1 de"],
        "question 0 en": ["passage 0 de", "passage 0 en"],
        "question 1 en": ["passage 1 de"],
    }
    assert found.candidate_texts == ["passage 0 de", "passage 1 de", "passage 0 en"]
    assert [found.languages[code] for code in found.candidate_languages] == ["de", "de", "en"]
    assert found.query_ids == ("item1", "item0", "item1")
    assert (found.name, found.protocol) == ("validation", "validation items of hand-made")


def test_items_with_one_passage_share_it_and_are_a_cluster(make_corpus: MakeCorpus) -> None:
    plain = make_corpus(3, ("de",), passage_keys=[7, 7, 9])
    shared = replace(plain, passages=np.array([[0], [0], [2]], np.int32))
    found = of_all(shared)
    assert found.candidate_texts == ["passage 0 de", "passage 2 de"]
    assert answers(found)["question 0 de"] == answers(found)["question 1 de"] == ["passage 0 de"]
    assert found.cluster_numbers.tolist() == [0, 0, 1]
    own = of_all(plain)  # two passages that answer one thing: both are relevant to both
    assert answers(own)["question 1 de"] == ["passage 0 de", "passage 1 de"]


def test_what_no_passage_answers_is_no_query(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(2, ("de", "en"), no_passage=[(0, "de"), (0, "en")])
    assert set(answers(of_all(corpus))) == {"question 1 de", "question 1 en"}
    nothing = replace(corpus, passages=np.full_like(corpus.passages, ABSENT))
    assert validation_benchmark(nothing, None, 10) is None
    assert validation_benchmark(corpus, None, 0) is None
    assert validation_benchmark(corpus, np.array([], np.int64), 10) is None


def test_a_sample_depends_on_ids_alone(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(40)
    few, more = of_all(corpus, 5), of_all(corpus, 8)
    assert len(set(few.query_ids)) == 5
    assert set(few.query_ids) < set(more.query_ids)
    order = np.arange(40)[::-1]
    turned = replace(
        corpus,
        ids=tuple(corpus.ids[row] for row in order),
        **{name: getattr(corpus, name)[order] for name in ("queries", "passages", "passage_keys", "negatives")},
        negative_keys=corpus.negative_keys[order],
    )
    assert set(of_all(turned, 5).query_ids) == set(few.query_ids)
    assert few.fingerprint != more.fingerprint


@pytest.mark.parametrize("languages", [("de", "en", "zh"), ("en",)])
def test_it_is_of_what_is_held_out_and_can_be_evaluated(make_corpus: MakeCorpus, languages: tuple[str, ...]) -> None:
    corpus = make_corpus(60, languages)
    encoder = static(corpus.query_texts + corpus.passage_texts, vocab_size=300, hidden_size=8)
    inputs = TrainingInputs(corpus, Sampling("x_x", 1.0, 4), encoder, seed=0, steps=5)
    data = PairData(inputs, validation_fraction=0.3)
    assert data.validation_benchmark is not None
    assert data.validation is not None
    planned = {key for batch in data.val_dataloader() for key in batch.positive_keys.tolist()}
    held = {int(id_.removeprefix("item")) for id_ in data.validation_benchmark.query_ids}
    assert planned <= held
    trained = {key for batch in data.train_dataloader() for key in batch.positive_keys.tolist()}
    assert not trained & held
    metrics = Evaluation()(encoder, data.validation_benchmark).metrics
    assert 0 < metrics["validation/multilingual/map"] <= 1
    assert ("validation/crosslingual/map" in metrics) == (len(languages) > 1)
    assert PairData(inputs, validation_fraction=0).validation_benchmark is None
    assert PairData(inputs, validation_fraction=0.3, validation_queries=0).validation_benchmark is None


def test_a_validation_corpus_takes_the_place_of_what_is_held_out(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(60)
    other = replace(make_corpus(20, ("en", "zh"), passage_keys=[100 + item for item in range(20)]), name="other")
    encoder = static(corpus.query_texts + corpus.passage_texts, vocab_size=300, hidden_size=8)
    inputs = TrainingInputs(corpus, Sampling("x_x", 1.0, 4), encoder, seed=0, steps=5, validation=other)
    found = PairData(inputs).validation_benchmark
    assert found is not None
    assert (found.languages, len(set(found.query_ids))) == (("en", "zh"), 20)
    assert found.protocol == "validation items of other"

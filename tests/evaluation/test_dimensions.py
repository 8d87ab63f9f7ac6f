"""Scores of cut vectors, beside those of an encoder whose vectors are as small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from babelbatch.encoder import Encoder, static
from babelbatch.encoder.model import Settings
from babelbatch.encoder.static_model import static_model
from babelbatch.evaluation.dimensions import cut
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.lexical import BM25
from babelbatch.records import Benchmark


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    """Forty queries in two languages, each with its answer in both: texts that share some words."""
    random = np.random.default_rng(0)
    words = [f"w{number}" for number in range(60)]
    texts = [" ".join(random.choice(words, 6)) for _ in range(40)]
    queries = [" ".join(text.split()[:3]) for text in texts]
    return Benchmark(
        name="words",
        languages=("de", "en"),
        query_ids=tuple(f"q{number // 2}" for number in range(40)),
        query_texts=tuple(queries),
        query_languages=np.arange(40, dtype=np.int16) % 2,
        candidate_ids=tuple(f"c{number}" for number in range(40)),
        candidate_texts=tuple(texts),
        candidate_languages=np.arange(40, dtype=np.int16) % 2,
        relevant_offsets=np.arange(0, 81, 2),
        relevant=np.repeat(np.arange(40).reshape(-1, 2), 2, axis=0).ravel(),
        protocol="by hand",
    )


def encoders(benchmark: Benchmark, size: int, **settings: object) -> tuple[Encoder, Encoder]:
    """A mean of embeddings of 24 components, and one of their first `size` components."""
    torch.manual_seed(0)
    made = static(benchmark.candidate_texts, vocab_size=200, hidden_size=24)
    embeddings = made.tower("query").backbone.get_input_embeddings()
    assert isinstance(embeddings, nn.Embedding)
    small = static_model(embeddings.weight.detach()[:, :size])
    return tuple(
        Encoder(backbone, made.tokenizer, Settings(**settings)) for backbone in (made.tower("query").backbone, small)
    )


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("debias", ["none", "centre"])
def test_scores_are_those_of_an_encoder_with_so_few_dimensions(
    benchmark: Benchmark, normalise: bool, debias: str
) -> None:
    whole, small = encoders(benchmark, 5, normalise=normalise)
    evaluation = Evaluation(debias=debias)
    plain, expected = evaluation(whole, benchmark), evaluation(small, benchmark)
    result = replace(evaluation, dimensions=[5])(whole, benchmark)
    assert result.metrics == plain.metrics
    macro = {key for key in plain.metrics if key.count("/") == 2}
    assert {*result.facts} == {f"dimensions/{size}/{key}" for size in (5, 24) for key in macro}
    assert plain.metrics["words/multilingual/map"] != expected.metrics["words/multilingual/map"]
    for key in macro:
        assert result.facts[f"dimensions/24/{key}"] == plain.metrics[key]
        assert result.facts[f"dimensions/5/{key}"] == pytest.approx(expected.metrics[key], abs=1e-9)


def test_not_during_training(benchmark: Benchmark) -> None:
    whole, _ = encoders(benchmark, 5)
    assert not Evaluation(dimensions=[5]).during_training(whole, benchmark).facts


def test_texts_are_encoded_once(benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = encoders(benchmark, 5)
    forward, rows = whole.forward, []
    monkeypatch.setattr(
        whole, "forward", lambda texts, role: (rows.append(len(texts.input_ids)), forward(texts, role))[1]
    )
    Evaluation(dimensions=[5, 8])(whole, benchmark)
    assert sum(rows) == len({*benchmark.query_texts}) + len({*benchmark.candidate_texts})


def test_a_vector_that_is_zero_stays_zero() -> None:
    vectors = np.array([[0, 0, 1], [3, 4, 0]], np.float32)
    np.testing.assert_array_equal(cut(vectors, 2, normalise=True), np.array([[0, 0], [0.6, 0.8]], np.float32))
    assert vectors[1, 0] == 3


@pytest.mark.parametrize(
    ("sizes", "shown"), [([32, 8], "32, 8"), ([8, 8], "8, 8"), ([0], "0")], ids=["too large", "repeated", "zero"]
)
def test_sizes_that_make_no_sense(benchmark: Benchmark, sizes: list[int], shown: str) -> None:
    whole, _ = encoders(benchmark, 5)
    with pytest.raises(ValueError, match="dimensions") as caught:
        Evaluation(dimensions=sizes)(whole, benchmark)
    assert str(caught.value) == (
        f"evaluation.dimensions: {shown}; give different sizes from 1 to 24, the encoder's own"
    )


def test_a_lexical_encoder_has_none(benchmark: Benchmark) -> None:
    with pytest.raises(
        ValueError, match=r"^dimensions cut dense vectors, and a lexical encoder has none: leave them out$"
    ):
        Evaluation(dimensions=[8])(BM25(), benchmark)

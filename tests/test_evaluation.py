"""From texts to vectors, and from there to metrics."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from babelbatch.encoder import Encoder, Settings, static, tiny
from babelbatch.encoding import encode, length_sorted_batches
from babelbatch.evaluation import Evaluation
from babelbatch.records import Benchmark

TEXTS = ["red green blue", "green", "blue and grey and white and black", "green", "grün und blau", "red green blue", ""]


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return tiny(TEXTS, vocab_size=60, hidden_size=16, layers=1, heads=2)


@pytest.mark.parametrize("token_budget", [1, 12, 16_384])
def test_encode_is_each_text_on_its_own(encoder, token_budget):
    found = encode(encoder, TEXTS, "passage", token_budget)
    assert found.shape == (7, 16)
    assert found.dtype == np.float32
    alone = np.concatenate([encode(encoder, [text], "passage", 1_000) for text in TEXTS])
    np.testing.assert_allclose(found, alone, atol=1e-5)
    assert len({tuple(vector.round(4)) for vector in found}) == 5  # and texts differ
    assert np.array_equal(found[0], found[5])
    assert np.array_equal(found[1], found[3])


def test_each_distinct_text_is_encoded_once(encoder):
    batches: list[list[list[int]]] = []
    encoder.register_forward_hook(lambda module, arguments, output: batches.append(arguments[0].input_ids.tolist()))
    encode(encoder, TEXTS, "passage", 16_384)
    assert [len(batch) for batch in batches] == [5]
    encode(encoder, TEXTS, "passage", 1)
    assert [len(batch) for batch in batches[1:]] == [1] * 5
    # In batches of one there is no padding: longest first.
    lengths = [len(batch[0]) for batch in batches[1:]]
    assert lengths == sorted(lengths, reverse=True)


def test_texts_that_the_tokenizer_cannot_tell_apart(encoder):
    """Two unknown characters, and a text that is cut off where it differs, are one text each."""
    batches: list[int] = []
    encoder.register_forward_hook(lambda module, arguments, output: batches.append(len(output)))
    long = "green " * 100
    found = encode(encoder, ["☃", long + "red", "☂", long + "blue"], "passage", 16_384)
    assert batches == [2]
    assert np.array_equal(found[0], found[2])
    assert np.array_equal(found[1], found[3])
    assert not np.allclose(found[0], found[1])


@pytest.mark.parametrize("training", [True, False])
def test_encode_leaves_the_training_mode(encoder, training):
    encoder.train(training)
    first = encode(encoder, TEXTS, "question", 100)
    assert np.array_equal(first, encode(encoder, TEXTS, "question", 100))  # no dropout in between
    assert all(module.training is training for module in encoder.modules())


def test_encode_keeps_no_graph_and_no_gradient(encoder):
    encode(encoder, TEXTS, "question", 100)
    assert all(parameter.grad is None for parameter in encoder.parameters())


@pytest.mark.parametrize("damage", [float("nan"), float("inf")])
def test_vectors_that_are_not_finite(encoder, damage):
    with torch.no_grad():
        next(encoder.parameters())[:] = damage
    message = "the encoder gives vectors that are not finite: its weights are damaged, or training diverged"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        encode(encoder, TEXTS, "question", 100)
    assert encoder.training


def test_prefixes_and_lengths_follow_the_role():
    made = static(TEXTS, vocab_size=60, hidden_size=16)
    backbone = made.towers["question"].backbone

    def vectors(text: str, role: str, **settings: object) -> np.ndarray:
        return encode(Encoder(backbone, made.tokenizer, Settings(**settings)), [text], role, 1_000)

    asked = {"question_prefix": "red ", "passage_prefix": "blue ", "question_length": 4}
    assert np.array_equal(vectors("green", "question", **asked), vectors("red green", "question"))
    assert np.array_equal(vectors("green", "passage", **asked), vectors("blue green", "question"))
    assert np.array_equal(vectors("green white black", "question", **asked), vectors("red green", "passage"))


def test_evaluation_from_texts_to_metrics():
    """A bag of words: each question has the words of its answer. German a is found everywhere, English a as well."""
    words = {
        "de_a": "eins zwei",
        "en_a": "eins two",
        "en_b": "five",
        "en_b2": "five five",
        "zh_c": "八",
        "de_c": "八 neun",
    }
    ids = list(words)
    relevant = [["de_a", "en_a"], ["de_a", "en_a"], ["en_b", "en_b2"], ["zh_c", "de_c"]]
    benchmark = Benchmark(
        name="small",
        languages=("de", "en", "zh"),
        query_ids=("a", "a", "b", "c"),
        query_texts=("eins zwei", "eins two", "five", "八"),
        query_languages=np.array([0, 1, 1, 2], np.int16),
        candidate_ids=tuple(ids),
        candidate_texts=tuple(words.values()),
        candidate_languages=np.array([["de", "en", "zh"].index(id_[:2]) for id_ in ids], np.int16),
        relevant_offsets=np.array([0, 2, 4, 6, 8]),
        relevant=np.array([ids.index(id_) for row in relevant for id_ in row]),
        protocol="made by hand",
    )
    torch.manual_seed(0)
    encoder = static([*benchmark.query_texts, *benchmark.candidate_texts], vocab_size=100, hidden_size=256)
    found = Evaluation(token_budget=8)(encoder, benchmark).metrics
    assert found["small/monolingual/map"] == 1
    assert found["small/crosslingual/map"] == 1
    assert found["small/multilingual/map"] == 1
    assert found["small/multilingual/recall@1"] == 1 / 2
    assert found["small/multilingual/rank_distance"] == 1


@given(st.lists(st.integers(1, 300), max_size=200), st.integers(1, 2_000))
def test_batches_cover_all_rows_within_the_budget(lengths, token_budget):
    batches = list(length_sorted_batches(np.array(lengths, np.int64), token_budget))
    assert sorted(row for batch in batches for row in batch.tolist()) == list(range(len(lengths)))
    longest = [max(lengths[row] for row in batch) for batch in batches]
    assert all(
        len(batch) == 1 or len(batch) * most <= token_budget for batch, most in zip(batches, longest, strict=True)
    )
    in_order = [lengths[row] for batch in batches for row in batch]
    assert in_order == sorted(lengths, reverse=True)
    # No batch could have held the next row as well.
    assert all((len(batch) + 1) * most > token_budget for batch, most in zip(batches[:-1], longest, strict=False))


def test_batches_by_hand():
    """Longest first; rows of equal length in their order. 10 tokens hold 1 row of 9, 2 of 5, 5 of 2."""
    batches = length_sorted_batches(np.array([2, 5, 9, 2, 5, 2, 11]), 10)
    assert [batch.tolist() for batch in batches] == [[6], [2], [1, 4], [0, 3, 5]]

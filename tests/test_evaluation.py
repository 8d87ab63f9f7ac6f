"""Every metric key of a benchmark small enough for arithmetic, and the encoding that comes before."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from babelbatch.encoder import Encoder, Settings, static, tiny
from babelbatch.evaluation import Evaluation, encode, length_sorted_batches, score
from babelbatch.ranking import Ranks
from babelbatch.records import Benchmark

# Question a in German and English, b in English only (with two answers there), c in Chinese only (with an answer in
# German). Nothing is to be found in Chinese for German and English, nor in English for Chinese.
QUERIES = [  # id, language, relevant candidates
    ("a", "de", ["de_a", "en_a"]),
    ("a", "en", ["de_a", "en_a"]),
    ("b", "en", ["en_b", "en_b2"]),
    ("c", "zh", ["zh_c", "de_c"]),
]
CANDIDATES = ("de_a", "de_c", "en_a", "en_b", "en_b2", "zh_c")
# Ranks of the relevant candidates, as if there were many more than these six.
WITHIN_LANGUAGE = [[2, 1], [1, 3], [1, 3], [1, 25]]
IN_POOL = [[5, 1], [2, 6], [1, 4], [3, 30]]


def small(languages: tuple[str, ...] = ("de", "en", "zh"), asked: tuple[int, ...] = (0, 1, 2, 3)) -> Benchmark:
    queries = [QUERIES[row] for row in asked]
    return Benchmark(
        name="small",
        languages=languages,
        query_ids=tuple(id_ for id_, _, _ in queries),
        query_texts=tuple(f"{id_} in {language}" for id_, language, _ in queries),
        query_languages=np.array([languages.index(language) for _, language, _ in queries], np.int16),
        candidate_ids=CANDIDATES,
        candidate_texts=CANDIDATES,
        candidate_languages=np.array([languages.index(id_[:2]) for id_ in CANDIDATES], np.int16),
        relevant_offsets=np.cumsum([0, *(len(relevant) for _, _, relevant in queries)]),
        relevant=np.array([CANDIDATES.index(id_) for _, _, relevant in queries for id_ in relevant]),
        protocol="made by hand",
    )


def ranks(asked: tuple[int, ...] = (0, 1, 2, 3)) -> Ranks:
    return Ranks(*(np.concatenate([table[row] for row in asked]) for table in (WITHIN_LANGUAGE, IN_POOL)))


EXPECTED = {
    "monolingual": {
        # English: a at 3; b at 1 and 3.
        "map": {"": (1 / 2 + 7 / 12 + 1) / 3, "de": 1 / 2, "en": (1 / 3 + (1 + 2 / 3) / 2) / 2, "zh": 1},
        "map@20": {"": (1 / 2 + 7 / 12 + 1) / 3, "de": 1 / 2, "en": 7 / 12, "zh": 1},
        "recall@1": {"": (0 + 1 / 4 + 1) / 3, "de": 0, "en": (0 + 1 / 2) / 2, "zh": 1},
        "recall@10": {"": 1, "de": 1, "en": 1, "zh": 1},
    },
    "crosslingual": {
        # A mean over the three cells that have a question, not over six.
        "map": {
            "": (1 + 1 + 1 / 25) / 3, "de": 1, "en": 1, "zh": 1 / 25, "de-en": 1, "en-de": 1, "zh-de": 1 / 25,
        },
        "map@20": {"": 2 / 3, "de": 1, "en": 1, "zh": 0, "de-en": 1, "en-de": 1, "zh-de": 0},
        "recall@1": {"": 2 / 3, "de": 1, "en": 1, "zh": 0, "de-en": 1, "en-de": 1, "zh-de": 0},
        "recall@10": {"": 2 / 3, "de": 1, "en": 1, "zh": 0, "de-en": 1, "en-de": 1, "zh-de": 0},
    },
    "multilingual": {
        # A mean over question languages: the two English questions do not count twice.
        "map": {
            "": (7 / 10 + 7 / 12 + 1 / 5) / 3,
            "de": (1 + 2 / 5) / 2,
            "en": ((1 / 2 + 2 / 6) / 2 + (1 + 2 / 4) / 2) / 2,
            "zh": (1 / 3 + 2 / 30) / 2,
        },
        "map@20": {"": (7 / 10 + 7 / 12 + 1 / 6) / 3, "de": 7 / 10, "en": 7 / 12, "zh": 1 / 3 / 2},
        "recall@1": {"": (1 / 2 + 1 / 4 + 0) / 3, "de": 1 / 2, "en": 1 / 4, "zh": 0},
        "recall@10": {"": (1 + 1 + 1 / 2) / 3, "de": 1, "en": 1, "zh": 1 / 2},
        "rank_distance": {"": (4 + 7 / 2 + 27) / 3, "de": 4, "en": (4 + 3) / 2, "zh": 27},
        "rank_distance_normalised": {"": 11.5 / 5, "de": 4 / 5, "en": 3.5 / 5, "zh": 27 / 5},
    },
}  # fmt: skip


def test_every_key():
    found = score(small(), ranks()).metrics
    expected = {
        f"small/{setting}/{metric}" + (f"/{part}" if part else ""): value
        for setting, metrics in EXPECTED.items()
        for metric, parts in metrics.items()
        for part, value in parts.items()
    }
    assert found.keys() == expected.keys()
    assert len(found) == 68
    assert found == pytest.approx(expected)
    assert all(type(value) is float for value in found.values())


def test_matrices():
    result = score(small(), ranks())
    nan = np.nan
    assert (result.benchmark, result.languages) == ("small", ("de", "en", "zh"))
    assert result.matrices.keys() == {"map", "map@20", "recall@1", "recall@10"}
    np.testing.assert_allclose(result.matrices["map"], [[1 / 2, 1, nan], [1, 7 / 12, nan], [1 / 25, nan, 1]])
    np.testing.assert_allclose(result.matrices["recall@1"], [[0, 1, nan], [1, 1 / 4, nan], [0, nan, 1]])


def test_per_query():
    table = score(small(), ranks()).per_query
    assert table.column_names == [
        "benchmark", "setting", "query_id", "query_language", "candidate_language",
        "map", "map@20", "recall@1", "recall@10", "rank_distance", "rank_distance_normalised",
    ]  # fmt: skip
    assert set(table["benchmark"].to_pylist()) == {"small"}
    rows = list(zip(*(table[name].to_pylist() for name in table.column_names[1:]), strict=True))
    mono, cross, pool = "monolingual", "crosslingual", "multilingual"
    expected = [
        (mono, "a", "de", "de", 1 / 2, 1 / 2, 0, 1, None, None),
        (cross, "a", "de", "en", 1, 1, 1, 1, None, None),
        (cross, "a", "en", "de", 1, 1, 1, 1, None, None),
        (mono, "a", "en", "en", 1 / 3, 1 / 3, 0, 1, None, None),
        (mono, "b", "en", "en", 5 / 6, 5 / 6, 1 / 2, 1, None, None),
        (cross, "c", "zh", "de", 1 / 25, 0, 0, 0, None, None),
        (mono, "c", "zh", "zh", 1, 1, 1, 1, None, None),
        (pool, "a", "de", None, 7 / 10, 7 / 10, 1 / 2, 1, 4, 4 / 5),
        (pool, "a", "en", None, 5 / 12, 5 / 12, 0, 1, 4, 4 / 5),
        (pool, "b", "en", None, 3 / 4, 3 / 4, 1 / 2, 1, 3, 3 / 5),
        (pool, "c", "zh", None, 1 / 5, 1 / 6, 0, 1 / 2, 27, 27 / 5),
    ]
    assert [row[:4] for row in rows] == [row[:4] for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        assert row[4:] == pytest.approx(wanted[4:])


def test_the_mean_of_the_table_is_the_metric():
    result = score(small(), ranks())
    table = result.per_query.to_pylist()
    english = [row["map"] for row in table if (row["setting"], row["query_language"]) == ("multilingual", "en")]
    assert np.mean(english) == pytest.approx(result.metrics["small/multilingual/map/en"])


def test_the_order_of_languages_changes_no_metric():
    assert score(small(("zh", "en", "de")), ranks()).metrics == pytest.approx(score(small(), ranks()).metrics)


def test_a_language_that_is_only_searched():
    """Chinese has a candidate but asks nothing: no key for it, and no part in a mean."""
    asked = (0, 1, 2)
    found = score(small(asked=asked), ranks(asked)).metrics
    assert not [key for key in found if "zh" in key]
    assert found["small/multilingual/map"] == pytest.approx((7 / 10 + 7 / 12) / 2)
    assert found["small/monolingual/map"] == pytest.approx((1 / 2 + 7 / 12) / 2)
    assert found["small/crosslingual/map"] == pytest.approx(1)


def test_nothing_crosses():
    """b is answered in English alone: there is no crosslingual setting to report."""
    found = score(small(asked=(2,)), ranks((2,))).metrics
    assert {key.split("/")[1] for key in found} == {"monolingual", "multilingual"}


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
    plain = small()
    benchmark = Benchmark(
        **{name: getattr(plain, name) for name in plain.__slots__ if "texts" not in name},
        query_texts=("eins zwei", "eins two", "five", "八"),
        candidate_texts=tuple(words[id_] for id_ in CANDIDATES),
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

"""From texts to vectors, and from there to metrics."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from babelbatch.encoder import Encoder, static, tiny
from babelbatch.encoder.model import Settings
from babelbatch.evaluation.debias import debiased
from babelbatch.evaluation.encoding import default_token_budget, encode, length_sorted_batches, tokenise_texts
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.evaluation.query_sample import sample_queries
from babelbatch.evaluation.ranking import rank
from babelbatch.evaluation.scoring import score
from babelbatch.lexical import BM25
from babelbatch.progress import Work
from babelbatch.records import Benchmark
from babelbatch.search import vector_cache
from babelbatch.search.index import IVF
from babelbatch.training.callbacks import EvaluateRetrieval

TEXTS = ["red green blue", "green", "blue and grey and white and black", "green", "grün und blau", "red green blue", ""]


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return tiny(TEXTS, vocab_size=60, hidden_size=16, layers=1, heads=2)


@pytest.fixture
def in_order() -> Iterator[None]:
    """One thread, so one forward pass after the other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


def test_bfloat16_is_torch_s_autocast_and_has_its_own_cached_vectors(encoder, tmp_path):
    exact = encode(encoder, TEXTS, "query", cache=tmp_path)
    found = encode(encoder, TEXTS, "query", cache=tmp_path, precision="bfloat16")
    with torch.autocast("cpu", torch.bfloat16):
        expected = encode(encoder, TEXTS, "query")
    assert found.dtype == np.float32
    assert np.array_equal(found, expected)
    assert not np.array_equal(found, exact)
    np.testing.assert_allclose(found, exact, atol=0.02)
    assert len(list(tmp_path.glob("*.vectors"))) == 2


def test_a_cpu_has_smaller_forward_passes_than_a_gpu(encoder, in_order):
    batches: list[int] = []
    encoder.register_forward_hook(lambda module, arguments, output: batches.append(len(arguments[0].input_ids)))
    texts = [" ".join(pair) for pair in itertools.product(TEXTS, TEXTS, TEXTS)]
    longest = int(tokenise_texts(encoder, texts, "passage").lengths.max())
    encode(encoder, texts, "passage")
    assert batches[0] == 1_024 // longest
    assert default_token_budget(torch.device("cuda")) == 16_384


def test_each_distinct_text_is_encoded_once(encoder, in_order):
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
    first = encode(encoder, TEXTS, "query", 100)
    assert np.array_equal(first, encode(encoder, TEXTS, "query", 100))  # no dropout in between
    assert all(module.training is training for module in encoder.modules())


def test_encode_keeps_no_graph_and_no_gradient(encoder):
    encode(encoder, TEXTS, "query", 100)
    assert all(parameter.grad is None for parameter in encoder.parameters())


@pytest.mark.parametrize("damage", [float("nan"), float("inf")])
def test_vectors_that_are_not_finite(encoder, damage):
    with torch.no_grad():
        next(encoder.parameters())[:] = damage
    message = "the encoder gives vectors that are not finite: its weights are damaged, or training diverged"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        encode(encoder, TEXTS, "query", 100)
    assert encoder.training


def test_prefixes_and_lengths_follow_the_role():
    made = static(TEXTS, vocab_size=60, hidden_size=16)
    backbone = made.towers["query"].backbone

    def vectors(text: str, role: str, **settings: object) -> np.ndarray:
        return encode(Encoder(backbone, made.tokenizer, Settings(**settings)), [text], role, 1_000)

    asked = {"query_prefix": "red ", "passage_prefix": "blue ", "query_length": 4}
    assert np.array_equal(vectors("green", "query", **asked), vectors("red green", "query"))
    assert np.array_equal(vectors("green", "passage", **asked), vectors("blue green", "query"))
    assert np.array_equal(vectors("green white black", "query", **asked), vectors("red green", "passage"))


def words() -> Benchmark:
    """A bag of words: each query has the words of its answer. German a is found everywhere, English a as well."""
    texts = {
        "de_a": "eins zwei",
        "en_a": "eins two",
        "en_b": "five",
        "en_b2": "five five",
        "zh_c": "八",
        "de_c": "八 neun",
    }
    ids = list(texts)
    relevant = [["de_a", "en_a"], ["de_a", "en_a"], ["en_b", "en_b2"], ["zh_c", "de_c"]]
    return Benchmark(
        name="small",
        languages=("de", "en", "zh"),
        query_ids=("a", "a", "b", "c"),
        query_texts=("eins zwei", "eins two", "five", "八"),
        query_languages=np.array([0, 1, 1, 2], np.int16),
        candidate_ids=tuple(ids),
        candidate_texts=tuple(texts.values()),
        candidate_languages=np.array([["de", "en", "zh"].index(id_[:2]) for id_ in ids], np.int16),
        relevant_offsets=np.array([0, 2, 4, 6, 8]),
        relevant=np.array([ids.index(id_) for row in relevant for id_ in row]),
        protocol="made by hand",
    )


def bag_of_words(benchmark: Benchmark) -> Encoder:
    torch.manual_seed(0)
    return static([*benchmark.query_texts, *benchmark.candidate_texts], vocab_size=100, hidden_size=256)


def test_evaluation_from_texts_to_metrics():
    found = Evaluation(token_budget=8)(bag_of_words(words()), words()).metrics
    assert found["small/monolingual/map"] == 1
    assert found["small/crosslingual/map"] == 1
    assert found["small/multilingual/map"] == 1
    assert found["small/multilingual/recall@1"] == 1 / 2
    assert found["small/multilingual/rank_distance"] == 1
    assert found["small/multilingual/language_preference"] == 1  # a is nearest as it is written in its language


def count_encoded(encoder: Encoder) -> list[int]:
    counts: list[int] = []
    encoder.register_forward_hook(lambda module, arguments, output: counts.append(len(output)))
    return counts


def test_vectors_are_kept_and_read_again(encoder, tmp_path):
    first = encode(encoder, TEXTS, "passage", 100, tmp_path)
    encoded = count_encoded(encoder)
    assert np.array_equal(encode(encoder, TEXTS, "passage", 100, tmp_path), first)
    assert encoded == []
    assert np.array_equal(encode(encoder, TEXTS, "passage", 100), first)
    assert sum(encoded) == 5


def test_whatever_vectors_depend_on_makes_them_anew(encoder, tmp_path):
    encode(encoder, TEXTS, "passage", 100, tmp_path)
    encoded = count_encoded(encoder)
    encode(encoder, [*TEXTS[:-1], "blue"], "passage", 100, tmp_path)  # a text
    assert len(encoded) > 0
    encoded.clear()
    encode(encoder, TEXTS, "passage", 7, tmp_path)  # what may round otherwise
    assert len(encoded) > 0
    encoded.clear()
    prefixed = Encoder(encoder.towers["passage"].backbone, encoder.tokenizer, Settings(passage_prefix="red "))
    counts = count_encoded(prefixed)
    encode(prefixed, TEXTS, "passage", 100, tmp_path)  # a setting
    assert len(counts) > 0
    with torch.no_grad():
        list(encoder.parameters())[-1].view(-1)[0] += 1e-3
    encode(encoder, TEXTS, "passage", 100, tmp_path)  # one weight
    assert len(encoded) > 0
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("damage", ["cut", "altered", "empty", "other"])
def test_a_damaged_file_is_made_again(encoder, tmp_path, damage, caplog):
    expected = encode(encoder, TEXTS, "passage", 100, tmp_path)
    (file,) = tmp_path.iterdir()
    good = file.read_bytes()
    altered = bytearray(good)
    altered[-50] ^= 1
    file.write_bytes({"cut": good[:-40], "altered": bytes(altered), "empty": b"", "other": b"no array" * 50}[damage])
    encoded = count_encoded(encoder)
    assert np.array_equal(encode(encoder, TEXTS, "passage", 100, tmp_path), expected)
    assert sum(encoded) == 5
    assert "cannot be used" in caplog.text
    assert file.read_bytes() == good


def test_a_cache_that_cannot_be_written(encoder, tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert np.array_equal(encode(encoder, TEXTS, "passage", 100, blocked), encode(encoder, TEXTS, "passage", 100))
    assert "vectors cannot be kept" in caplog.text


def test_the_cache_is_bounded(tmp_path, monkeypatch):
    """Three files of 1,056 bytes and some; two fit. The one that was not used for longest goes."""
    vectors = np.ones((16, 16), np.float32)
    vector_cache.save(tmp_path, "a", vectors)
    vector_cache.save(tmp_path, "b", vectors)
    monkeypatch.setattr(vector_cache, "MOST_BYTES", 2 * (tmp_path / "a.vectors").stat().st_size)
    for name, time in (("a", 1), ("b", 2)):
        os.utime(tmp_path / f"{name}.vectors", (time, time))
    assert vector_cache.load(tmp_path, "a", (16, 16)) is not None
    vector_cache.save(tmp_path, "c", vectors)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.vectors", "c.vectors"]


def test_the_evaluation_keeps_vectors_only_if_asked_and_only_of_the_end(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path))
    encoder = bag_of_words(words())
    plain = Evaluation()(encoder, words()).metrics
    Evaluation(vector_cache=True).during_training(encoder, words())
    assert not (tmp_path / "vectors").exists()
    assert Evaluation(vector_cache=True)(encoder, words()).metrics == plain
    assert len(list((tmp_path / "vectors").iterdir())) == 2
    encoded = count_encoded(encoder)
    assert Evaluation(vector_cache=True)(encoder, words()).metrics == plain
    assert encoded == []


def test_a_sample_is_for_training_only():
    encoder = bag_of_words(words())
    sampling = Evaluation(sample_queries=1)
    assert sampling.during_training(encoder, words()).per_query["query_id"].unique().to_pylist() in (
        ["a"],
        ["b"],
        ["c"],
    )
    assert sampling(encoder, words()).metrics == Evaluation()(encoder, words()).metrics
    assert sampling(encoder, words()).per_query.equals(Evaluation()(encoder, words()).per_query)
    assert Evaluation().during_training(encoder, words()).metrics == Evaluation()(encoder, words()).metrics


def test_the_callback_evaluates_the_sample():
    logged: dict[str, float] = {}
    evaluation = Evaluation(sample_queries=1)
    encoder = bag_of_words(words())
    callback = EvaluateRetrieval({"small": words()}, evaluation, during_training=True)
    learner = SimpleNamespace(whole_encoder=lambda: encoder, log_dict=lambda metrics, sync_dist: logged.update(metrics))
    callback.on_validation_epoch_end(SimpleNamespace(sanity_checking=False), learner)
    assert logged == evaluation.during_training(encoder, words()).metrics
    assert logged.keys() < Evaluation()(encoder, words()).metrics.keys()


def test_questions_are_sampled_by_id():
    """All versions of a query, and the ranks that it has among all."""
    sample = sample_queries(words(), 2, seed=1)
    assert len(set(sample.query_ids)) == 2
    assert sample.candidate_ids == words().candidate_ids
    answers = {}
    for benchmark in (words(), sample):
        offsets = benchmark.relevant_offsets
        for row, key in enumerate(zip(benchmark.query_ids, benchmark.query_texts, strict=True)):
            relevant = benchmark.relevant[offsets[row] : offsets[row + 1]].tolist()
            assert answers.setdefault(key, relevant) == relevant
    assert len(answers) == 4
    assert sample_queries(words(), 3).query_ids == words().query_ids
    drawn = {sample_queries(words(), 1, seed).query_ids for seed in range(20)}
    assert drawn == {("a", "a"), ("b",), ("c",)}
    assert sample_queries(words(), 2, 5).query_ids == sample_queries(words(), 2, 5).query_ids


def test_debiased_vectors_are_what_is_ranked():
    """Of query a, and of the pool without Chinese, which has one candidate and nothing to fit on."""
    encoder, benchmark = bag_of_words(words()), words()
    with pytest.raises(ValueError, match=r"^evaluation\.debias: .* but 1 candidates to fit centre on"):
        Evaluation(debias="centre")(encoder, benchmark)
    rows = np.flatnonzero(benchmark.candidate_languages < 2)
    small = replace(
        benchmark,
        languages=("de", "en"),
        query_ids=benchmark.query_ids[:2],
        query_texts=benchmark.query_texts[:2],
        query_languages=benchmark.query_languages[:2],
        candidate_ids=tuple(benchmark.candidate_ids[row] for row in rows),
        candidate_texts=tuple(benchmark.candidate_texts[row] for row in rows),
        candidate_languages=benchmark.candidate_languages[rows],
        relevant_offsets=benchmark.relevant_offsets[:3],
        relevant=np.searchsorted(rows, benchmark.relevant[:4]),
    )
    queries = encode(encoder, small.query_texts, "query", 100)
    candidates = encode(encoder, small.candidate_texts, "passage", 100)
    for method in ("centre", "lir"):
        found = Evaluation(token_budget=100, debias=method)(encoder, small)
        by_hand = debiased(method, queries, small.query_languages, candidates, small.candidate_languages)
        assert found.metrics == score(small, *rank(small, *by_hand, k=10)).metrics
        assert found.metrics != Evaluation()(encoder, small).metrics


def test_trec_files_are_written_if_asked_at_the_end(tmp_path):
    encoder = bag_of_words(words())
    Evaluation()(encoder, words(), tmp_path)
    Evaluation(trec_files=True).during_training(encoder, words())
    assert not list(tmp_path.iterdir())
    Evaluation(trec_files=True, trec_depth=2)(encoder, words(), tmp_path)
    settings = ("crosslingual", "monolingual", "multilingual")
    expected = [f"small_{setting}.{kind}" for setting in settings for kind in ("qrels", "run")]
    assert sorted(path.name for path in (tmp_path / "trec").iterdir()) == expected
    assert len((tmp_path / "trec" / "small_multilingual.run").read_text().splitlines()) == 8


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


def steps(works: list[Work]) -> set[str]:
    """The steps shown, each to its end: "ranking made" and so on, with N for numbers."""
    assert [work for work in works if work.total is not None and work.done != work.total] == []
    return {re.sub(r"[\d,]+", "N", work.description) for work in works}


def test_every_long_step_of_a_ranking_is_shown(encoder, works, tmp_path):
    Evaluation(trec_files=True)(encoder, words(), tmp_path)
    assert steps(works) == {
        "reading N texts", "tokenising queries", "tokenising passages", "comparing N texts",
        "encoding N queries", "encoding N passages", "comparing candidates", "ranking small",
        "writing the TREC files of small", "scoring small",
    }  # fmt: skip


def test_every_long_step_of_a_search_is_shown(encoder, works):
    Evaluation(index=IVF())(encoder, words())
    assert {
        "encoding the pool of small", "k-means of N lists", "building the index", "measuring the recall of the index",
        "searching small (all)", "searching small (en)", "scoring small",
    } <= steps(works)  # fmt: skip


def test_every_long_step_of_bm25_is_shown(works):
    Evaluation()(BM25(), words())
    assert steps(works) >= {"splitting N candidates into terms", "splitting N queries into terms", "indexing small"}


def test_a_benchmark_has_its_prompt() -> None:
    """The scores are those of an encoder with the prompt as its prefix, and cached vectors are not mixed up."""
    benchmark = words()
    other = replace(benchmark, name="other")

    def encoder(**settings: object) -> Encoder:
        torch.manual_seed(0)
        made = tiny(TEXTS, vocab_size=120, hidden_size=16, layers=1, heads=2)
        return Encoder(made.tower("query").backbone, made.tokenizer, Settings(**settings))

    evaluation = Evaluation(vector_cache=True)
    prompted = encoder(query_prefix="red ", query_prompts={benchmark.name: "green blue "})
    for of, prefix in ((benchmark, "green blue "), (other, "red ")):
        assert evaluation(prompted, of).metrics == Evaluation()(encoder(query_prefix=prefix), of).metrics
    mixed = replace(
        benchmark, query_tasks=tuple(["x", benchmark.name] * len(benchmark.query_ids))[: len(benchmark.query_ids)]
    )
    whole, _ = Evaluation()._vectors(prompted, mixed, None)
    for start, prefix in ((0, "red "), (1, "green blue ")):
        expected = encode(encoder(query_prefix=prefix), benchmark.query_texts, "query")
        np.testing.assert_allclose(whole[start::2], expected[start::2], atol=1e-6)
    sample = sample_queries(mixed, 1)
    assert sample.query_tasks is not None
    assert set(zip(sample.query_texts, sample.query_tasks, strict=True)) <= set(
        zip(mixed.query_texts, mixed.query_tasks or (), strict=True)
    )

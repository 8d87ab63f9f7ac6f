"""Evaluation by search beside the full ranking."""

from __future__ import annotations

import re

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from babelbatch.benchmarks.world_facts import load_benchmark
from babelbatch.encoder import Encoder, static
from babelbatch.evaluation import evaluation, search_ranking
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.evaluation.metrics import MISSED
from babelbatch.evaluation.ranking import rank
from babelbatch.evaluation.scoring import Result
from babelbatch.evaluation.search_ranking import ranks_in, search_ranks, storage_order
from babelbatch.records import Benchmark
from babelbatch.search.index import HNSW, IVF, NO_ROW, Exact
from babelbatch.search.vectors import Vectors, VectorWriter

NOT_SEARCHED = {"map", "rank_distance", "rank_distance_normalised", "language_preference", "mrc@10"}


@pytest.fixture(scope="module")
def facts() -> Benchmark:
    return load_benchmark(languages=["en", "de", "zh"])


@pytest.fixture(scope="module")
def encoder(facts: Benchmark) -> Encoder:
    torch.manual_seed(0)  # a vocabulary in which no two of the texts look alike
    return static([*facts.candidate_texts, *facts.query_texts], vocab_size=8_000, hidden_size=64)


@pytest.fixture(scope="module")
def full(encoder: Encoder, facts: Benchmark) -> Result:
    return Evaluation()(encoder, facts)


@pytest.mark.parametrize(("shard", "block"), [(65_536, 8_192), (1_000, 37)])
def test_exact_search_finds_the_numbers_of_the_full_ranking(encoder, facts, full, monkeypatch, tmp_path, shard, block):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path))
    monkeypatch.setattr(evaluation, "_SHARD_TEXTS", shard)
    monkeypatch.setattr(search_ranking, "_BLOCK_QUERIES", block)
    found = Evaluation(index=Exact())(encoder, facts)
    assert {key.split("/")[2] for key in full.metrics.keys() - found.metrics.keys()} == NOT_SEARCHED
    assert found.metrics == pytest.approx({key: full.metrics[key] for key in found.metrics}, rel=1e-6)
    for name, matrix in found.matrices.items():
        np.testing.assert_allclose(matrix, full.matrices[name], rtol=1e-6)
    assert found.per_query.schema == full.per_query.schema
    for name in found.per_query.column_names:
        if name in NOT_SEARCHED:
            assert found.per_query[name].null_count == len(found.per_query)
        elif name in full.matrices or name in {"peer@100", "same_language@10"}:
            ours, theirs = (table.per_query[name].to_numpy() for table in (found, full))  # NaN where null
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)
        else:
            assert pc.all(pc.equal(found.per_query[name], full.per_query[name])).as_py()
    assert found.facts == {"search/world_facts": "Exact"}
    assert list((tmp_path / "pools").iterdir()) == []  # the vectors are gone


@pytest.mark.parametrize("index", [IVF(lists=20, probes=4), HNSW(links=8, construction=16, search=16)])
def test_an_approximate_index_is_as_near_as_its_recall(encoder, facts, full, index, caplog):
    caplog.set_level("INFO", logger="babelbatch")
    found = Evaluation(index=index)(encoder, facts)
    recall = {key.removeprefix("search_recall/world_facts/"): value for key, value in found.facts.items()}
    assert recall.pop("search/world_facts") == type(index).__name__
    assert recall.keys() == {"en", "de", "zh", "all"}
    assert all(0.2 < value < 1 for value in recall.values())
    assert f"finds {100 * recall['all']:.1f}\xa0% over the pool of all languages" in caplog.text
    # What is missed cannot be found: recall@100 may gain nothing.
    for setting in ("monolingual", "crosslingual", "multilingual"):
        key = f"world_facts/{setting}/recall@100"
        assert found.metrics[key] <= full.metrics[key]
        assert found.metrics[key] > 0
    assert any(found.metrics[key] < full.metrics[key] for key in found.metrics if "/recall@100/" in key)


@pytest.mark.parametrize("part_rows", [None, 300])
def test_an_index_that_looks_everywhere_is_exact(encoder, facts, full, monkeypatch, tmp_path, part_rows):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path))
    monkeypatch.setattr(evaluation, "_SHARD_TEXTS", 150)
    found = Evaluation(index=IVF(lists=10, probes=10, part_rows=part_rows))(encoder, facts)
    assert list((tmp_path / "pools").iterdir()) == []
    assert found.facts["search_recall/world_facts/all"] == 1
    assert found.metrics == pytest.approx({key: full.metrics[key] for key in found.metrics}, rel=1e-6)


def small(texts: dict[str, str]) -> Benchmark:
    """One English query, answered by the last candidate; languages by the first two letters of the id."""
    return Benchmark(
        name="small",
        languages=("de", "en"),
        query_ids=("q",),
        query_texts=("?",),
        query_languages=np.array([1], np.int16),
        candidate_ids=tuple(texts),
        candidate_texts=tuple(texts.values()),
        candidate_languages=np.array([["de", "en"].index(id_[:2]) for id_ in texts], np.int16),
        relevant_offsets=np.array([0, 1]),
        relevant=np.array([len(texts) - 1]),
        protocol="made by hand",
    )


def written(folder, vectors: np.ndarray, order: np.ndarray, shard_rows: int) -> Vectors:
    writer = VectorWriter(folder, vectors.shape[1], "test", shard_rows)
    writer.append(vectors[order])
    return writer.close()


def test_equal_scores_rank_the_greater_id_first(tmp_path):
    benchmark = small({"en3": "", "de9": "", "en1": "", "de5": "", "en2": ""})
    order = storage_order(benchmark)
    assert [benchmark.candidate_ids[row] for row in order] == ["de9", "de5", "en3", "en2", "en1"]
    queries, candidates = np.ones((1, 2), np.float32), np.ones((5, 2), np.float32)
    found = search_ranks(benchmark, queries, written(tmp_path, candidates, order, 2), Exact(), 10)
    ranks, top = rank(benchmark, queries, candidates, k=10)
    assert found.ranks.within_language.tolist() == ranks.within_language.tolist() == [2]
    assert found.ranks.in_pool.tolist() == ranks.in_pool.tolist() == [2]  # en3, en2, en1, de9, de5
    assert found.top.tolist() == top.candidates.tolist() == [[0, 4, 2, 1, 3]]


def test_what_is_beyond_the_first_hundred_has_no_rank(tmp_path):
    texts = {f"de{number:03}": "" for number in range(60)} | {f"en{number:03}": "" for number in range(60)}
    benchmark = small(texts)
    candidates = -np.arange(120, dtype=np.float32)[:, None]  # the answer is last
    vectors = written(tmp_path, candidates, storage_order(benchmark), 7)
    found = search_ranks(benchmark, np.ones((1, 1), np.float32), vectors, Exact(), 10)
    assert found.ranks.within_language.tolist() == [60]
    assert found.ranks.in_pool.tolist() == [MISSED]
    assert found.top.tolist() == [list(range(10))]


def test_ranks_in_by_hand():
    rows = np.array([[4, 2, 7], [0, NO_ROW, NO_ROW], [7, 4, 9]])
    ranks = ranks_in(rows, np.array([0, 0, 1, 1, 2, 2]), np.array([7, 9, 0, 4, 4, 9]))
    assert ranks.tolist() == [3, MISSED, 1, MISSED, 2, 3]


def test_empty_places_are_of_no_language(tmp_path, facts, encoder):
    """One list of 300 is looked at: it holds fewer than the first hundred, and often than ten."""
    found = Evaluation(index=IVF(lists=300, probes=1))(encoder, facts)
    shares = found.matrices["top10_share"]
    assert (shares.sum(axis=1) <= 1 + 1e-9).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)  # of the places that there are
    assert found.per_query["recall@100"].null_count == 0


def test_what_needs_all_candidates_is_refused():
    for wrong in ({"debias": "centre"}, {"trec_files": True}):
        with pytest.raises(ValueError, match=re.escape("a search has neither debias nor trec_files")):
            Evaluation(index=Exact(), **wrong)

"""`from babelbatch import evaluate`: any encoder, or vectors, by one protocol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from babelbatch import evaluate, load
from babelbatch.benchmarks.from_rows import Judgement, Text, benchmark_from_rows
from babelbatch.benchmarks.world_facts import load_benchmark
from babelbatch.encoder import save, tiny
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.lexical import BM25
from babelbatch.python.evaluating import named_benchmark
from babelbatch.records import Benchmark
from babelbatch.search.index import Exact

FACTS = {
    "peru": {"en": ("capital of Peru", "Lima is in Peru"), "de": ("Hauptstadt von Peru", "Lima liegt in Peru")},
    "chad": {"en": ("capital of Chad", "Chad has N'Djamena"), "de": ("Hauptstadt des Tschad", "N'Djamena im Tschad")},
}


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    """Two queries and two passages, in English and German."""
    cells = [(name, language) for name in FACTS for language in ("en", "de")]
    return benchmark_from_rows(
        "facts",
        [Text(name, language, FACTS[name][language][0]) for name, language in cells],
        [Text(f"{name}-{language}", language, FACTS[name][language][1]) for name, language in cells],
        [Judgement(name, f"{name}-{language}") for name, language in cells],
        protocol="by hand",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, benchmark: Benchmark) -> Path:
    place = tmp_path_factory.mktemp("encoder")
    texts = [*benchmark.query_texts, *benchmark.candidate_texts]
    save(tiny(texts, vocab_size=120, hidden_size=16, heads=2, layers=1, dimensions=8), place)
    return place


def test_of_vectors_by_hand(benchmark: Benchmark) -> None:
    """Every query ranks Peru in English first, then Chad in German, Peru in German, Chad in English."""
    place = {"peru-en": 4.0, "chad-de": 3.0, "peru-de": 2.0, "chad-en": 1.0}
    candidates = np.array([[place[name]] for name in benchmark.candidate_ids])
    result = evaluate((np.ones((4, 1)), candidates), benchmark)
    peru, chad = (1 / 1 + 2 / 3) / 2, (1 / 2 + 2 / 4) / 2
    assert result.metrics["facts/multilingual/map"] == pytest.approx((peru + chad) / 2)
    assert result.metrics["facts/monolingual/map/en"] == pytest.approx((1 + 1 / 2) / 2)
    assert result.metrics["facts/monolingual/map/de"] == pytest.approx((1 / 2 + 1) / 2)
    assert result.metrics["facts/multilingual/rank_distance"] == 2
    rows = result.per_query.to_pandas()
    of_pool = rows[rows.setting == "multilingual"]
    assert dict(zip(of_pool.query_id, of_pool["map"], strict=True)) == pytest.approx({"peru": peru, "chad": chad})
    assert len(rows) == 4 + 4 + 4  # within, across, over the pool
    assert result.languages == ("de", "en") or result.languages == ("en", "de")


def test_an_encoder_of_ours_is_scored_as_by_the_command(folder: Path, benchmark: Benchmark) -> None:
    model = load(folder)
    expected = Evaluation()(model.encoder, benchmark)
    for encoder in (model, model.encoder):
        found = evaluate(encoder, benchmark)
        assert found.metrics == expected.metrics
        assert found.per_query.equals(expected.per_query)


def test_an_encoder_of_one_s_own_gets_each_text_once(folder: Path, benchmark: Benchmark) -> None:
    model, asked = load(folder), []

    class Own:
        def encode_queries(self, texts: list[str]) -> list[list[float]]:
            asked.append(texts)
            return model.encode_queries(texts).tolist()

        def encode_passages(self, texts: list[str]) -> np.ndarray:
            asked.append(texts)
            return model.encode_passages(texts).astype(np.float64)

    found = evaluate(Own(), benchmark)
    assert found.metrics == evaluate(model, benchmark).metrics
    assert [len(texts) for texts in asked] == [4, 4]
    assert all(len(set(texts)) == len(texts) for texts in asked)


def test_sentence_transformers_gets_the_same_scores(folder: Path, benchmark: Benchmark) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers", reason="the extra `bench` is not installed")
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    found = evaluate(theirs, benchmark, progress=False)
    assert found.metrics == pytest.approx(evaluate(load(folder), benchmark).metrics, abs=1e-5)


def test_a_lexical_encoder(benchmark: Benchmark) -> None:
    assert evaluate(BM25(), benchmark).metrics["facts/monolingual/map/en"] == 1


def test_debias_is_that_of_the_evaluation(folder: Path, benchmark: Benchmark) -> None:
    model, centred = load(folder), Evaluation(debias="centre")
    vectors = model.encode_queries(benchmark.query_texts), model.encode_passages(benchmark.candidate_texts)
    found = evaluate(vectors, benchmark, centred)
    assert found.metrics == centred(model.encoder, benchmark).metrics
    assert not found.per_query.equals(evaluate(vectors, benchmark).per_query)


def test_a_benchmark_by_its_name() -> None:
    benchmark = named_benchmark("world_facts")
    assert benchmark.name == "world_facts"
    assert benchmark.fingerprint == load_benchmark().fingerprint
    with pytest.raises(ValueError, match=r"^benchmarks: no option 'world_fact', did you mean 'world_facts'\? \(there"):
        evaluate(BM25(), "world_fact")
    with pytest.raises(ValueError, match=r"^benchmarks.table.path: missing; set it to a folder, or"):
        evaluate(BM25(), "table")


@pytest.mark.parametrize(
    ("queries", "candidates", "message"),
    [
        (np.ones((3, 2)), np.ones((4, 2)),
         "vectors: those of the queries have the shape (3, 2); give a matrix of 4 rows, one for each of the queries, "
         "in their order"),
        (np.ones((4, 2)), np.ones(4),
         "vectors: those of the candidates have the shape (4,); give a matrix of 4 rows, one for each of the "
         "candidates, in their order"),
        (np.ones((4, 2)), np.ones((4, 3)),
         "vectors: queries have 2 dimensions, candidates 3; encode both with one encoder"),
        (np.full((4, 2), np.nan), np.ones((4, 2)), "vectors: those of the queries are not finite; encode them again"),
        ([["a"]] * 4, np.ones((4, 1)),
         "vectors: those of the queries are no matrix of numbers (could not convert string to float: 'a'); "
         "give numpy arrays"),
    ],
)  # fmt: skip
def test_vectors_that_do_not_fit_are_refused(
    benchmark: Benchmark, queries: np.ndarray, candidates: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=r"^vectors: ") as refused:
        evaluate((queries, candidates), benchmark)
    assert str(refused.value) == message


def test_what_is_no_encoder_is_refused(benchmark: Benchmark) -> None:
    with pytest.raises(ValueError, match=r"^encoder: a dict has neither encode_queries and encode_passages nor, as "):
        evaluate({}, benchmark)
    with pytest.raises(ValueError, match=r"^encoder: a tuple of 3; give a pair, the vectors of queries and of"):
        evaluate((1, 2, 3), benchmark)
    with pytest.raises(
        ValueError, match=r"^evaluation: an index searches what babelbatch encodes itself; set index=Non"
    ):
        evaluate((np.ones((4, 1)), np.ones((4, 1))), benchmark, Evaluation(index=Exact()))

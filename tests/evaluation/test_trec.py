"""Files for trec_eval, read back by pytrec_eval: it has to find our numbers."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import pytrec_eval

from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.evaluation.ranking import rank
from babelbatch.evaluation.scoring import score
from babelbatch.evaluation.trec import write_trec
from babelbatch.records import Benchmark, MissingRelevant

LANGUAGES = ("de", "en", "zh")


def made() -> tuple[Benchmark, np.ndarray, np.ndarray]:
    """12 queries in three languages, c asked of two only; 90 candidates, many of them tied by small whole numbers."""
    random = np.random.default_rng(0)
    queries = [(f"q{number}", language) for number in range(12) for language in range(3) if (number + language) % 5]
    relevant = {f"q{number}": random.choice(90, 1 + number % 4, replace=False).tolist() for number in range(12)}
    benchmark = Benchmark(
        name="made",
        languages=LANGUAGES,
        query_ids=tuple(id_ for id_, _ in queries),
        query_texts=("",) * len(queries),
        query_languages=np.array([language for _, language in queries], np.int16),
        candidate_ids=tuple(f"d{number}" for number in random.permutation(90)),
        candidate_texts=("",) * 90,
        candidate_languages=random.integers(0, 3, 90).astype(np.int16),
        relevant_offsets=np.cumsum([0, *(len(relevant[id_]) for id_, _ in queries)]),
        relevant=np.array([row for id_, _ in queries for row in relevant[id_]]),
        protocol="made at random",
    )
    vectors = [random.integers(-2, 3, (rows, 6)).astype(np.float32) / 4 for rows in (len(queries), 90)]
    return benchmark, *vectors


def read(folder, setting: str) -> tuple[dict, dict]:
    with open(folder / f"made_{setting}.run") as run, open(folder / f"made_{setting}.qrels") as qrels:
        return pytrec_eval.parse_run(run), pytrec_eval.parse_qrel(qrels)


@pytest.mark.parametrize("setting", ["monolingual", "crosslingual", "multilingual"])
def test_pytrec_eval_finds_our_numbers(tmp_path, setting):
    benchmark, queries, candidates = made()
    write_trec(tmp_path, benchmark, queries, candidates, depth=1_000)
    run, qrels = read(tmp_path, setting)
    found = pytrec_eval.RelevanceEvaluator(qrels, {"map", "ndcg_cut.10", "recall.1,10"}).evaluate(run)
    table = score(benchmark, *rank(benchmark, queries, candidates, k=10)).per_query.to_pylist()
    rows = [row for row in table if row["setting"] == setting]
    assert len(found) == len(rows) > 10
    for row in rows:
        cell = f"-{row['candidate_language']}" if setting == "crosslingual" else ""
        theirs = found[f"{row['query_id']}/{row['query_language']}{cell}"]
        for ours, name in (
            ("map", "map"),
            ("ndcg@10", "ndcg_cut_10"),
            ("recall@1", "recall_1"),
            ("recall@10", "recall_10"),
        ):
            assert row[ours] == pytest.approx(theirs[name], abs=1e-9)


def test_grades_are_written(tmp_path):
    benchmark, queries, candidates = made()
    graded = replace(benchmark, gains=np.random.default_rng(1).integers(1, 4, len(benchmark.relevant)).astype(float))
    write_trec(tmp_path, graded, queries, candidates, depth=1_000)
    run, qrels = read(tmp_path, "multilingual")
    assert {gain for judged in qrels.values() for gain in judged.values()} == {1, 2, 3}
    found = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10,20", "recip_rank"}).evaluate(run)
    table = score(graded, *rank(graded, queries, candidates, k=10)).per_query.to_pylist()
    for row in (row for row in table if row["setting"] == "multilingual"):
        theirs = found[f"{row['query_id']}/{row['query_language']}"]
        for ours, name in (("ndcg@10", "ndcg_cut_10"), ("ndcg@20", "ndcg_cut_20"), ("mrr@100", "recip_rank")):
            assert row[ours] == pytest.approx(theirs[name], abs=1e-9)


def test_a_depth_cuts_rankings_but_no_judgements(tmp_path):
    benchmark, queries, candidates = made()
    write_trec(tmp_path, benchmark, queries, candidates, depth=10)
    run, qrels = read(tmp_path, "multilingual")
    assert {len(ranking) for ranking in run.values()} == {10}
    assert sum(map(len, qrels.values())) == len(benchmark.relevant)
    found = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.10"}).evaluate(run)
    table = score(benchmark, *rank(benchmark, queries, candidates, k=10)).per_query.to_pylist()
    for row in table:
        if row["setting"] == "multilingual":
            theirs = found[f"{row['query_id']}/{row['query_language']}"]
            assert (row["ndcg@10"], row["recall@10"]) == pytest.approx((theirs["ndcg_cut_10"], theirs["recall_10"]))


def test_the_lines(tmp_path):
    benchmark, queries, candidates = made()
    write_trec(tmp_path, benchmark, queries, candidates, depth=2)
    lines = (tmp_path / "made_multilingual.run").read_text().splitlines()
    name, q0, candidate, place, value, tag = lines[1].split(" ")
    assert (name, q0, place, tag) == ("q0/en", "Q0", "2", "babelbatch")
    row = benchmark.candidate_ids.index(candidate)
    assert float(value) == pytest.approx(float(queries[0] @ candidates[row]))


def test_grades_that_trec_eval_would_read_as_others(tmp_path):
    benchmark, queries, candidates = made()
    gains = np.ones(len(benchmark.relevant))
    write_trec(tmp_path, replace(benchmark, gains=gains * 1_000_000), queries, candidates, depth=10)
    _, qrels = read(tmp_path, "multilingual")
    assert {gain for judged in qrels.values() for gain in judged.values()} == {1_000_000}
    gains[3] = 0.5
    message = (
        "benchmark made: TREC files cannot hold the grade 0.5, since trec_eval reads whole numbers; multiply the "
        "grades, or set evaluation.trec_files=false"
    )
    missing = MissingRelevant((0,), ("gone",), (0.5,))
    for broken in (replace(benchmark, gains=gains), replace(benchmark, missing=missing)):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            write_trec(tmp_path / "none", broken, queries, candidates, 10)
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            Evaluation(trec_files=True)(None, broken, tmp_path / "none")  # before it looks at the encoder
    assert not (tmp_path / "none").exists()


def test_ids_that_the_format_cannot_hold(tmp_path):
    benchmark, queries, candidates = made()
    gone = replace(benchmark, missing=MissingRelevant((0,), ("doc 7",), (1.0,)))
    with pytest.raises(ValueError, match=r"^benchmark made: TREC files cannot hold the id 'doc 7', which has a space"):
        write_trec(tmp_path, gone, queries, candidates, 10)
    spaced = replace(benchmark, candidate_ids=("a b", *benchmark.candidate_ids[1:]))
    with pytest.raises(ValueError, match=r"^benchmark made: TREC files cannot hold the id 'a b', which has a space"):
        write_trec(tmp_path, spaced, queries, candidates, 10)
    twice = replace(benchmark, query_ids=("q0",) * len(benchmark.query_ids))
    with pytest.raises(ValueError, match=r"cannot hold query q0/\w\w twice; rename one"):
        write_trec(tmp_path, twice, queries, candidates, 10)
    assert not list(tmp_path.iterdir())

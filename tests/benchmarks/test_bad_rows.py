"""Published benchmarks have faults that their users cannot mend: what is refused, what is left out, and the scores."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval

from babelbatch.benchmarks.table import load_benchmark
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.evaluation.query_sample import sample_queries
from babelbatch.records import ABSENT, Benchmark, MissingRelevant
from babelbatch.runs.results import benchmark_facts
from babelbatch.search.index import Exact

Row = dict[str, object]
MEASURES = {
    "map": "map", "ndcg@10": "ndcg_cut_10", "recall@1": "recall_1", "recall@10": "recall_10",
    "recall@100": "recall_100",
}  # fmt: skip
CANDIDATES = [{"_id": f"d{number}", "text": f"Passage {number}."} for number in range(8)]
QUERIES = [{"_id": f"q{number}", "text": f"Query {number}?"} for number in range(3)]
QRELS = [
    {"query-id": query, "corpus-id": candidate, "score": score}
    for query, candidate, score in [("q0", "d0", 2), ("q0", "d1", 1), ("q1", "d2", 1), ("q2", "d3", 3)]
]
REMEDY = "set on_bad_row=skip to leave such rows out"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


def beir(
    folder: Path, queries: list[Row] = QUERIES, candidates: list[Row] = CANDIDATES, qrels: list[Row] = QRELS
) -> Path:
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (("queries", queries), ("corpus", candidates), ("qrels/test", qrels)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def judged(query: str, candidate: str, score: object = 1) -> Row:
    return {"query-id": query, "corpus-id": candidate, "score": score}


def faulty(folder: Path) -> Path:
    """With the faults of FiQA, ArguAna and others: nulls, an empty candidate, repeated rows, unknown ids."""
    return beir(
        folder,
        [*QUERIES, {"_id": "q3", "text": None}, QUERIES[0]],
        [*CANDIDATES, {"_id": "d8", "text": " "}, {"_id": "d0", "text": "Again."}],
        [
            *QRELS,
            QRELS[0],
            judged("q0", "gone", 3),
            judged("q1", "d8"),
            judged("nobody", "d1"),
            judged("q2", "d4", "x"),
        ],
    )


def messages(folder: Path) -> list[str]:
    """In the order in which they are found: row by row, then what contradicts other files."""
    queries, corpus, qrels = (folder / name for name in ("queries.jsonl", "corpus.jsonl", "qrels/test.jsonl"))
    return [
        f"{queries}, line 4: 'text' is null, not a text",
        f"{queries}, line 5: query 'q0' in 'en' again, after {queries}, line 1; remove one",
        f"{corpus}, line 9: 'text' is empty; write it, or remove the row",
        f"{qrels}, line 5: query 'q0' and candidate 'd0' are judged again, after {qrels}, line 1; remove one",
        f"{qrels}, line 9: the score 'x' is not a number",
        f"{corpus}, line 10: a candidate with the id of the one at {corpus}, line 1; ids must be unique",
        f"{qrels}, line 6: there is no candidate 'gone'; add it, or remove the row",
        f"{qrels}, line 7: there is no candidate 'd8'; add it, or remove the row",
        f"{qrels}, line 8: there is no query 'nobody'; add it, or remove the row",
    ]


def test_all_bad_rows_are_named_at_once(tmp_path: Path) -> None:
    folder = faulty(tmp_path / "mine")
    with pytest.raises(ValueError, match=r"on_bad_row=skip") as error:
        load_benchmark(str(folder), language="en")
    of_rows = messages(folder)[:5]  # the others may follow from these
    assert str(error.value) == "\n  ".join([f"5 rows cannot be used; correct them, or {REMEDY}:", *of_rows])


def test_a_single_one_and_more_than_are_listed(tmp_path: Path) -> None:
    one = beir(tmp_path / "one", qrels=[*QRELS, judged("q0", "gone")])
    with pytest.raises(ValueError, match=r"on_bad_row=skip") as error:
        load_benchmark(str(one), language="en")
    place = one / "qrels/test.jsonl"
    assert str(error.value) == f"{place}, line 5: there is no candidate 'gone'; add it, or remove the row; or {REMEDY}"
    many = beir(tmp_path / "many", qrels=[*QRELS, *(judged("q0", f"gone {number}") for number in range(1_234))])
    with pytest.raises(ValueError, match=r"on_bad_row=skip") as error:
        load_benchmark(str(many), language="en")
    lines = str(error.value).splitlines()
    assert lines[0] == f"1,234 rows cannot be used; correct them, or {REMEDY}:"
    assert lines[1].endswith("line 5: there is no candidate 'gone 0'; add it, or remove the row")
    assert (len(lines), lines[-1]) == (22, "  and 1,214 more")


def test_a_missing_column_is_told_at_the_first_row(tmp_path: Path) -> None:
    """Not once for each of a million rows, and nothing of it can be skipped."""
    folder = beir(tmp_path / "mine", candidates=[{"_id": "d", "body": "x"}] * 3)
    with pytest.raises(ValueError, match=r"corpus.jsonl, line 1: no 'text'; there are: _id, body; name the right one"):
        load_benchmark(str(folder), language="en", on_bad_row="skip")


def test_left_out_and_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = faulty(tmp_path / "mine")
    for _ in ("built", "from the cache"):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            benchmark = load_benchmark(str(folder), language="en", on_bad_row="skip")
        assert caplog.messages == [
            "\n  ".join(["benchmark table: 9 rows are left out (on_bad_row=skip):", *messages(folder)])
        ]
        assert benchmark.query_ids == ("q0", "q1", "q2")
        assert list(benchmark.candidate_ids) == [f"d{number}" for number in range(8)]
        assert benchmark.candidate_texts[0] == "Passage 0."
    facts = benchmark_facts({"mine": benchmark})
    assert facts["skipped_rows/mine"] == 9
    assert facts["skipped_lines/mine"] == messages(folder)
    clean = load_benchmark(str(beir(tmp_path / "clean")), language="en", on_bad_row="skip")
    assert not [key for key in benchmark_facts({"clean": clean}) if key.startswith("skipped")]
    assert clean.fingerprint != benchmark.fingerprint  # it has other divisors


def per_query(benchmark: Benchmark, scores: np.ndarray, folder: Path | None = None) -> dict[tuple[str, str], Row]:
    """(setting, query) -> its row, where a query's vector is its row of scores and a candidate's a unit vector."""
    evaluation = Evaluation(trec_files=folder is not None)
    result = evaluation.of_vectors(scores, np.eye(scores.shape[1], dtype=np.float32), benchmark, folder)
    return {(row["setting"], row["query_id"]): row for row in result.per_query.to_pylist()}


def test_missing_relevant_candidates_count_as_in_trec_eval(tmp_path: Path) -> None:
    """In each setting, with gains, of a sample of the queries, and in the files that are written for trec_eval."""
    benchmark = load_benchmark(str(faulty(tmp_path / "mine")), language="en", on_bad_row="skip")
    qrels = {"q0": {"d0": 2, "d1": 1, "gone": 3}, "q1": {"d2": 1, "d8": 1}, "q2": {"d3": 3}}
    scores = np.random.default_rng(0).random((3, 8)).astype(np.float32)
    run = {
        query: dict(zip(benchmark.candidate_ids, line, strict=True))
        for query, line in zip(benchmark.query_ids, scores.tolist(), strict=True)
    }
    theirs = pytrec_eval.RelevanceEvaluator(qrels, set(MEASURES.values())).evaluate(run)
    found = per_query(benchmark, scores, tmp_path)
    for setting in ("monolingual", "multilingual"):
        for query in qrels:
            row = found[setting, query]
            assert row["relevant"] == len(qrels[query])
            for name, measure in MEASURES.items():
                assert row[name] == pytest.approx(theirs[query][measure], rel=1e-6), (setting, query, name)
    assert theirs["q1"]["recall_100"] == 0.5
    sampled = sample_queries(benchmark, 2)
    rows = [benchmark.query_ids.index(id_) for id_ in sampled.query_ids]
    of_sample = per_query(sampled, scores[rows])
    assert {key: row["map"] for key, row in of_sample.items()} == {key: found[key]["map"] for key in of_sample}
    written = (tmp_path / "trec" / "table_multilingual.qrels").read_text().split("\n")
    assert sorted(written) == ["", "q0/en 0 d0 2", "q0/en 0 d1 1", "q0/en 0 gone 3", "q1/en 0 d2 1", "q1/en 0 d8 1",
                               "q2/en 0 d3 3"]  # fmt: skip


def test_missing_ones_of_two_languages(tmp_path: Path) -> None:
    """They count in the pool and in the cell of the query's own language, since theirs is unknown."""
    candidates = [row | {"language": ("en", "de")[number % 2]} for number, row in enumerate(CANDIDATES)]
    queries = [QUERIES[0] | {"language": "en"}]
    folder = beir(tmp_path, queries, candidates, [judged("q0", "d0"), judged("q0", "d1"), judged("q0", "gone")])
    benchmark = load_benchmark(str(folder), on_bad_row="skip")
    scores = np.array([[candidate in ("d0", "d1") for candidate in benchmark.candidate_ids]], np.float32)
    recall = {setting: row["recall@10"] for (setting, _), row in per_query(benchmark, scores).items()}
    assert recall == {"monolingual": 0.5, "crosslingual": 1.0, "multilingual": pytest.approx(2 / 3)}


def arguana(folder: Path) -> Path:
    """Queries are candidates: each finds itself first."""
    queries = [{"_id": row["_id"], "text": row["text"]} for row in CANDIDATES[:3]]
    candidates = [{"title": "A title", **row} for row in CANDIDATES]
    return beir(
        folder, queries, candidates, [judged("d0", "d1"), judged("d1", "d2"), judged("d2", "d2"), judged("d2", "d3")]
    )


def test_answers_with_their_question_as_a_title_are_no_queries(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Following the advice to leave them out, no query had a relevant candidate."""
    queries = [{"_id": f"d{number}", "text": f"How is device {number} reset?"} for number in range(3)]
    candidates = [{"_id": row["_id"], "title": row["text"], "text": "Hold the button."} for row in queries]
    folder = beir(tmp_path, queries, candidates, [judged(row["_id"], row["_id"]) for row in queries])
    with caplog.at_level(logging.WARNING):
        load_benchmark(str(folder), language="en")
    assert not caplog.messages


def test_queries_that_are_candidates(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As in mteb, which takes a query's own id out of its results before it scores them."""
    folder = arguana(tmp_path / "mine")
    with caplog.at_level(logging.WARNING):
        plain = load_benchmark(str(folder), language="en")
    assert caplog.messages == [
        "of the first 2 queries that have the id of a candidate which is not relevant, 2 are in its text: each finds "
        "itself first; exclude_same_id=true leaves it out of the ranking, as is done for ArguAna"
    ]
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        benchmark = load_benchmark(str(folder), language="en", exclude_same_id=True)
    assert not caplog.messages
    assert plain.excluded is None
    assert benchmark.protocol == f"{plain.protocol}, a candidate with the query's id is not ranked"
    scores = np.full((3, 8), 0.1, np.float32) + np.eye(3, 8, dtype=np.float32)  # itself first, the others tie
    scores[:, 1:4] += 0.01
    qrels = {"d0": {"d1": 1}, "d1": {"d2": 1}, "d2": {"d2": 1, "d3": 1}}
    run = {
        query: {id_: score for id_, score in zip(benchmark.candidate_ids, line, strict=True) if id_ != query}
        for query, line in zip(benchmark.query_ids, scores.tolist(), strict=True)
    }
    theirs = pytrec_eval.RelevanceEvaluator(qrels, set(MEASURES.values())).evaluate(run)
    found = per_query(benchmark, scores, tmp_path)
    for (_, query), row in found.items():
        for name, measure in MEASURES.items():
            assert row[name] == pytest.approx(theirs[query][measure], rel=1e-6), (query, name)
    assert found["multilingual", "d0"]["ndcg@10"] > per_query(plain, scores)["multilingual", "d0"]["ndcg@10"]
    ranked = [line.split()[:3:2] for line in (tmp_path / "trec" / "table_multilingual.run").read_text().splitlines()]
    assert len(ranked) == 3 * 7
    assert not [line for line in ranked if line[0] == f"{line[1]}/en"]
    with pytest.raises(ValueError, match="exclude_same_id: a search does not leave out a query's own candidate; set"):
        Evaluation(index=Exact())._by_search(None, benchmark, Exact(), None)


@pytest.mark.parametrize("code", ["en", "eng_Latn", "EN"])
@pytest.mark.parametrize("join", [True, False])
def test_queries_that_are_candidates_in_a_folder_of_a_language(tmp_path: Path, code: str, join: bool) -> None:
    """Their ids have the name of the folder before them, which need not be the language as we write it."""
    arguana(tmp_path / "mine" / code)
    options = {"exclude_same_id": True, "ids_join_languages": join}
    benchmark = load_benchmark(str(tmp_path / "mine"), **options)
    assert benchmark.excluded.tolist() == [0, 1, 2]
    assert benchmark.missing.ids == (f"{code}:d2",)
    (tmp_path / "mine" / code / "corpus.jsonl").rename(tmp_path / "mine" / "corpus.jsonl")  # one of all languages
    benchmark = load_benchmark(str(tmp_path / "mine"), language="en", **options)
    assert benchmark.excluded.tolist() == [0, 1, 2]
    assert benchmark.query_ids == tuple(f"{'' if join else code + ':'}d{number}" for number in range(3))


def test_nothing_to_exclude(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exclude") as error:
        load_benchmark(str(beir(tmp_path / "mine")), language="en", exclude_same_id=True)
    assert str(error.value) == (
        "exclude_same_id: no candidate has the id of a query, so it would exclude nothing; give a query the id of its "
        "own candidate, or leave it out"
    )


def test_a_candidate_that_is_missing_in_one_language_only(tmp_path: Path) -> None:
    """trec_eval on the files of a language does not know those of another one."""
    for language in ("en", "de"):
        blank = [{"_id": "d0", "text": " "}, *CANDIDATES[1:]] if language == "de" else CANDIDATES
        beir(tmp_path / "mine" / language, candidates=blank)
    benchmark = load_benchmark(str(tmp_path / "mine"), on_bad_row="skip")
    row = {
        (id_, benchmark.languages[language]): number
        for number, (id_, language) in enumerate(zip(benchmark.query_ids, benchmark.query_languages, strict=True))
    }
    assert benchmark.missing == MissingRelevant(
        (row["q0", "de"], row["q0", "en"]), ("de:d0", "de:d0"), (2.0, 2.0), (ABSENT, benchmark.languages.index("de"))
    )
    scores = np.full((6, 15), 0.1, np.float32)
    for query in range(6):
        scores[query, benchmark.relevant[slice(*benchmark.relevant_offsets[query : query + 2])]] = 1
    found = {}
    for each in (benchmark, sample_queries(benchmark, 2, seed=1)):
        rows = [
            row[id_, benchmark.languages[code]] for id_, code in zip(each.query_ids, each.query_languages, strict=True)
        ]
        result = Evaluation(trec_files=True).of_vectors(
            scores[rows], np.eye(15, dtype=np.float32), each, tmp_path / str(len(rows))
        )
        found[len(rows)] = {
            (of["setting"], of["query_id"], of["query_language"]): of for of in result.per_query.to_pylist()
        }
    for of_rows in found.values():
        assert of_rows["monolingual", "q0", "en"]["map"] == 1
        assert of_rows["monolingual", "q0", "de"]["map"] == 0.5
        assert of_rows["multilingual", "q0", "en"]["map"] == of_rows["multilingual", "q0", "de"]["map"] == 0.75
    qrels = (tmp_path / "6" / "trec" / "table_monolingual.qrels").read_text().splitlines()
    assert [line for line in qrels if "de:d0" in line] == ["q0/de 0 de:d0 2"]


def test_equal_ids_of_other_texts_are_no_reason_to_warn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    numbered = [{"_id": str(number), "text": f"Query {number}?"} for number in range(3)]
    candidates = [{"_id": str(number), "text": f"Passage {number}."} for number in range(8)]
    with caplog.at_level(logging.WARNING):
        load_benchmark(str(beir(tmp_path, numbered, candidates, [judged("0", "3")])), language="en")
    assert not caplog.messages


def test_files_of_trec(tmp_path: Path) -> None:
    (tmp_path / "queries.tsv").write_text("q0\tWhat?\nq1\t \n")
    (tmp_path / "collection.tsv").write_text("d0\tA passage.\nd1\t \n")
    (tmp_path / "qrels.txt").write_text("q0 0 d0 1\nq0 0 d1 1\nq0 0\n")
    settings = {"layout": "trec", "language": "en"}
    queries, collection, qrels = (tmp_path / name for name in ("queries.tsv", "collection.tsv", "qrels.txt"))
    of_rows = [
        f"{queries}, line 2: the query is empty; write it, or remove the row",
        f"{collection}, line 2: the text is empty; write it, or remove the row",
        f"{qrels}, line 3: 2 fields instead of 4 (query 0 candidate score); it may be cut",
    ]
    with pytest.raises(ValueError, match=r"on_bad_row=skip") as error:
        load_benchmark(str(tmp_path), **settings)
    assert str(error.value).splitlines()[1:] == [f"  {line}" for line in of_rows]
    skipped = load_benchmark(str(tmp_path), **settings, on_bad_row="skip").skipped_rows
    unknown = f"{qrels}, line 2: there is no candidate 'd1'; add it, or remove the row"
    assert (skipped.count, list(skipped.first)) == (4, [*of_rows, unknown])


def test_pairs(tmp_path: Path) -> None:
    table = tmp_path / "pairs.jsonl"
    row = {"id": "a", "language": "en", "question": "What?", "passage": "This."}
    rows = [row, row | {"id": "b", "passage": ""}, row | {"question": "Else?"}]
    table.write_text("".join(json.dumps(each) + "\n" for each in rows))
    of_rows = (
        f"{table}, line 2: 'passage' is empty; write it, or remove the row",
        f"{table}, line 3: a second query 'a' in 'en'; {table}, line 1 has the first; give each its own id",
    )
    with pytest.raises(ValueError, match=r"on_bad_row=skip") as error:
        load_benchmark(str(table), layout="pairs")
    assert str(error.value) == "\n  ".join([f"2 rows cannot be used; correct them, or {REMEDY}:", *of_rows])
    benchmark = load_benchmark(str(table), layout="pairs", on_bad_row="skip")
    assert (benchmark.query_texts, benchmark.skipped_rows.first) == (("What?",), of_rows)


def test_ids_that_only_look_equal(tmp_path: Path) -> None:
    """The message shows in what they differ, instead of two equal words."""
    one, other = "caf\u00e9", "cafe\u0301"
    folder = beir(
        tmp_path, [{"_id": one, "text": "Query?"}], [{"_id": other, "text": "Passage."}],
        [judged(other, other), judged(one, one)],
    )  # fmt: skip
    with pytest.raises(ValueError, match="on_bad_row=skip") as error:
        load_benchmark(str(folder), language="en")
    qrels = folder / "qrels/test.jsonl"
    names = (r"'caf\xe9'", r"'cafe\u0301'")
    assert str(error.value).splitlines()[1:] == [
        f"  {qrels}, line {line}: there is no {kind} '{id_}' ({wrong}), only {right}, which differs from it in blanks "
        "or Unicode form; add it, or remove the row"
        for line, kind, id_, wrong, right in ((1, "query", other, *names[::-1]), (2, "candidate", one, *names))
    ]


def test_lines_that_are_no_rows(tmp_path: Path) -> None:
    """In all three files, those of one language, and in those of TREC."""
    folder = beir(tmp_path / "beir")
    names = ("queries.jsonl", "corpus.jsonl", "qrels/test.jsonl")
    for name in names:
        (folder / name).write_text(f'{{"_id": "x\n{(folder / name).read_text()}')
    cut = (
        "not valid JSON (Unterminated string starting at); there is one object a line, and the last one may be cut off"
    )
    noted = [f"{folder / name}, line 1, column 9: {cut}" for name in names]
    with pytest.raises(ValueError, match=r"on_bad_row=skip") as error:
        load_benchmark(str(folder), language="en")
    assert str(error.value) == "\n  ".join([f"3 rows cannot be used; correct them, or {REMEDY}:", *noted])
    benchmark = load_benchmark(str(folder), language="en", on_bad_row="skip")
    assert (benchmark.query_ids, benchmark.skipped_rows.first) == (("q0", "q1", "q2"), tuple(noted))

    (trec := tmp_path / "trec").mkdir()
    (trec / "queries.tsv").write_bytes(b"q0\tWhat?\nq1\tW\xff\n")
    (trec / "collection.tsv").write_text("d0\tA passage.\nd1\n")
    (trec / "qrels.txt").write_bytes(b"q0 0 d0 1\n\xff 0 d0 1\n")
    skipped = load_benchmark(str(trec), layout="trec", language="en", on_bad_row="skip").skipped_rows
    assert skipped.first == (
        f"{trec}/queries.tsv, line 2: not valid UTF-8 at byte 4; convert the file to UTF-8",
        f"{trec}/collection.tsv, line 2: 1 fields instead of 2, separated by tabs; the line may be cut",
        f"{trec}/qrels.txt, line 2: not valid UTF-8 at byte 0; convert the file to UTF-8",
    )


def test_lines_of_pairs_that_are_no_rows(tmp_path: Path) -> None:
    table = tmp_path / "pairs.jsonl"
    row = {"id": "a", "language": "en", "question": "What?", "passage": "This."}
    table.write_text(f"{json.dumps(row)}\nnothing\n")
    benchmark = load_benchmark(str(table), layout="pairs", on_bad_row="skip")
    assert (benchmark.query_ids, benchmark.skipped_rows.count) == (("a",), 1)
    assert benchmark.skipped_rows.first[0].startswith(f"{table}, line 2, column 1: not valid JSON (Expecting value)")

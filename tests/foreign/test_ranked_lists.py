"""Our own rankings, written as TREC files and read back as those of another system: every number is the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import pytrec_eval

from babelbatch.evaluation.ranking import rank
from babelbatch.evaluation.scoring import Result, score
from babelbatch.evaluation.trec import write_trec
from babelbatch.foreign import Aggregate, System, from_argument, read_systems
from babelbatch.records import Benchmark

NAMES = ("map", "map@20", "mrr@100", "ndcg@10", "ndcg@20", "recall@1", "recall@10", "recall@100")
QUERY = r"(?P<id>.+)/(?P<language>[a-z]+)(-(?P<candidate_language>[a-z]+))?"
OWN = rf"files: 'made_(?P<setting>\w+)\.run', qrels: 'made_(?P<setting>\w+)\.qrels', query: '{QUERY}'"


def made(graded: bool = False) -> tuple[Benchmark, np.ndarray, np.ndarray]:
    """12 queries in three languages over 150 candidates, many of them tied by small whole numbers."""
    random = np.random.default_rng(0)
    queries = [(f"q{number}", language) for number in range(12) for language in range(3) if (number + language) % 5]
    relevant = {f"q{number}": random.choice(150, 1 + number % 4, replace=False).tolist() for number in range(12)}
    rows = [row for id_, _ in queries for row in relevant[id_]]
    benchmark = Benchmark(
        name="made",
        languages=("de", "en", "zh"),
        query_ids=tuple(id_ for id_, _ in queries),
        query_texts=("",) * len(queries),
        query_languages=np.array([language for _, language in queries], np.int16),
        candidate_ids=tuple(f"d{number}" for number in random.permutation(150)),
        candidate_texts=("",) * 150,
        candidate_languages=random.integers(0, 3, 150).astype(np.int16),
        relevant_offsets=np.cumsum([0, *(len(relevant[id_]) for id_, _ in queries)]),
        relevant=np.array(rows),
        protocol="made at random",
        gains=random.integers(1, 4, len(rows)).astype(float) if graded else None,
    )
    vectors = [random.integers(-2, 3, (rows, 6)).astype(np.float32) / 4 for rows in (len(queries), 150)]
    return benchmark, *vectors


def exported(folder: Path, depth: int = 1_000, graded: bool = False) -> tuple[Benchmark, Result]:
    benchmark, queries, candidates = made(graded)
    write_trec(folder, benchmark, queries, candidates, depth)
    return benchmark, score(benchmark, *rank(benchmark, queries, candidates, k=10))


def declare(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> System:
    monkeypatch.chdir(folder)
    (system,) = read_systems(from_argument(f"{{kind: trec, benchmark: made, {text}}}"))
    assert isinstance(system, System)
    return system


def by_row(table: pa.Table) -> dict[tuple[str, str, str, str | None], dict[str, float]]:
    keys = ("setting", "query_id", "query_language", "candidate_language")
    return {tuple(row[key] for key in keys): row for row in table.to_pylist()}


def candidate_table(folder: Path, benchmark: Benchmark) -> str:
    lines = [
        f"{id_}\t{benchmark.languages[language]}\n"
        for id_, language in zip(benchmark.candidate_ids, benchmark.candidate_languages, strict=True)
    ]
    (folder / "candidates.tsv").write_text("".join(lines))
    return "candidate_languages: candidates.tsv"


@pytest.mark.parametrize("graded", [False, True])
def test_our_run_read_back_has_our_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, graded: bool) -> None:
    _, ours = exported(tmp_path, graded=graded)
    found = declare(tmp_path, OWN, monkeypatch)
    expected, rows = by_row(ours.per_query), by_row(found.per_query)
    assert rows.keys() == expected.keys()
    measured = (*NAMES, "relevant", "rank_distance", "language_preference", "same_language@10", "peer@100")
    for key, row in rows.items():
        assert {name: row[name] for name in measured} == {name: expected[key][name] for name in measured}
        assert row["mrc@10"] is None
        assert row["rank_distance_normalised"] is None
    shares = {key: value for key, value in ours.metrics.items() if "/top10_share/" in key}
    assert found.shares == pytest.approx(shares, abs=1e-12)
    assert (found.name, found.seed, found.benchmark) == ("babelbatch", None, "made")
    assert {each.unretrieved for each in found.coverage.values()} == {0}


def test_the_pool_alone_has_the_cells_too_where_candidates_have_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark, ours = exported(tmp_path)
    pool = r"setting: multilingual, files: made_multilingual\.run, qrels: made_multilingual\.qrels"
    text = f"{pool}, query: '(?P<id>.+)/(?P<language>..)', {candidate_table(tmp_path, benchmark)}"
    rows, expected = by_row(declare(tmp_path, text, monkeypatch).per_query), by_row(ours.per_query)
    assert rows.keys() == expected.keys()
    for key, row in rows.items():
        assert [row[name] for name in NAMES] == [expected[key][name] for name in NAMES]


def test_the_pool_alone_without_languages_has_no_cells_and_no_bias(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ours = exported(tmp_path)
    pool = r"setting: multilingual, files: made_multilingual\.run, qrels: made_multilingual\.qrels"
    found = declare(tmp_path, f"{pool}, query: '(?P<id>.+)/(?P<language>..)'", monkeypatch)
    rows, expected = by_row(found.per_query), by_row(ours.per_query)
    assert {setting for setting, *_ in rows} == {"multilingual"}
    for key, row in rows.items():
        names = (*NAMES, "rank_distance", "relevant")
        assert [row[name] for name in names] == [expected[key][name] for name in names]
        assert (row["language_preference"], row["same_language@10"], row["peer@100"]) == (None, None, None)
    assert not found.shares


@pytest.mark.parametrize("setting", ["monolingual", "crosslingual", "multilingual"])
def test_short_lists_and_missing_queries_score_as_in_trec_eval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setattr("babelbatch.foreign.ranked_lists.MOST_HIDDEN", 1.0)
    exported(tmp_path, depth=30)
    path = tmp_path / f"made_{setting}.run"
    lines = path.read_text().splitlines(keepends=True)
    absent = lines[0].split()[0]
    random = np.random.default_rng(1)
    random.shuffle(lines)  # the order of lines and the rank column mean nothing
    path.write_text("".join(line for line in lines if line.split()[0] != absent))
    found = declare(tmp_path, OWN, monkeypatch)
    with open(path) as run, open(tmp_path / f"made_{setting}.qrels") as qrels:
        ranked, judged = pytrec_eval.parse_run(run), pytrec_eval.parse_qrel(qrels)
    theirs = pytrec_eval.RelevanceEvaluator(judged, {"map", "ndcg_cut.10", "recall.1,10,100"}).evaluate(ranked)
    rows = {key: row for key, row in by_row(found.per_query).items() if key[0] == setting}
    assert len(rows) == len(theirs) + 1
    for (_, id_, language, other), row in rows.items():
        name = f"{id_}/{language}" + (f"-{other}" if setting == "crosslingual" else "")
        scores = theirs.get(name, {})
        assert (name == absent) == (not scores)
        for ours, name in (
            ("map", "map"),
            ("ndcg@10", "ndcg_cut_10"),
            ("recall@1", "recall_1"),
            ("recall@10", "recall_10"),
        ):
            assert row[ours] == pytest.approx(scores.get(name, 0.0), abs=1e-9)
        assert (row["recall@100"], row["mrr@100"]) == (None, None)  # the lists do not reach so far
        assert row["rank_distance"] is None
    assert found.coverage[setting].unranked == 1
    missed = sum(len(judged[name].keys() - ranked.get(name, {}).keys()) for name in judged)
    assert found.coverage[setting].unretrieved == missed > 1


def test_cut_lists_hide_no_more_than_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The full ranking, cut: with the same rankings mAP is lower, which no test may call worse."""
    _, ours = exported(tmp_path, depth=30)
    found = declare(tmp_path, OWN, monkeypatch)
    assert set(found.per_query["map"].to_pylist()) == {None}
    assert None not in found.per_query["ndcg@10"].to_pylist()
    monkeypatch.setattr("babelbatch.foreign.ranked_lists.MOST_HIDDEN", 1.0)
    cut, full = (by_row(table) for table in (declare(tmp_path, OWN, monkeypatch).per_query, ours.per_query))
    for setting, coverage in found.coverage.items():
        cells: dict[tuple[str, str | None], list[float]] = {}
        for key, row in full.items():
            if key[0] == setting:
                cells.setdefault(key[2:], []).append(row["map"] - cut[key]["map"])
        lost = float(np.mean([np.mean(of_cell) for of_cell in cells.values()]))
        assert 0 < lost <= coverage.hidden < 10 * lost


def test_shares_of_ten_need_ten_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four of five places in the query's language were a share of 0.4."""
    for depth in (10, 9):
        benchmark, ours = exported(tmp_path / str(depth), depth=depth)
        text = f"{OWN}, {candidate_table(tmp_path / str(depth), benchmark)}"
        table = declare(tmp_path / str(depth), text, monkeypatch)
        shares = [row["same_language@10"] for row in table.per_query.to_pylist() if row["setting"] == "multilingual"]
        assert (set(shares) == {None}, not table.shares) == (depth == 9, depth == 9)
        of_ours = [row["same_language@10"] for row in ours.per_query.to_pylist() if row["setting"] == "multilingual"]
        assert depth == 9 or sorted(shares) == sorted(of_ours)


def test_a_list_that_ends_by_itself_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of BM25, which returns what matches: one query has ten candidates, the other one alone."""
    lines = [f"a/de Q0 d{number} 1 {20 - number} bm25\n" for number in range(10)]
    (tmp_path / "bm25.run").write_text("".join([*lines, "b/de Q0 d3 1 1 bm25\n"]))
    (tmp_path / "bm25.qrels").write_text("a/de 0 d1 1\nb/de 0 d1 1\n")
    text = r"setting: monolingual, qrels: bm25\.qrels, query: '(?P<id>.)/(?P<language>..)'"
    found = declare(tmp_path, text, monkeypatch)
    assert found.per_query["map"].to_pylist() == [0.5, 0.0]
    assert found.coverage["monolingual"].hidden == 0


def test_queries_that_are_not_judged_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported(tmp_path)
    path = tmp_path / "made_multilingual.run"
    path.write_text(path.read_text() + "other/de Q0 d3 1 0.5 tag\n")
    found = declare(tmp_path, OWN, monkeypatch)
    assert [found.coverage[setting].unjudged for setting in ("monolingual", "multilingual")] == [0, 1]
    assert "other" not in found.per_query["query_id"].to_pylist()


def test_gains_that_contradict_each_other_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported(tmp_path)
    path = tmp_path / "made_multilingual.qrels"
    path.write_text(path.read_text().replace(" 1\n", " 2\n"))
    with pytest.raises(ValueError, match=r"^made_multilingual\.qrels: 'd\d+' has another gain for query 'q\d+' in ano"):
        declare(tmp_path, OWN, monkeypatch)


def test_crosslingual_lists_say_the_language_of_their_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(tmp_path)
    text = r"setting: crosslingual, files: made_crosslingual\.run, qrels: made_crosslingual\.qrels"
    with pytest.raises(ValueError, match=r"^made_crosslingual\.run: nothing says the language of the candidates that"):
        declare(tmp_path, f"{text}, query: '(?P<id>.+/(?P<language>..).*)'", monkeypatch)
    with pytest.raises(ValueError, match=r"^made_crosslingual\.run: 'q\d+/..-..' and 'q\d+/..-..' are the same"):
        declare(tmp_path, f"{text}, query: '(?P<id>.+)/(?P<language>..).*'", monkeypatch)


def test_a_benchmark_without_a_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file a language, which its name says, as for MIRACL; ids repeat between languages."""
    for language in ("de", "en"):
        score = 2 if language == "de" else 0
        (tmp_path / f"bm25.{language}.run").write_text(f"7 Q0 a 1 {score} bm25\n7 Q0 b 2 1 bm25\n")
        (tmp_path / f"qrels.{language}").write_text("query-id\tcorpus-id\tscore\n7\ta\t1\n7\tb\t0\n")
    text = r"setting: monolingual, files: 'bm25\.(?P<language>..)\.run', qrels: 'qrels\.(?P<language>..)'"
    found = declare(tmp_path, f"{text}, query_id: '{{language}}:{{id}}'", monkeypatch)
    rows = by_row(found.per_query)
    assert {key: row["map"] for key, row in rows.items()} == {
        ("monolingual", "de:7", "de", "de"): 1.0,
        ("monolingual", "en:7", "en", "en"): 0.5,
    }
    assert found.name == "bm25"


def subsets(folder: Path, scores: dict[str, float]) -> Path:
    """Results of mteb with an entry for each pair of languages."""
    entries = [{"hf_subset": name, "languages": [], "main_score": 0.5, "ndcg_at_10": nd} for name, nd in scores.items()]
    result = {"task_name": "MLQARetrieval", "mteb_version": "2.26.24", "scores": {"test": entries}}
    (folder / "MLQARetrieval.json").write_text(json.dumps(result))
    return folder


MTEB = r"""{kind: mteb, benchmark: mlqa, system: E5, files: '.*\.json', languages: {eng: en, deu: de},
subset: '(?P<language>[a-z]+)-(?P<candidate_language>[a-z]+)'"""


def test_pairs_of_languages_in_the_results_of_mteb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last pair of a query language was its monolingual score."""
    monkeypatch.chdir(subsets(tmp_path, {"eng-eng": 0.9, "eng-deu": 0.5, "deu-eng": 0.4}))
    found = read_systems(from_argument(f"{MTEB}}}")) + read_systems(from_argument(f"{MTEB}, setting: crosslingual}}"))
    assert [(each.setting, each.values) for each in found if isinstance(each, Aggregate)] == [
        ("monolingual", {"ndcg@10": {"en": 0.9}}),
        ("crosslingual", {"ndcg@10": {"en-de": 0.5, "de-en": 0.4}}),
    ]
    subsets(tmp_path, {"eng-deu": 0.5})
    with pytest.raises(ValueError, match=r"MLQARetrieval.json: 1 subsets are not of the monolingual setting, such as "):
        read_systems(from_argument(f"{MTEB}}}"))
    subsets(tmp_path, {"eng-eng": 0.9, "en-en": 0.5})
    with pytest.raises(ValueError, match=r"'eng-eng' and 'en-en' are both 'en' in the monolingual setting; write a "):
        read_systems(from_argument(f"{MTEB}}}"))


def test_gains_are_of_this_benchmark(tmp_path: Path) -> None:
    """The helper's graded benchmark has grades that differ, or the test above would show nothing."""
    benchmark, *_ = made(graded=True)
    assert benchmark.gains is not None
    assert set(benchmark.gains.tolist()) == {1.0, 2.0, 3.0}
    assert replace(benchmark, gains=None).gains is None

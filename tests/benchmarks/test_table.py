"""Queries, candidates and judgements of the user's own: every layout, the usual damage, scores beside pytrec_eval."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytrec_eval
import torch

import corruptions
from babelbatch.benchmarks.table import load_benchmark
from babelbatch.configuration.schema import ConfigError, register
from babelbatch.encoder import static
from babelbatch.evaluation.encoding import encode
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.jobs.overrides import force_overrides
from babelbatch.jobs.plan import check_jobs
from babelbatch.records import Benchmark
from babelbatch.search.index import Exact

Row = dict[str, object]

QUERIES: list[Row] = [
    {"_id": "q1", "text": "Wer war zuerst?", "language": "de"},
    {"_id": "q1", "text": "Who was first?", "language": "en"},
    {"_id": "q2", "text": "Where?", "language": "en"},
    {"_id": "q3", "text": "Of another split?", "language": "en"},
]
CORPUS: list[Row] = [
    {"_id": "d9", "title": "Ada", "text": "She was.", "language": "en"},
    {"_id": "d1", "title": "", "text": "Nobody was.", "language": "en"},
    {"_id": "d2", "title": "Ada", "text": "Sie war es.", "language": "de"},
]
QRELS: list[Row] = [
    {"query-id": "q1", "corpus-id": "d9", "score": 2},
    {"query-id": "q1", "corpus-id": "d2", "score": 1},
    {"query-id": "q2", "corpus-id": "d1", "score": 1},
    {"query-id": "q2", "corpus-id": "d9", "score": 0},
    {"query-id": "q2", "corpus-id": "not in the corpus", "score": 0},
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


def write(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name.removesuffix(".gz")
    names = list(rows[0])
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
        return
    if name.endswith(".jsonl"):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        join = "\t".join if name.endswith(".tsv") else ",".join
        text = "".join(f"{join(map(str, line))}\n" for line in [names, *(row.values() for row in rows)])
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def beir(folder: Path, queries: str = "jsonl", corpus: str = "jsonl", qrels: str = "tsv") -> Path:
    write(folder / f"queries.{queries}", QUERIES)
    write(folder / f"corpus.{corpus}", CORPUS)
    write(folder / "qrels" / f"test.{qrels}", QRELS)
    return folder


def answers(benchmark: Benchmark) -> dict[tuple[str, str], dict[str, float]]:
    """(id, language) of a query -> its relevant candidates, and their gains."""
    gains = np.ones(len(benchmark.relevant)) if benchmark.gains is None else benchmark.gains
    bounds = benchmark.relevant_offsets.tolist()
    return {
        (id_, benchmark.languages[language]): {
            benchmark.candidate_ids[int(benchmark.relevant[pair])]: float(gains[pair])
            for pair in range(bounds[row], bounds[row + 1])
        }
        for row, (id_, language) in enumerate(zip(benchmark.query_ids, benchmark.query_languages, strict=True))
    }


EXPECTED = {
    ("q1", "de"): {"d2": 1, "d9": 2},
    ("q1", "en"): {"d2": 1, "d9": 2},
    ("q2", "en"): {"d1": 1},
}


@pytest.mark.parametrize(
    "suffixes",
    [("jsonl", "jsonl", "tsv"), ("jsonl.gz", "parquet", "jsonl"), ("tsv", "csv", "csv"), ("csv.gz", "tsv", "parquet")],
)
def test_beir_layout_in_every_format(tmp_path, suffixes):
    benchmark = load_benchmark(str(beir(tmp_path / "mine", *suffixes)))
    assert benchmark.languages == ("de", "en")
    assert benchmark.query_ids == ("q1", "q1", "q2")
    assert benchmark.query_texts == ("Wer war zuerst?", "Who was first?", "Where?")
    assert list(benchmark.candidate_ids) == ["d2", "d9", "d1"]  # by language, else as they came
    assert list(benchmark.candidate_texts) == ["Ada Sie war es.", "Ada She was.", "Nobody was."]
    assert benchmark.candidate_languages.tolist() == [0, 1, 1]
    assert answers(benchmark) == EXPECTED
    assert benchmark.protocol == "beir files of mine, test: relevant = judged above 0, gain = judgement"
    assert benchmark.pooled


def test_one_language_for_all(tmp_path):
    def bare(rows: list[Row]) -> list[Row]:
        return [{key: value for key, value in row.items() if key != "language"} for row in rows]

    write(tmp_path / "queries.jsonl", bare(QUERIES[1:]))
    write(tmp_path / "corpus.jsonl", bare(CORPUS))
    write(tmp_path / "qrels" / "dev.tsv", QRELS)
    benchmark = load_benchmark(str(tmp_path), split="dev", language="sw")
    assert benchmark.languages == ("sw",)
    assert answers(benchmark) == {("q1", "sw"): EXPECTED["q1", "en"], ("q2", "sw"): EXPECTED["q2", "en"]}
    with pytest.raises(ValueError, match=r"queries.jsonl, line 1: it has no language; add a column 'language'"):
        load_benchmark(str(tmp_path), split="dev")


def test_a_folder_is_believed_then_a_column_then_the_language_of_all(tmp_path):
    assert answers(load_benchmark(str(beir(tmp_path / "mine")), language="sw")) == EXPECTED
    queries = [{key: value for key, value in QUERIES[0].items() if key != "language"}, *QUERIES[1:]]
    write(tmp_path / "mine" / "queries.jsonl", queries)
    assert set(answers(load_benchmark(str(tmp_path / "mine"), language="sw"))) == {
        ("q1", "sw"), ("q1", "en"), ("q2", "en"),
    }  # fmt: skip
    for folder in ("de", "sw"):
        beir(tmp_path / "folders" / folder)
        write(tmp_path / "folders" / folder / "queries.jsonl", QUERIES[1:])
    assert load_benchmark(str(tmp_path / "folders"), language="fr").languages == ("de", "sw")


def test_binary_judgements_have_no_gains(tmp_path):
    beir(tmp_path)
    write(tmp_path / "qrels" / "test.tsv", [row | {"score": 1} for row in QRELS[:3]])
    assert load_benchmark(str(tmp_path)).gains is None


def test_other_columns(tmp_path):
    names = {"_id": "key", "text": "frage", "language": "sprache"}
    write(tmp_path / "queries.jsonl", [{names[key]: value for key, value in row.items()} for row in QUERIES])
    names = {"_id": "number", "title": "head", "text": "body", "language": "sprache"}
    write(tmp_path / "corpus.jsonl", [{names[key]: value for key, value in row.items()} for row in CORPUS])
    names = {"query-id": "q", "corpus-id": "d", "score": "rel"}
    write(tmp_path / "qrels" / "test.tsv", [{names[key]: value for key, value in row.items()} for row in QRELS])
    columns = {
        "query_id": "key", "query": "frage", "candidate_id": "number", "title": "head", "candidate": "body",
        "language": "sprache", "judged_query": "q", "judged_candidate": "d", "score": "rel",
    }  # fmt: skip
    assert answers(load_benchmark(str(tmp_path), columns=columns)) == EXPECTED
    with pytest.raises(ValueError, match=r"no 'text'; there are: key, frage, sprache; name the right one in col"):
        load_benchmark(str(tmp_path), columns={**columns, "query": "text"})
    with pytest.raises(ValueError, match=r"columns\.question: no such column; there are: query_id, query, "):
        load_benchmark(str(tmp_path), columns={"question": "frage"})


def trec(folder: Path, language: str = "") -> Path:
    for name, lines in {
        "queries.tsv": ["1\tWho was first?", "2\tWhere?"],
        "collection.tsv": ["10\tAda\tShe was.", "11\tNobody\tNobody was.", "9\tThere\tThere."],
        "qrels.txt": ["1 0 10 3", "1\t0\t9\t1", "2  0  11  1", "2 0 10 -2"],
    }.items():
        (folder / language).mkdir(parents=True, exist_ok=True)
        (folder / language / name).write_text("\n".join(lines) + "\n")
    return folder


def test_trec_layout(tmp_path):
    benchmark = load_benchmark(str(trec(tmp_path)), layout="trec", language="en")
    assert answers(benchmark) == {("1", "en"): {"10": 3, "9": 1}, ("2", "en"): {"11": 1}}
    assert list(benchmark.candidate_texts) == ["Ada She was.", "Nobody Nobody was.", "There There."]
    (tmp_path / "collection.tsv").unlink()
    rows: list[Row] = [{"id": 10, "text": "a"}, {"id": 11, "text": "b"}, {"id": 9, "text": "c"}]
    write(tmp_path / "collection.jsonl", rows)
    again = load_benchmark(str(tmp_path), layout="trec", language="en")
    assert (answers(again), list(again.candidate_texts)) == (answers(benchmark), ["a", "b", "c"])


def test_a_folder_for_each_language(tmp_path):
    """Ids of candidates are of their language; those of queries join languages, or do not."""
    trec(trec(tmp_path, "en"), "sw")
    joined = load_benchmark(str(tmp_path), layout="trec")
    assert joined.languages == ("en", "sw")
    both = {"en:10": 3.0, "en:9": 1.0, "sw:10": 3.0, "sw:9": 1.0}
    assert answers(joined)["1", "en"] == answers(joined)["1", "sw"] == both
    apart = load_benchmark(str(tmp_path), layout="trec", ids_join_languages=False, pooled=False)
    assert answers(apart)["en:1", "en"] == {"en:10": 3, "en:9": 1}
    assert len(answers(apart)) == 4
    assert not apart.pooled
    one = load_benchmark(str(tmp_path), layout="trec", languages=["sw"])
    assert (one.languages, list(one.candidate_ids)) == (("sw",), ["sw:10", "sw:11", "sw:9"])
    with pytest.raises(ValueError, match="languages: there is nothing in 'yo'; there are: en"):
        load_benchmark(str(tmp_path), layout="trec", languages=["en", "yo"])


@pytest.mark.parametrize("place", ["path", "hub"])
def test_some_of_the_folders_under_judgements_of_all(tmp_path, monkeypatch, place):
    """The judgements name candidates of a language that is left out. Of the hub there is what was asked for."""
    folder, hub = tmp_path / "folder", tmp_path / "hub"
    for language in ("en", "sw"):
        write(folder / language / "queries.jsonl", [{"_id": "q", "text": f"asked in {language}"}])
        write(folder / language / "corpus.jsonl", [{"_id": f"in_{language}", "text": language}])
    judged = [{"query-id": "q", "corpus-id": f"in_{language}", "score": 1} for language in ("en", "sw")]
    write(folder / "qrels" / "test.tsv", judged)

    def fetch_files(_, globs: list[str]) -> Path:
        for file in (file.relative_to(folder) for glob in globs for file in folder.glob(glob)):
            (hub / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / file, hub / file)
        return hub

    monkeypatch.setattr("babelbatch.benchmarks.table.fetch_files", fetch_files)
    both = {"in_en": 1.0, "in_sw": 1.0}
    assert answers(load_benchmark(str(folder))) == {("q", "en"): both, ("q", "sw"): both}
    one = load_benchmark(**{place: str(folder)}, languages=["sw"])
    assert (answers(one), list(one.candidate_ids)) == ({("q", "sw"): {"in_sw": 1.0}}, ["in_sw"])


@pytest.mark.parametrize("languages", [["en", "en"], []])
def test_languages_are_named_once(tmp_path, languages):
    message = f"languages: {languages} names no language, or one twice; name each once"
    with pytest.raises(ValueError, match=re.escape(message)):
        load_benchmark(str(beir(tmp_path)), languages=languages)


def test_files_of_other_names(tmp_path):
    """Topics of each language, over one collection with one file of judgements."""
    beir(tmp_path)
    (tmp_path / "topics").mkdir()
    for language in ("de", "en"):
        rows = [row for row in QUERIES if row["language"] == language]
        write(tmp_path / "topics" / f"{language}.jsonl", rows)
    benchmark = load_benchmark(str(tmp_path), queries="topics/{language}.jsonl", qrels="qrels/{split}.tsv")
    assert answers(benchmark) == EXPECTED
    with pytest.raises(ValueError, match="ids_join_languages=false: queries and qrels must have files of their own"):
        load_benchmark(str(tmp_path), queries="topics/{language}.jsonl", ids_join_languages=False)
    with pytest.raises(ValueError, match=r"no qrels; looked for judged/dev\.\*; put the files there, or name them in"):
        load_benchmark(str(tmp_path), qrels="judged/{split}.*", split="dev")


def mteb(folder: Path) -> Path:
    for code, language in (("deu", "de"), ("eng", "en")):
        of = [{key: row[key] for key in row if key != "language"} for row in CORPUS if row["language"] == language]
        write(folder / f"{code}-corpus" / "corpus-00000-of-00001.parquet", of)
        asked = [{"id": row["_id"], "text": row["text"]} for row in QUERIES if row["language"] == language]
        write(folder / f"{code}-queries" / "test-00000-of-00001.parquet", asked)
        ids = {row["_id"] for row in of}
        judged = [row for row in QRELS if row["corpus-id"] in ids]
        write(folder / f"{code}-qrels" / "test-00000-of-00001.parquet", judged)
        write(folder / f"{code}-qrels" / "train-00000-of-00001.parquet", [judged[0] | {"query-id": "unknown"}])
    return folder


def test_mteb_layout(tmp_path):
    benchmark = load_benchmark(str(mteb(tmp_path)), layout="mteb")
    assert benchmark.languages == ("de", "en")
    assert answers(benchmark)["q1", "de"] == {"deu:d2": 1, "eng:d9": 2}
    with pytest.raises(ValueError, match="deu-qrels: no split 'dev'; there are: test, train"):
        load_benchmark(str(tmp_path), layout="mteb", split="dev")


def test_of_the_hub(tmp_path, monkeypatch):
    """Only files of the chosen languages are asked for."""
    asked = []

    def snapshot_download(hub: str, *, repo_type: str, revision: str, allow_patterns: list[str]) -> str:
        asked.append((hub, repo_type, revision, *allow_patterns))
        return str(mteb(tmp_path / "hub"))

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    benchmark = load_benchmark(hub="someone/task", revision="abc", layout="mteb", languages=["eng"])
    assert answers(benchmark)["q1", "en"] == {"eng:d9": 2}
    assert benchmark.protocol.startswith("mteb files of someone/task @ abc, test:")
    ((hub, kind, revision, *patterns),) = asked
    assert (hub, kind, revision) == ("someone/task", "dataset", "abc")
    assert "eng-corpus/*.parquet" in patterns
    with pytest.raises(ValueError, match="set either path, to a folder, or hub, to a data set of the hub"):
        load_benchmark()


def test_read_once_and_again_when_a_file_changes(tmp_path):
    beir(tmp_path)
    first = load_benchmark(str(tmp_path))
    assert load_benchmark(str(tmp_path)).fingerprint == first.fingerprint
    write(tmp_path / "corpus.jsonl", [*CORPUS, CORPUS[0] | {"_id": "d8"}])
    assert load_benchmark(str(tmp_path)).fingerprint != first.fingerprint


def test_the_fingerprint_does_not_depend_on_where_a_benchmark_is(tmp_path):
    stored = load_benchmark(str(beir(tmp_path)))
    arrays = ("query_languages", "candidate_languages", "relevant_offsets", "relevant", "gains")
    in_memory = Benchmark(
        name="table",
        languages=stored.languages,
        query_ids=stored.query_ids,
        query_texts=stored.query_texts,
        candidate_ids=tuple(stored.candidate_ids),
        candidate_texts=tuple(stored.candidate_texts),
        protocol=stored.protocol,
        **{name: np.array(getattr(stored, name)) for name in arrays},
    )
    assert in_memory.fingerprint == stored.fingerprint


_DAMAGE: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "missing": ("corpus.jsonl", corruptions.missing, ": no candidates; looked for corpus.*, {language}/corpus.*; put"),
    "empty": ("corpus.jsonl", corruptions.emptied, "corpus.jsonl: the file is empty; copy or download it again"),
    "cut": ("queries.jsonl", corruptions.cut, "queries.jsonl, line 4, column "),
    "UTF-8": ("corpus.jsonl", corruptions.not_utf8, "corpus.jsonl, line 2: not valid UTF-8 at byte "),
    "column": ("queries.jsonl", corruptions.json_line(2, text=corruptions.REMOVED), "queries.jsonl, line 2: no 'text'"),
    "type": ("corpus.jsonl", corruptions.json_line(3, text=7), "corpus.jsonl, line 3: 'text' is 7, not a text"),
    "text": ("corpus.jsonl", corruptions.json_line(2, text=" "), "corpus.jsonl, line 2: 'text' is empty; write it, or"),
    "query": ("queries.jsonl", corruptions.json_line(2, text=""), "queries.jsonl, line 2: 'text' is empty; write it"),
    "id": ("queries.jsonl", corruptions.json_line(1, _id=1.5), "queries.jsonl, line 1: '_id' is 1.5, not a text"),
    "candidate twice": (
        "corpus.jsonl",
        corruptions.repeated(1),
        "corpus.jsonl, line 4: a candidate with the id of the",
    ),
    "query twice": (
        "queries.jsonl",
        corruptions.repeated(2),
        "queries.jsonl, line 5: query 'q1' in 'en' again, after ",
    ),
    "judged twice": ("qrels/test.tsv", corruptions.repeated(2), "test.tsv, line 7: query 'q1' and candidate 'd9' are"),
    "unknown query": ("qrels/test.tsv", corruptions.line(4, "q7\td9\t1"), "test.tsv, line 4: there is no query 'q7'"),
    "unknown candidate": (
        "qrels/test.tsv",
        corruptions.line(3, "q1\td7\t1"),
        "line 3: there is no candidate 'd7'; add",
    ),
    "score": ("qrels/test.tsv", corruptions.line(2, "q1\td9\thigh"), "line 2: the score 'high' is not a number"),
    "cut score": ("qrels/test.tsv", corruptions.line(2, "q1\td9"), "line 2: 2 fields instead of 3, separated by tabs"),
}


@pytest.mark.parametrize("name", _DAMAGE)
def test_damage_is_named_with_file_and_line(tmp_path, name):
    beir(tmp_path)
    file, corrupt, message = _DAMAGE[name]
    corrupt(tmp_path / file)
    with pytest.raises(ValueError, match=re.escape(message)):
        load_benchmark(str(tmp_path))


@pytest.mark.parametrize(
    ("file", "corrupt", "message"),
    [
        ("queries.tsv", corruptions.line(2, "2"), "queries.tsv, line 2: 1 fields instead of 2, separated by tabs"),
        ("collection.tsv", corruptions.line(1, "1\ta\tb\tc"), "line 1: 4 fields; there are id and text, or id, title"),
        ("collection.tsv", corruptions.line(3, "9\t \t "), "collection.tsv, line 3: the text is empty; write it"),
        (
            "qrels.txt",
            corruptions.line(2, "1 0 9"),
            "qrels.txt, line 2: 3 fields instead of 4 (query 0 candidate score)",
        ),
        ("qrels.txt", corruptions.line(1, "1 0 10 nan"), "qrels.txt, line 1: the score 'nan' is not a number"),
    ],
)
def test_damage_of_trec_files(tmp_path, file, corrupt, message):
    trec(tmp_path)
    corrupt(tmp_path / file)
    with pytest.raises(ValueError, match=re.escape(message)):
        load_benchmark(str(tmp_path), layout="trec", language="en")


def test_nothing_is_relevant(tmp_path):
    beir(tmp_path)
    write(tmp_path / "qrels" / "test.tsv", [row | {"score": 0} for row in QRELS])
    with pytest.raises(ValueError, match=r"no query has a relevant candidate \(4 queries, 3 candidates\)"):
        load_benchmark(str(tmp_path))


def graded(folder: Path) -> Path:
    """200 candidates in two languages, many alike; 30 topics, asked in both, with up to 40 answers in grades."""
    random = np.random.default_rng(0)
    words = [f"w{number}" for number in range(40)]

    def text(count: int) -> str:
        return " ".join(random.choice(words, count))

    corpus: list[Row] = [
        {"_id": f"d{row}", "text": text(3), "language": ("de", "en")[row % 2]} for row in random.permutation(200)
    ]
    queries: list[Row] = [
        {"_id": f"q{row}", "text": text(2), "language": language} for row in range(30) for language in ("de", "en")
    ]
    qrels: list[Row] = [
        {"query-id": f"q{row}", "corpus-id": f"d{found}", "score": int(random.choice([0, 1, 2, 3]))}
        for row in range(30)
        for found in random.choice(200, int(random.integers(5, 40)), replace=False)
    ]
    write(folder / "queries.jsonl", queries)
    write(folder / "corpus.jsonl", corpus)
    write(folder / "qrels" / "test.tsv", qrels)
    return folder


MEASURES = {
    "map": "map", "mrr@100": "recip_rank", "ndcg@10": "ndcg_cut_10", "ndcg@20": "ndcg_cut_20", "recall@10": "recall_10",
    "recall@100": "recall_100",
}  # fmt: skip


@pytest.mark.parametrize("index", [None, Exact()])
def test_scores_are_those_of_pytrec_eval(tmp_path, index):
    """From files to the numbers, all settings; ties too, as there are few words."""
    benchmark = load_benchmark(str(graded(tmp_path)))
    assert benchmark.gains is not None
    assert Counter(benchmark.gains.tolist()).keys() == {1, 2, 3}
    torch.manual_seed(0)
    encoder = static([*benchmark.candidate_texts, *benchmark.query_texts], vocab_size=200, hidden_size=64)
    result = Evaluation(index=index)(encoder, benchmark)
    vectors = [encode(encoder, texts, "query", 10_000) for texts in (benchmark.query_texts, benchmark.candidate_texts)]
    scores = vectors[0] @ vectors[1].T
    found = result.per_query.to_pylist()
    candidates, languages = (
        list(benchmark.candidate_ids),
        [benchmark.languages[at] for at in benchmark.candidate_languages],
    )
    judged = answers(benchmark)
    checked = 0
    for query, line in zip(judged, scores.tolist(), strict=True):
        for pool in ("de", "en", None):
            run = {id_: score for id_, score, of in zip(candidates, line, languages, strict=True) if pool in (of, None)}
            qrels = {id_: int(gain) for id_, gain in judged[query].items() if id_ in run}
            if not qrels:
                continue
            theirs = pytrec_eval.RelevanceEvaluator({"q": qrels}, set(MEASURES.values())).evaluate({"q": run})["q"]
            (ours,) = (
                row for row in found
                if (row["query_id"], row["query_language"], row["candidate_language"]) == (*query, pool)
                and (row["setting"] == "multilingual") == (pool is None)
            )  # fmt: skip
            for name, measure in MEASURES.items():
                if not (index and name == "map"):
                    limit = 1 / 100 if name == "mrr@100" else 0  # recip_rank has no cut-off
                    expected = theirs[measure] if theirs[measure] >= limit else 0
                    assert ours[name] == pytest.approx(expected, rel=1e-6), (query, pool, name)
                    checked += 1
    assert checked > 800


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ([], "benchmarks.table.path: missing; set it to a folder, or benchmarks.table.hub to a data set of the hub"),
        (["path=nowhere"], "benchmarks.table.path: there is no folder 'nowhere'; a data set of the hub is named by "),
        (["path=.", "hub=a/b"], "benchmarks.table.hub: there is benchmarks.table.path already; leave out one of them"),
        (["path=.", "revision=abc"], "benchmarks.table.revision: only for a data set of the hub; leave it out"),
        (["path=.", "layout=trec", "columns={query: q}"], "benchmarks.table.columns: files of layout=trec go by the"),
        (["path=.", "layout=trec", "split=dev"], "benchmarks.table.split: files of layout=trec have no splits; leave "),
        (["path=.", "layout=bier"], "benchmarks.table.layout: 'bier' is not one of 'beir', 'trec', 'mteb'"),
    ],
)
def test_options_that_contradict(overrides, problem):
    register()
    given = [f"benchmarks.table.{override}" for override in overrides]
    with pytest.raises(ConfigError, match=re.escape(f"- {problem}")):
        check_jobs("train", force_overrides(["benchmarks=table", *given]), multirun=False)


def test_a_split_of_trec_that_a_pattern_names():
    register()
    given = ["path=.", "layout=trec", "split=dev", 'qrels="qrels.{split}.txt"']
    check_jobs(
        "train", force_overrides(["benchmarks=table", *(f"benchmarks.table.{one}" for one in given)]), multirun=False
    )


def test_a_pool_that_there_is_not_cannot_be_watched():
    register()
    watched = ["callbacks=early_stopping", "callbacks.evaluate.during_training=true", "evaluation=search"]
    watched += ["benchmarks=miracl", "monitor=miracl/multilingual/ndcg@10"]
    with pytest.raises(ConfigError, match="monitor: miracl has no pool of all languages; set monitor=miracl/mono"):
        check_jobs("train", force_overrides(watched), multirun=False)
    check_jobs("train", force_overrides([*watched, "benchmarks.miracl.pooled=true"]), multirun=False)


def test_a_pool_that_no_full_ranking_can_hold():
    register()
    message = (
        "evaluation: the pool of miracl has 106 million passages, which cannot be ranked in full; set evaluation=s"
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_jobs("train", force_overrides(["benchmarks=miracl"]), multirun=False)
    check_jobs("train", force_overrides(["benchmarks=miracl", "benchmarks.miracl.languages=[yo,sw]"]), multirun=False)


@pytest.mark.parametrize(("column", "columns"), [("cluster", None), ("article", {"cluster": "article"})])
def test_queries_about_one_thing_are_a_cluster(tmp_path, column, columns):
    """The versions of q1 stay together; q2 and q3 are about one article, q4 says nothing and is alone."""
    write(
        tmp_path / "queries.jsonl",
        [
            {"_id": "q1", "text": "Wer?", "language": "de", column: "a"},
            {"_id": "q1", "text": "Who?", "language": "en", column: None},
            {"_id": "q2", "text": "Where?", "language": "en", column: 7},
            {"_id": "q3", "text": "When?", "language": "en", column: 7},
            {"_id": "q4", "text": "Why?", "language": "en", column: ""},
        ],
    )
    write(tmp_path / "corpus.jsonl", CORPUS)
    write(
        tmp_path / "qrels" / "test.tsv",
        [{"query-id": f"q{number}", "corpus-id": "d9", "score": 1} for number in (1, 2, 3, 4)],
    )
    found = load_benchmark(str(tmp_path), columns=columns)
    assert found.query_ids == ("q1", "q1", "q2", "q3", "q4")
    assert found.cluster_numbers.tolist() == [0, 0, 1, 1, 2]
    assert found.cluster_unit == column
    again = load_benchmark(str(tmp_path), columns=columns)
    assert again.cluster_numbers.tolist() == [0, 0, 1, 1, 2]


def test_without_a_column_each_query_is_a_cluster(tmp_path):
    found = load_benchmark(str(beir(tmp_path)))
    assert (found.clusters, found.cluster_unit) == (None, "query")


def test_a_column_of_clusters_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"name the right one in columns\.cluster$"):
        load_benchmark(str(beir(tmp_path)), columns={"cluster": "article"})

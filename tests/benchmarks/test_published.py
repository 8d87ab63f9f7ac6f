"""MIRACL, Mr. TyDi, NeuCLIR and Mewsli-X: small files of the published schemas, and their usual damage."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from babelbatch.benchmarks import mewsli_x, miracl, miracl_hard_negatives, mr_tydi, neuclir
from babelbatch.encoder import static
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.evaluation.metrics import NAMES
from babelbatch.records import Benchmark
from babelbatch.search.index import Exact
from babelbatch.sources import mewsli_x as mewsli_x_files
from babelbatch.sources import miracl as miracl_files
from babelbatch.sources import mr_tydi as mr_tydi_files
from corruptions import REMOVED, cut, cut_bytes, emptied, json_line, line, missing, not_gzip, not_utf8, repeated
from small_files import ARTICLE, json_lines, mewsli_folder, neuclir_folder, write, write_parquet


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


def docs(*rows: tuple[str, str, str]) -> str:
    return json_lines(*(dict(zip(("docid", "title", "text"), row, strict=True)) for row in rows))


def answers(benchmark: Benchmark) -> dict[tuple[str, str], list[str]]:
    """(id, language) of a query -> its relevant candidates."""
    bounds = benchmark.relevant_offsets.tolist()
    return {
        (id_, benchmark.languages[language]): [
            benchmark.candidate_ids[at] for at in benchmark.relevant[bounds[row] : bounds[row + 1]].tolist()
        ]
        for row, (id_, language) in enumerate(zip(benchmark.query_ids, benchmark.query_languages, strict=True))
    }


def miracl_folder(folder: Path) -> Path:
    """Swahili and Yoruba use the same ids for other things."""
    for language, topics, qrels, shards in (
        ("sw", "3\tWapi?\n5\tNani?\n8\tLini?\n",
         "3\tQ0\t1#0\t1\n3\tQ0\t2#0\t0\n5\tQ0\t2#0\t1\n5\tQ0\t2#1\t1\n8\tQ0\t1#0\t0\n",
         (docs(("1#0", "Kenya", "Hapa.")), docs(("2#0", "Ada", "Yeye."), ("2#1", "", "Bila kichwa.")))),
        ("yo", "3\tTani?\n", "3\tQ0\t1#0\t1\n", (docs(("1#0", "Ada", "Oun."),),)),
    ):  # fmt: skip
        at = folder / f"miracl-v1.0-{language}"
        write(at / "topics" / f"topics.miracl-v1.0-{language}-dev.tsv", topics)
        write(at / "qrels" / f"qrels.miracl-v1.0-{language}-dev.tsv", qrels)
        for number, shard in enumerate(shards):
            write(folder / f"miracl-corpus-v1.0-{language}" / f"docs-{number}.jsonl.gz", shard)
    return folder


def test_miracl(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="babelbatch")
    benchmark = miracl.load_benchmark(False, str(miracl_folder(tmp_path)), ["sw", "yo"])
    assert benchmark.languages == ("sw", "yo")
    assert answers(benchmark) == {
        ("sw:3", "sw"): ["sw:1#0"],
        ("sw:5", "sw"): ["sw:2#0", "sw:2#1"],
        ("yo:3", "yo"): ["yo:1#0"],
    }
    assert list(benchmark.candidate_texts) == ["Kenya Hapa.", "Ada Yeye.", "Bila kichwa.", "Ada Oun."]
    assert (benchmark.metric, benchmark.pooled, benchmark.gains) == ("ndcg@10", False, None)
    assert "miracl, passages in 'sw': 3 instead of 131,924, as published" in caplog.text
    assert "1 of 4 queries are skipped: no relevant candidate" in caplog.text
    with pytest.raises(ValueError, match="miracl has no xx; its languages are ar, bn, de, "):
        miracl.load_benchmark(False, str(tmp_path), ["xx"])


@pytest.mark.parametrize("index", [None, Exact()])
def test_languages_that_are_judged_apart_are_scored_apart(tmp_path, index):
    benchmark = miracl.load_benchmark(False, str(miracl_folder(tmp_path)), ["yo", "sw"])
    torch.manual_seed(0)
    encoder = static([*benchmark.candidate_texts, *benchmark.query_texts], vocab_size=200, hidden_size=32)
    result = Evaluation(index=index)(encoder, benchmark)
    assert {key.split("/")[1] for key in result.metrics} == {"monolingual"}
    for name in NAMES if index is None else set(NAMES) - {"map"}:
        of = [result.metrics[f"miracl/monolingual/{name}/{language}"] for language in ("sw", "yo")]
        assert result.metrics[f"miracl/monolingual/{name}"] == pytest.approx(np.mean(of))
    assert result.metrics["miracl/monolingual/recall@100"] == 1
    assert result.metric == "ndcg@10"
    assert result.per_query["setting"].unique().to_pylist() == ["monolingual"]


def mr_tydi_folder(folder: Path) -> Path:
    for name, of in (("finnish", ["Missä?", "Kuka?"]), ("thai", ["ใคร"])):
        questions = [
            {"query_id": str(row), "query": text, "positive_passages": [{"docid": f"{row}#0", "title": "", "text": ""}],
             "negative_passages": []}
            for row, text in enumerate(of)
        ]  # fmt: skip
        write(folder / f"mrtydi-v1.1-{name}" / "test.jsonl.gz", json_lines(*questions))
        rows = [(f"{row}#0", "Otsikko", f"vastaus {row}") for row in range(3)] + [("9#0", "", "")]
        write(folder / f"mrtydi-v1.1-{name}" / "corpus.jsonl.gz", docs(*rows))
    return folder


@pytest.mark.parametrize("index", [None, Exact()])
def test_mr_tydi(tmp_path, index):
    """A passage may be empty, as some are in the published files: nothing finds it."""
    benchmark = mr_tydi.load_benchmark(False, str(mr_tydi_folder(tmp_path)), ["fi", "th"])
    assert answers(benchmark) == {
        ("fi:0", "fi"): ["fi:0#0"],
        ("fi:1", "fi"): ["fi:1#0"],
        ("th:0", "th"): ["th:0#0"],
    }
    assert list(benchmark.candidate_texts)[2:4] == ["Otsikko vastaus 2", ""]
    assert (benchmark.metric, benchmark.pooled) == ("mrr@100", False)
    torch.manual_seed(0)
    encoder = static([*benchmark.candidate_texts, *benchmark.query_texts], vocab_size=200, hidden_size=32)
    found = Evaluation(index=index)(encoder, benchmark).metrics
    assert found["mr_tydi/monolingual/recall@100"] == 1
    assert found["mr_tydi/monolingual/mrr@100"] > 0


def test_neuclir(tmp_path, caplog):
    benchmark = neuclir.load_benchmark(2022, str(neuclir_folder(tmp_path)))
    assert benchmark.languages == ("fa", "ru", "zh")
    assert answers(benchmark) == {
        ("1", "fa"): ["fa:a", "ru:a"],
        ("1", "ru"): ["fa:a", "ru:a"],
        ("2", "ru"): ["ru:a", "zh:z"],
        ("2", "zh"): ["ru:a", "zh:z"],
    }
    assert benchmark.gains is not None
    assert benchmark.gains.tolist() == [3, 1, 3, 1, 3, 1, 3, 1]
    assert (benchmark.metric, benchmark.pooled, benchmark.candidate_texts[3]) == ("ndcg@20", True, "")
    assert "neuclir_2022, judged queries in 'fa': 1 instead of 45, as published" in caplog.text
    alone = neuclir.load_benchmark(2023, str(tmp_path), ["zh"])
    assert answers(alone) == {("2", "zh"): ["zh:z"]}
    assert alone.protocol.endswith("gain = grade; mteb/NeuCLIR2023RetrievalHardNegatives @ efb44bb7")


def test_miracl_hard_negatives(tmp_path):
    for language in ("sw", "yo"):
        write_parquet(tmp_path / f"{language}-queries" / "dev-00000-of-00001.parquet", [{"id": "3", "text": "Nani?"}])
        rows = [{"id": "1#0", "title": "Ada", "text": "Yeye."}, {"id": "2#0", "title": "", "text": "Hapana."}]
        write_parquet(tmp_path / f"{language}-corpus" / "dev-00000-of-00001.parquet", rows)
        judged = [{"query-id": "3", "corpus-id": f"{row}#0", "score": score} for row, score in ((1, 1), (2, 0), (3, 0))]
        write_parquet(tmp_path / f"{language}-qrels" / "dev-00000-of-00001.parquet", judged)
    benchmark = miracl_hard_negatives.load_benchmark(False, str(tmp_path), ["sw", "yo"])
    assert answers(benchmark) == {("sw:3", "sw"): ["sw:1#0"], ("yo:3", "yo"): ["yo:1#0"]}
    assert list(benchmark.candidate_texts) == ["Ada Yeye.", "Hapana."] * 2
    assert (benchmark.metric, benchmark.pooled) == ("ndcg@10", False)


def test_mewsli_x(tmp_path):
    benchmark = mewsli_x.load_benchmark(str(mewsli_folder(tmp_path)))
    assert benchmark.languages == ("de", "en", "id")
    assert answers(benchmark) == {("m3", "de"): ["Q105"], ("m1", "en"): ["Q1757"], ("m2", "en"): ["Q105"]}
    assert benchmark.query_texts == (
        "Montag: Ein { Montag } .",
        "Helsinki: In  { Helsinki } , a union has gone on strike.",  # of three spaces XTREME-R leaves two
        "Monday: It is a { Monday } .",
    )
    assert dict(zip(benchmark.candidate_ids, benchmark.candidate_texts, strict=True)) == {
        "Q105": "Montag ist ein Tag. Er folgt auf Sonntag.",
        "Q2": "Earth.",
        "Q1757": "Helsinki ialah ibu kota.",
    }
    assert (benchmark.metric, benchmark.pooled) == ("map@20", True)
    assert dict(zip(benchmark.query_ids, benchmark.cluster_numbers.tolist(), strict=True)) == {
        "m3": 0,
        "m1": 1,
        "m2": 1,
    }
    assert benchmark.cluster_unit == "document"
    alone = mewsli_x.load_benchmark(str(tmp_path), ["de"])
    assert (answers(alone), len(alone.candidate_ids)) == ({("m3", "de"): ["Q105"]}, 3)


def test_published_totals():
    """The sums that the pages of the data sets name."""
    assert sum(count for count, _ in miracl_hard_negatives.COUNTS.values()) == 11_076
    assert sum(count for _, count in miracl_hard_negatives.COUNTS.values()) == 2_449_382
    totals = {year: tuple(map(sum, zip(*task.counts.values(), strict=True))) for year, task in neuclir.TASKS.items()}
    assert totals == {2022: (136, 27_931), 2023: (224, 49_433)}
    assert sum(mewsli_x_files.MENTIONS.values()) == 14_624
    assert sum(counts[2] for counts in mr_tydi_files.COUNTS.values()) == 8_661
    assert sum(counts[3] for counts in mr_tydi_files.COUNTS.values()) == 58_043_326
    assert miracl_hard_negatives.COUNTS.keys() == miracl_files.COUNTS["dev"].keys()


MENTIONS, ENTITIES = "wikinews_mentions-test.jsonl", "candidate_set_entities.jsonl"


@pytest.mark.parametrize(
    ("file", "corrupt", "message"),
    [
        (MENTIONS, missing, f"{MENTIONS}: there is no such file; run get-mewsli-x.sh of google-research"),
        (ENTITIES, emptied, f"{ENTITIES}: the file is empty; copy or download it again"),
        (MENTIONS, cut, f"{MENTIONS}, line 2, column "),
        (ENTITIES, not_utf8, f"{ENTITIES}, line 2: not valid UTF-8 at byte "),
        (ENTITIES, json_line(1, description=REMOVED), "line 1: no 'description'; there are: entity_id, title, "),
        (ENTITIES, json_line(2, description=["x"]), "line 2: 'description' is [\"x\"], not a text"),
        (ENTITIES, json_line(2, description=" "), "line 2: 'description' is empty; write it"),
        (ENTITIES, json_line(2, sentence_spans=[]), "line 2: 'sentence_spans' leave nothing of 'description'"),
        (ENTITIES, json_line(2, sentence_spans=[{"start": 5, "end": 5}]), "has start 5 and end 5, which is no span"),
        (ENTITIES, repeated(1), f"{ENTITIES}, line 4: a candidate with the id of the one at "),
        (ENTITIES, json_line(1, entity_id="Q3"), f"{MENTIONS}, line 1: there is no candidate 'Q105'; add it, or"),
        (MENTIONS, json_line(1, context=REMOVED), "line 1: 'context' is None, not an object"),
        (
            MENTIONS,
            json_line(1, context=ARTICLE["context"] | {"text": "Strike"}),
            "the mention 'm1' is 'Helsinki'",
        ),
        (
            MENTIONS,
            json_line(1, context=ARTICLE["context"] | {"sentence_spans": [{"start": 0, "end": 18}]}),
            "line 1: the mention 'm1' is in no sentence of 'sentence_spans'",
        ),
        (MENTIONS, repeated(2), f"{MENTIONS}, line 3: query 'm3' in 'de' again, after "),
    ],
)
def test_damage_of_mewsli_x(tmp_path, file, corrupt, message):
    mewsli_folder(tmp_path)
    corrupt(tmp_path / file)
    with pytest.raises(ValueError, match=re.escape(message)):
        mewsli_x.load_benchmark(str(tmp_path))


TOPICS, QRELS = (f"miracl-v1.0-sw/{kind}/{kind}.miracl-v1.0-sw-dev.tsv" for kind in ("topics", "qrels"))
DOCS = "miracl-corpus-v1.0-sw/docs-1.jsonl.gz"


@pytest.mark.parametrize(
    ("file", "corrupt", "message"),
    [
        (TOPICS, missing, "topics.miracl-v1.0-sw-dev.tsv: there is no such file; put the file there, as in https://"),
        (TOPICS, emptied, "topics.miracl-v1.0-sw-dev.tsv: the file is empty"),
        (TOPICS, line(2, "5"), "topics.miracl-v1.0-sw-dev.tsv, line 2: 1 fields instead of 2"),
        (QRELS, not_utf8, "qrels.miracl-v1.0-sw-dev.tsv, line 2: not valid UTF-8"),
        (QRELS, line(3, "5\tQ0\t7#0\t1"), "qrels.miracl-v1.0-sw-dev.tsv, line 3: there is no candidate 'sw:7#0'; add"),
        (QRELS, line(3, "6\tQ0\t2#0\t1"), "qrels.miracl-v1.0-sw-dev.tsv, line 3: there is no query 'sw:6'; add it"),
        (DOCS, cut_bytes, "docs-1.jsonl.gz, line 3: damaged gzip file"),
        (DOCS, not_gzip, "docs-1.jsonl.gz, line 1: damaged gzip file"),
        (DOCS, json_line(1, docid="1#0"), "docs-1.jsonl.gz, line 1: a candidate with the id of the one at "),
        (DOCS, json_line(1, title=None), "docs-1.jsonl.gz, line 1: 'title' is null, not a text"),
    ],
)
def test_damage_of_miracl(tmp_path, file, corrupt, message):
    miracl_folder(tmp_path)
    corrupt(tmp_path / file)
    with pytest.raises(ValueError, match=re.escape(message)):
        miracl.load_benchmark(False, str(tmp_path), ["sw"])


QUESTIONS, CORPUS = "mrtydi-v1.1-finnish/test.jsonl.gz", "mrtydi-v1.1-finnish/corpus.jsonl.gz"


@pytest.mark.parametrize(
    ("file", "corrupt", "message"),
    [
        (CORPUS, missing, "corpus.jsonl.gz: there is no such file; put the file there"),
        (QUESTIONS, json_line(2, query=""), "test.jsonl.gz, line 2: 'query' is empty; write it"),
        (QUESTIONS, json_line(2, positive_passages=[]), "test.jsonl.gz, line 2: 'positive_passages' is empty"),
        (CORPUS, json_line(2, docid="7#0"), "test.jsonl.gz, line 2: there is no candidate 'fi:1#0'; add it"),
        (CORPUS, repeated(2), "corpus.jsonl.gz, line 5: a candidate with the id of the one at "),
    ],
)
def test_damage_of_mr_tydi(tmp_path, file, corrupt, message):
    mr_tydi_folder(tmp_path)
    corrupt(tmp_path / file)
    with pytest.raises(ValueError, match=re.escape(message)):
        mr_tydi.load_benchmark(False, str(tmp_path), ["fi"])


def test_damage_of_mteb_files(tmp_path):
    path = neuclir_folder(tmp_path) / "rus-corpus" / "test-00000-of-00001.parquet"
    whole = path.read_bytes()
    cut_bytes(path)
    with pytest.raises(ValueError, match=re.escape(f"{path}, after row 0: damaged Parquet file (")):
        neuclir.load_benchmark(2022, str(tmp_path))
    path.write_bytes(whole)
    (tmp_path / "fas-qrels" / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(ValueError, match=r"fas-qrels/\*\.parquet: there is no such file; put the file there, as in"):
        neuclir.load_benchmark(2022, str(tmp_path))


def test_a_download_that_is_not_what_was_published(tmp_path, monkeypatch):
    """Counts are compared, and what differs is no benchmark of that name."""
    folder = str(neuclir_folder(tmp_path))
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: folder)
    with pytest.raises(ValueError, match="neuclir_2022, judged queries in 'fa': 1 instead of 45, as published; remove"):
        neuclir.load_benchmark(2022)

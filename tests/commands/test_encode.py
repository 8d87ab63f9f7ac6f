"""babelbatch-encode: shards of vectors, and the commands that read them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hydra import compose, initialize_config_dir

from babelbatch.benchmarks.lareqa import load_benchmark
from babelbatch.cli import encode as command
from babelbatch.cli import search as search_command
from babelbatch.commands import encode as encode_module
from babelbatch.commands.mine import mine
from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.encoder import Encoder, load, save, static, tiny
from babelbatch.evaluation.encoding import encode
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.evaluation.text_sets import candidates_of, encoder_digest, identity_of, queries_of, stored_vectors
from babelbatch.jobs.overrides import force_overrides
from babelbatch.records import Benchmark
from babelbatch.search.index import Exact
from babelbatch.search.sharded_vectors import ShardedVectors
from commands import exit_code, run_forked
from configurations import problems
from conftest import WriteLareqa

LANGUAGES = ["de", "en", "zh"]
SHARDS = 3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, write_lareqa: WriteLareqa) -> Path:
    """A folder with an encoder that was not trained, LAReQA files and passages."""
    folder = tmp_path_factory.mktemp("encode")
    words = ["Lima", "Peru", "Fluss", "river", "城市", "capital", "Hauptstadt", "rain"]

    def paragraphs(language: str) -> list:
        return [
            (
                [f"{words[(row + shift) % 8]} {row} {language} {words[shift]}." for shift in range(4)],
                [(f"q{row}", f"{words[row % 8]} {row} {language}?", row % 4)],
            )
            for row in range(40)
        ]

    write_lareqa(folder / "data", {language: paragraphs(language) for language in LANGUAGES})
    texts = [text for language in LANGUAGES for passage, _ in paragraphs(language) for text in passage]
    model = tiny([*texts, "query passage"], vocab_size=200, hidden_size=16, heads=2, layers=1)
    model.settings = replace(model.settings, query_prefix="query: ", passage_prefix="passage: ")
    save(model, folder / "model")
    (folder / "wiki.txt").write_text("\n".join(texts[:200]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def model(place: Path) -> Encoder:
    return load(place / "model").eval()


@pytest.fixture(scope="module")
def benchmark(place: Path) -> Benchmark:
    return load_benchmark(dataset="lareqa", data_dir=str(place / "data"), languages=LANGUAGES)


def encode_typed(place: Path, *arguments: str) -> int:
    """The exit code of the command, run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr("sys.argv", ["babelbatch-encode", "encoder.name_or_path=model", "token_budget=64", *arguments])
        return exit_code(command)


SETS = ("benchmarks=lareqa", "benchmarks.lareqa.data_dir=data", "benchmarks.lareqa.languages=[de,en,zh]",
        "corpus=lareqa", "corpus.data_dir=data", "corpus.languages=[de,en,zh]", "passages=wiki.txt")  # fmt: skip


@pytest.fixture(scope="module")
def shards(place: Path) -> Path:
    """The vectors of everything, in three shards, and beside them in one."""
    for number in range(SHARDS):
        assert encode_typed(place, *SETS, f"shard={number}/{SHARDS}", "output=three") == 0
    assert encode_typed(place, *SETS, "output=one") == 0
    return place / "three"


def test_shards_are_the_vectors_of_one_process(
    shards: Path, place: Path, model: Encoder, benchmark: Benchmark, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the last bit, those that an evaluation computes."""
    queries, passages = stored_vectors([shards], [queries_of(benchmark), candidates_of(benchmark)], model)
    assert queries is not None
    assert passages is not None
    expected = encode(model, benchmark.query_texts, "query", 64, task=benchmark.name)
    assert np.array_equal(queries.whole(), expected)
    assert np.array_equal(passages.whole(), encode(model, benchmark.candidate_texts, "passage", 64))
    sizes = [len(pq.read_table(shards / "lareqa.passages" / f"{n}-of-3" / "ids.parquet")) for n in range(SHARDS)]
    assert sum(sizes) == len(benchmark.candidate_ids)
    assert min(sizes) > 0
    for row in pq.read_table(shards / "lareqa.passages" / "1-of-3" / "ids.parquet").to_pylist():
        assert row["id"] == benchmark.candidate_ids[row["row"]]
    capsys.readouterr()
    assert encode_typed(place, *SETS, "shard=1/3", "output=three") == 0
    printed = capsys.readouterr()[0]
    assert re.fullmatch(
        r"three/lareqa\.queries/1-of-3: \d+ of 120 vectors, 16 dimensions each; 4 of 4 pieces were there",
        printed.splitlines()[0],
    )
    assert [line.partition(":")[0] for line in printed.splitlines()] == [
        f"three/{name}/1-of-3"
        for name in ("lareqa.queries", "lareqa.passages", "corpus.queries", "corpus.passages", "passages")
    ]


def test_an_evaluation_reads_them(shards: Path, model: Encoder, benchmark: Benchmark, place: Path) -> None:
    for index in (None, Exact()):
        expected = Evaluation(token_budget=64, index=index)(model, benchmark)
        found = Evaluation(token_budget=64, index=index, vectors=str(shards))(model, benchmark)
        assert found.metrics == expected.metrics
        assert found.per_query.equals(expected.per_query)
    done = run_forked(
        "babelbatch-evaluate", "encoder.name_or_path=model", *SETS[:3], "logger=csv", "output_dir=evaluated",
        "evaluation.vectors=[three]", cwd=place,
    )  # fmt: skip
    assert "encoding" not in done.stderr
    scores = json.loads((place / "evaluated" / "metrics.json").read_text())
    expected = Evaluation(token_budget=64)(model, benchmark)
    assert {key: scores[key] for key in expected.metrics} == expected.metrics


@pytest.mark.slow
def test_xquad_r_in_shards_is_xquad_r_in_one_process(shared_data: Path, tmp_path: Path) -> None:
    """All numbers of the published files, to the last digit: 26,104 texts, three shards, an evaluation that encodes by
    itself."""
    xquad_r = load_benchmark("xquad_r", str(shared_data / "xquad-r"))
    torch.manual_seed(0)
    save(static([*xquad_r.candidate_texts, *xquad_r.query_texts], vocab_size=4_000, hidden_size=48), tmp_path / "model")
    files = ("benchmarks=xquad_r", f"benchmarks.xquad_r.data_dir={shared_data / 'xquad-r'}")
    for number in range(3):
        assert encode_typed(tmp_path, *files, f"shard={number}/3", f"output=node{number % 2}") == 0
    model = load(tmp_path / "model").eval()
    expected = Evaluation(token_budget=64)(model, xquad_r)
    found = Evaluation(token_budget=64, vectors=[str(tmp_path / "node0"), str(tmp_path / "node1")])(model, xquad_r)
    assert found.metrics == expected.metrics
    assert found.per_query.equals(expected.per_query)
    assert len(found.per_query) == 12 * 13_090
    assert 0.01 < found.metrics["xquad_r/multilingual/recall@10"] < 0.99


def test_queries_without_vectors_are_encoded(
    shards: Path, model: Encoder, benchmark: Benchmark, tmp_path: Path
) -> None:
    (tmp_path / "lareqa.passages").symlink_to(shards / "lareqa.passages")
    found = Evaluation(token_budget=64, vectors=[str(tmp_path)])(model, benchmark)
    assert found.metrics == Evaluation(token_budget=64)(model, benchmark).metrics


def test_mining_reads_them(shards: Path, place: Path, tmp_path: Path) -> None:
    register()
    tables = []
    for vectors in ("three", "one"):
        overrides = force_overrides([
            f"encoder.name_or_path={place / 'model'}", "corpus=lareqa", f"corpus.data_dir={place / 'data'}",
            "corpus.languages=[de,en,zh]", "mining.relative_margin=null", f"vectors={place / vectors}",
        ])  # fmt: skip
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose("mine", overrides)
        (tmp_path / vectors).mkdir()
        mine(cfg, tmp_path / vectors)
        assert not (tmp_path / vectors / "vectors").exists()
        tables.append(pq.read_table(tmp_path / vectors / "negatives.parquet"))
    assert len(tables[0]) > 100
    assert tables[0].equals(tables[1])


def test_a_search_reads_them(
    shards: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    for more in ([], ["vectors=three"], ["vectors=three", "index=hnsw"]):
        arguments = ["encoder.name_or_path=model", "passages=wiki.txt", "query=Lima Peru", *more]
        monkeypatch.chdir(place)
        monkeypatch.setattr("sys.argv", ["babelbatch-search", *arguments])
        assert exit_code(search_command) == 0
        printed.append(capsys.readouterr()[0])
    assert printed[0] == printed[1] == printed[2]
    assert printed[0].splitlines()[0] == "Lima Peru"


def test_vectors_of_something_else_are_refused(shards: Path, place: Path, model: Encoder, benchmark: Benchmark) -> None:
    texts = candidates_of(benchmark)
    digest = encoder_digest(model)
    same = identity_of(texts, model, digest)
    assert same == identity_of(candidates_of(benchmark), load(place / "model").eval(), digest)
    other = tiny(list(benchmark.query_texts), vocab_size=200, hidden_size=16, heads=2, layers=1)
    assert encoder_digest(other) != digest
    for encoder, named in ((other, benchmark), (model, changed(benchmark))):
        with pytest.raises(ValueError, match="vectors of another encoder or of other texts; remove"):
            Evaluation(vectors=str(shards))(encoder, named)
    with pytest.raises(ValueError, match="vectors") as caught:
        Evaluation(vectors=[str(place / "data")])(model, benchmark)
    assert str(caught.value) == (
        f"vectors: {place / 'data'} has no vectors of lareqa.passages; it is no folder of babelbatch-encode"
    )
    assert isinstance(next(stored_vectors([shards], [texts], model)), ShardedVectors)


def changed(benchmark: Benchmark) -> Benchmark:
    return replace(benchmark, candidate_texts=(*benchmark.candidate_texts[:-1], "another"))


def test_a_stopped_shard_goes_on(
    shards: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = encode_module.encode_part
    calls = []

    def stops(*arguments: object) -> object:
        calls.append(arguments[3:5])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return made(*arguments)

    shown = []
    monkeypatch.setattr(encode_module, "encode_part", stops)
    monkeypatch.setattr(encode_module, "track", lambda pieces, *_: shown.append(len(pieces)) or pieces)
    assert encode_typed(place, "passages=wiki.txt", "shard=2/3", "output=again") == 130
    assert encode_typed(place, "passages=wiki.txt", "shard=2/3", "output=again") == 0
    assert re.search(r"2 of 4 pieces were there$", capsys.readouterr()[0].strip())
    assert shown == [4, 2]  # pieces that were there are no work, and the rate does not count them
    assert calls == [(8, 12), (9, 12), (10, 12), (10, 12), (11, 12)]
    for file in (shards / "passages" / "2-of-3").glob("*.npy"):
        assert file.read_bytes() == (place / "again" / "passages" / "2-of-3" / file.name).read_bytes()


def test_mistakes_are_told_before_anything_is_loaded() -> None:
    assert problems("encoder.name_or_path=x", "shard=8/8", "dtype=float8", "precision=half", root="encode") == [
        "benchmarks: there are no texts to encode; set benchmarks=, corpus=, passages=, or several",
        "output: missing; set it to a folder for the vectors",
        "shard: there is no shard 8/8; they are 0/8 to 7/8",
        "dtype: 'float8' is not one of float32, float16, did you mean 'float32'?",
        "precision: 'half' is not one of float32, bfloat16",
    ]
    assert problems("encoder=bm25", "benchmarks=world_facts", "evaluation.vectors=gone", root="evaluate") == [
        "evaluation.vectors: BM25 has no dense vectors to read; leave it out",
        "evaluation.vectors: there is no folder 'gone'",
    ]
    assert problems("encoder=bm25", "passages=x", "output=y", root="encode") == [
        "encoder: BM25 has no dense vectors; choose another, and see how good it is with babelbatch-evaluate"
    ]
    assert problems("experiment=demo", "evaluation.vectors=/", root="train") == [
        "evaluation.vectors: a training run changes its vectors; leave it out, and set it in babelbatch-evaluate"
    ]
    assert problems("encoder.name_or_path=x", "passages=y", "vectors=7", root="search") == [
        "vectors: 7 is no folder; set it to one, or to a list of folders"
    ]

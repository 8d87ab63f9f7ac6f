"""Damaged and hostile files, at random with a fixed seed: each is refused with a ValueError, or read.

What has a checksum is read as it was written. BABELBATCH_FUZZ=3000 sets the number of mutations over all readers; by
default a few of each reader's are tried.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from babelbatch.benchmarks.lareqa import load_benchmark as lareqa_benchmark
from babelbatch.benchmarks.table import load_benchmark as table_benchmark
from babelbatch.commands.checkpoint import facts_of_run
from babelbatch.configuration.saved import saved_part
from babelbatch.corpora.bitext import load_corpus as bitext_corpus
from babelbatch.corpora.lareqa import load_corpus as lareqa_corpus
from babelbatch.corpora.table import load_corpus as table_corpus
from babelbatch.dashboard.runs import read_runs
from babelbatch.encoder import load, save, tiny
from babelbatch.foreign import from_folder, read_systems
from babelbatch.report.page import build_report, html, markdown
from babelbatch.report.terminal import read_rows, to_markdown
from babelbatch.search import vector_cache
from babelbatch.search.vectors import Vectors, VectorWriter
from babelbatch.sources.bad_rows import BadRows
from babelbatch.sources.lareqa import read
from babelbatch.sources.passages import read_passages
from babelbatch.sources.squad import examples
from babelbatch.storage.checkpoint_file import read_checkpoint, write_checkpoint
from babelbatch.storage.entry import cache_entry
from babelbatch.tokens.cache import find_or_build
from mutations import mutate_file
from run_folders import write_run

MUTATIONS = int(os.environ.get("BABELBATCH_FUZZ", "200"))
SEED = 14


@dataclass(frozen=True)
class Reader:
    """What is fuzzed. write: makes good files in a folder. files: patterns of those to damage. read: reads them, and
    returns what has to be equal if there is a checksum."""

    write: Callable[[Path], object]
    files: tuple[str, ...]
    read: Callable[[Path], object]
    verified: bool = False


def a_run(folder: Path) -> None:
    write_run(folder / "run", languages=("de", "en"), facts={"commit": "c0ffee", "languages/corpus": ["de", "en"]})


def reported(folder: Path) -> None:
    report = build_report([folder / "run"])
    markdown(report)
    html(report, [])


def summarised(folder: Path) -> None:
    to_markdown(read_rows([folder / "run"]))
    read_runs(folder)
    facts_of_run(folder / "run")
    saved_part(folder / "run" / "config.yaml", "corpus")


DECLARATION = {"benchmark": "facts", "setting": "monolingual", "query": "(?P<id>.+)/(?P<language>.+)"}


def a_trec_run(folder: Path) -> None:
    lines = [f"q{q}/de Q0 d{d} {d} {9 - d}.5 bm25" for q in range(4) for d in range(4)]
    (folder / "bm25.run").write_text("\n".join(lines) + "\n")
    (folder / "judged").write_text("".join(f"q{q}/de 0 d{q} 1\n" for q in range(4)))
    (folder / "system.yaml").write_text(yaml.safe_dump({"kind": "trec", "qrels": "judged", **DECLARATION}))


def tables(folder: Path) -> None:
    values = {f"q{q}/de": {"AP": 0.5, "nDCG@10": q / 4} for q in range(4)}
    rows = [(query, name, value) for query, found in values.items() for name, value in found.items()]
    for name, text in (
        ("a.json", json.dumps(values)),
        ("b.tsv", "".join(f"{query}\t{name}\t{value}\n" for query, name, value in rows)),
        ("c.jsonl", "".join(json.dumps({"query_id": q, "measure": m, "value": v}) + "\n" for q, m, v in rows)),
    ):
        (folder / name[0]).mkdir()
        (folder / name[0] / name).write_text(text)
        (folder / name[0] / "system.yaml").write_text(yaml.safe_dump({"kind": "table", **DECLARATION}))


def an_mteb_folder(folder: Path) -> None:
    lists = {"de": {"test": {f"q{q}-de": {f"d{d}": 9 - d + q / 10 for d in range(3)} for q in range(3)}}}
    (folder / "T_predictions.json").write_text(json.dumps({"mteb_model_meta": {"model_name": "m"}, **lists}))
    (folder / "judged").write_text("".join(f"q{q}-de 0 d{q} 1\n" for q in range(3)))
    declared = {"kind": "mteb", "benchmark": "facts", "qrels": "judged", "query": "(?P<id>.+)-(?P<language>.+)"}
    (folder / "system.yaml").write_text(yaml.safe_dump(declared))


def mteb_scores(folder: Path) -> None:
    scores = [{"hf_subset": "de", "ndcg_at_10": 0.5, "recall_at_100": 1.0, "main_score": 0.5}]
    (folder / "T.json").write_text(json.dumps({"task_name": "T", "scores": {"test": scores}}))
    declared = {"kind": "mteb", "benchmark": "facts", "subset": "(?P<language>.+)"}
    (folder / "system.yaml").write_text(yaml.safe_dump(declared))


def systems(folder: Path) -> None:
    for place in sorted({path.parent for path in folder.rglob("system.yaml")}):
        read_systems(from_folder(place))


def lareqa_files(folder: Path) -> None:
    paragraph = {
        "context": "One is a. Two is b.", "sentences": ["One is a.", "Two is b."],
        "sentence_breaks": [[0, 9], [10, 19]],
        "qas": [{"id": "q1", "question": "What is a?", "answers": [{"answer_start": 0, "text": "One"}]}],
    }  # fmt: skip
    for language in ("de", "en"):
        (folder / f"{language}.json").write_text(json.dumps({"data": [{"title": "t", "paragraphs": [paragraph]}]}))


def an_encoder(folder: Path) -> None:
    torch.manual_seed(0)
    save(tiny(["one text", "another text"] * 9, vocab_size=300, hidden_size=16, heads=2), folder / "encoder")


def a_cached_corpus(folder: Path) -> object:
    """Read from the cache, or built again where that is damaged."""

    def build(place: Path) -> dict[str, object]:
        np.save(place / "table.npy", np.arange(30))
        (place / "texts.txt").write_text("one two three")
        return {"languages": ["de", "en"]}

    entry = cache_entry("corpus", "small", {"rows": 3}, build)
    table = np.load(entry / "table.npy").tolist()
    return table, (entry / "texts.txt").read_text(), json.loads((entry / "corpus.json").read_text())["languages"]


def cached_tokens(folder: Path) -> object:
    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield np.arange(20, dtype=np.int32), np.full(4, 5, np.int64)

    entry = find_or_build(folder / "tokens", "small", blocks, "tokenising")
    return (entry / "ids.bin").read_bytes(), (entry / "offsets.bin").read_bytes()


VECTORS = np.arange(24, dtype=np.float32).reshape(6, 4)


def cached_vectors(folder: Path) -> object:
    found = vector_cache.load(folder, "small", VECTORS.shape)
    return None if found is None else found.tolist()


def stored_vectors(folder: Path) -> object:
    """A writer that continues verifies every byte."""
    writer = VectorWriter(folder / "vectors", 4, "same", shard_rows=3)
    writer.append(VECTORS[writer.rows :])
    return [shard.tolist() for shard in writer.close()]


def mapped_vectors(folder: Path) -> None:
    for shard in Vectors(folder / "vectors"):
        shard.sum()


def own_tables(folder: Path) -> None:
    """What users bring: pairs, parallel sentences, judged candidates, passages to search, each in several formats."""
    pairs = [
        (f"{number}", code, f"Question {number}?", f"Answer {number}.") for number in range(4) for code in ("en", "de")
    ]
    names = ("id", "language", "question", "passage")
    (folder / "pairs").mkdir()
    write_jsonl(folder / "pairs" / "a.jsonl", [dict(zip(names, row, strict=True)) for row in pairs])
    for end, separator in (("csv", ";"), ("tsv", "\t")):
        lines = [separator.join(row) for row in (names, *pairs)]
        (folder / "pairs" / f"{end}.{end}").write_text("\n".join(lines) + "\n")
    (folder / "bitext").mkdir()
    (folder / "bitext" / "a.de-en.tsv").write_text("Ja.\tYes.\nNein.\tNo.\nDanke.\tThanks.\n")
    unit = '<tu><tuv xml:lang="de"><seg>Ja.</seg></tuv><tuv xml:lang="en"><seg>Yes.</seg></tuv></tu>'
    (folder / "bitext" / "b.de-en.tmx").write_text(f"<tmx><header/><body>{unit}</body></tmx>")
    for name in ("beir", "beir/qrels", "trec"):
        (folder / name).mkdir()
    texts = [{"_id": f"d{number}", "text": f"Text {number}.", "language": "en"} for number in range(4)]
    write_jsonl(folder / "beir" / "corpus.jsonl", texts)
    write_jsonl(folder / "beir" / "queries.jsonl", texts)
    judged = "".join(f"d{number}\td{number}\t1\n" for number in range(4))
    (folder / "beir" / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    for name in ("queries.tsv", "collection.tsv"):
        (folder / "trec" / name).write_text("".join(f"d{number}\tText {number}.\n" for number in range(4)))
    (folder / "trec" / "qrels.txt").write_text("".join(f"d{number} 0 d{number} 1\n" for number in range(4)))


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def own_data(folder: Path) -> None:
    of_all(
        *(partial(table_corpus, str(path)) for path in sorted((folder / "pairs").iterdir())),
        *(partial(table_corpus, str(path), on_bad_row="skip") for path in sorted((folder / "pairs").iterdir())),
        partial(bitext_corpus, str(folder / "bitext")),
        partial(bitext_corpus, str(folder / "bitext"), on_bad_row="skip"),
        partial(table_benchmark, str(folder / "beir")),
        partial(table_benchmark, str(folder / "beir"), on_bad_row="skip"),
        partial(table_benchmark, str(folder / "trec"), layout="trec", language="en"),
        partial(read_passages, str(folder / "beir" / "corpus.jsonl"), "text", "language", None),
        partial(read_passages, str(folder / "beir" / "corpus.jsonl"), "text", "language", None, "skip"),
    )


def lareqa_data(folder: Path) -> None:
    """With the reader of SQuAD, whose format LAReQA extends."""
    of_all(
        partial(read, "xquad_r", str(folder), ["de", "en"]),
        partial(lareqa_corpus, data_dir=str(folder), negatives=2, on_bad_row="skip"),
        partial(lareqa_benchmark, "small", str(folder), on_bad_row="skip"),
        lambda: [*examples(folder / "de.json")],
        lambda: [*examples(folder / "de.json", bad=BadRows("skip"))],
    )


def of_all(*reads: Callable[[], object]) -> None:
    """Each reader, also those behind one that refuses its file, which is then raised in the end."""
    refused: list[ValueError] = []
    for read_one in reads:
        try:
            read_one()
        except ValueError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def a_checkpoint(folder: Path) -> None:
    write_checkpoint({"state_dict": {"a": torch.arange(9.0)}, "global_step": 1}, folder / "step-00000001.ckpt")


def checkpoint_values(folder: Path) -> object:
    return read_checkpoint(folder / "step-00000001.ckpt")["state_dict"]["a"].tolist()


READERS = {
    "report": Reader(a_run, ("run/metrics.json", "run/config.yaml", "run/per_query.parquet"), reported),
    "tables, dashboard, checkpoint": Reader(a_run, ("run/metrics.json", "run/config.yaml"), summarised),
    "TREC": Reader(a_trec_run, ("bm25.run", "judged", "system.yaml"), systems),
    "ir_measures, pytrec_eval": Reader(tables, ("a/a.json", "b/b.tsv", "c/c.jsonl", "a/system.yaml"), systems),
    "mteb lists": Reader(an_mteb_folder, ("T_predictions.json", "judged"), systems),
    "mteb scores": Reader(mteb_scores, ("T.json",), systems),
    "LAReQA": Reader(lareqa_files, ("de.json", "en.json"), lareqa_data),
    "own data": Reader(own_tables, ("pairs/*", "bitext/*", "beir/*.jsonl", "beir/qrels/*", "trec/*"), own_data),
    "encoder": Reader(
        an_encoder,
        tuple(
            f"encoder/{name}" for name in ("babelbatch.json", "config.json", "modules.json", "tokenizer_config.json")
        ),
        lambda folder: load(folder / "encoder"),
    ),
    "cached corpus": Reader(a_cached_corpus, ("cache/corpora/small-*/*",), a_cached_corpus, verified=True),
    "cached tokens": Reader(cached_tokens, ("tokens/small/*",), cached_tokens, verified=True),
    "cached vectors": Reader(
        lambda folder: vector_cache.save(folder, "small", VECTORS), ("small.vectors",), cached_vectors, verified=True
    ),
    "stored vectors": Reader(stored_vectors, ("vectors/*",), stored_vectors, verified=True),
    "mapped vectors": Reader(stored_vectors, ("vectors/*",), mapped_vectors),
    "checkpoint": Reader(a_checkpoint, ("*.ckpt",), checkpoint_values, verified=True),
}


def share(name: str) -> int:
    """The mutations of one reader: those of all readers add up to MUTATIONS."""
    each, rest = divmod(MUTATIONS, len(READERS))
    return each + (list(READERS).index(name) < rest)


@pytest.mark.filterwarnings("ignore")  # libraries warn of odd values; here only what is read counts
@pytest.mark.parametrize("name", READERS)
def test_damage_is_refused_or_harmless(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))
    reader = READERS[name]
    reader.write(tmp_path)
    expected = reader.read(tmp_path)
    paths = sorted(path for pattern in reader.files for path in tmp_path.glob(pattern) if path.is_file())
    assert paths
    originals = {path: path.read_bytes() for path in paths}
    source = random.Random(f"{SEED} {name}")
    ends: Counter[str] = Counter()
    for number in range(mutations := share(name)):
        for path, content in originals.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        damaged = source.choice(paths)
        mutate_file(damaged, originals[damaged], source)
        altered = damaged.read_bytes()
        try:
            found = reader.read(tmp_path)
        except ValueError as error:
            ends["refused" if str(error) else "refused without a word"] += 1
        except Exception as error:
            (Path(os.environ.get("BABELBATCH_FUZZ_FOUND", tmp_path)) / f"{number}{damaged.suffix}").write_bytes(altered)
            raise AssertionError(f"mutation {number} of {damaged.name}: {altered[:300]!r}") from error
        else:
            ends["read"] += 1
            if reader.verified:
                assert found in (expected, None), f"mutation {number} of {damaged.name}"
    assert "refused without a word" not in ends
    print(f"{name}: {dict(ends)}")
    assert sum(ends.values()) == mutations


def test_the_shares_of_the_readers_are_the_number_asked_for() -> None:
    assert sum(map(share, READERS)) == MUTATIONS

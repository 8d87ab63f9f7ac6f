"""Benchmarks on disk: built once, damage found, memory bounded; and the order of ids that breaks ties."""

from __future__ import annotations

import errno
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.benchmarks.stored import stored_benchmark
from babelbatch.evaluation.id_order import by_descending_id
from babelbatch.evaluation.query_sample import sample_queries
from babelbatch.records import Benchmark
from babelbatch.sources.lines import Place
from processes import PEAK, python


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


def build(folder: Path) -> list[str]:
    with PoolAssembly(folder) as assembly:
        for row, (id_, language) in enumerate((("c1", "sw"), ("c2", "en"), ("c3", "sw"), ("c4", "yo"))):
            assembly.candidate(id_, language, f"text {id_}", Place(Path("corpus.jsonl"), row + 1))
        for row, (id_, language) in enumerate((("q1", "sw"), ("q2", "yo"), ("q1", "en"), ("q3", "sw"))):
            assembly.query(id_, language, f"{id_} in {language}", Place(Path("queries.jsonl"), row + 1))
        for row, judged in enumerate((("q1", "c3", 2.0), ("q1", "c2", 1.0), ("q2", "c4", 1.0), ("q3", "c1", -1.0))):
            assembly.judgement(*judged, Place(Path("qrels.tsv"), row + 1))
        return assembly.finish(["sw", "en"])


def made(build=build) -> Benchmark:
    return stored_benchmark("small", {}, build, "made by hand", "ndcg@10")


def test_against_one_made_by_hand():
    """Yoruba is left out, and with it its query and its candidate; q3 has no answer."""
    benchmark = made()
    assert benchmark.languages == ("sw", "en")
    assert list(benchmark.candidate_ids) == ["c1", "c3", "c2"]
    assert list(benchmark.candidate_texts) == ["text c1", "text c3", "text c2"]
    assert benchmark.candidate_languages.tolist() == [0, 0, 1]
    assert (benchmark.query_ids, benchmark.query_texts) == (("q1", "q1"), ("q1 in sw", "q1 in en"))
    assert benchmark.query_languages.tolist() == [0, 1]
    assert benchmark.relevant_offsets.tolist() == [0, 2, 4]
    assert benchmark.relevant.tolist() == [1, 2, 1, 2]
    assert benchmark.gains.tolist() == [2, 1, 2, 1]
    assert (benchmark.metric, benchmark.pooled) == ("ndcg@10", True)


def test_built_once():
    first = made()
    again = made(lambda _: pytest.fail("built again"))
    assert again.fingerprint == first.fingerprint
    assert replace(again, pooled=False, metric="map").fingerprint == first.fingerprint
    assert replace(again, gains=None).fingerprint != first.fingerprint


def test_built_again_by_another_version(monkeypatch):
    """It may read the same files otherwise."""
    made()
    monkeypatch.setattr("babelbatch.storage.entry.__version__", "0.0.1")
    with pytest.raises(RuntimeError, match="built again"):
        made(build_again)


def test_a_build_that_failed_leaves_no_files(tmp_path):
    def refused(folder: Path) -> list[str]:
        with PoolAssembly(folder) as assembly:
            assembly.candidate("c1", "en", "text", Place(Path("corpus.jsonl"), 1))
            return assembly.finish()

    with pytest.raises(ValueError, match="no query has a relevant candidate"):
        made(refused)
    (folder,) = (tmp_path / "cache" / "benchmarks").glob("small-*.tmp")
    assert list(folder.iterdir()) == []


def build_again(folder: Path) -> list[str]:
    raise RuntimeError("built again")


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "file"))
    message = f"{tmp_path}/file/benchmarks: cannot be written (Not a directory); make room there, or set BABELBATCH_C"
    with pytest.raises(ValueError, match=re.escape(message)):
        made()


def test_a_full_disk_is_named_and_a_file_elsewhere_is_not_taken_for_it(tmp_path):
    def full(_: Path) -> list[str]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as `write` does: it names no file

    with pytest.raises(ValueError, match=r"cache/benchmarks: cannot be written \(No space left on device\); make ro"):
        made(full)
    with pytest.raises(FileNotFoundError):
        made(lambda _: (tmp_path / "mine.jsonl").read_text())


def test_a_damaged_entry_is_built_again(tmp_path, caplog):
    whole = made().fingerprint
    (file,) = (tmp_path / "cache" / "benchmarks").glob("small-*/candidates.txt")
    file.write_bytes(file.read_bytes()[:-1])
    assert made().fingerprint == whole
    assert "is damaged (candidates.txt has " in caplog.text


def test_gains_follow_sampled_questions():
    benchmark = made()
    several = replace(
        benchmark,
        query_ids=("a", "b", "c"),
        query_texts=("", "", ""),
        query_languages=np.zeros(3, np.int16),
        relevant_offsets=np.array([0, 1, 3, 4]),
        relevant=np.array([0, 1, 2, 0]),
        gains=np.array([1.0, 2.0, 3.0, 4.0]),
    )
    gains = {"a": [1], "b": [2, 3], "c": [4]}
    for count in (1, 2):
        sample = sample_queries(several, count)
        assert sample.gains.tolist() == [gain for id_ in sample.query_ids for gain in gains[id_]]
        assert len(sample.relevant) == len(sample.gains)


@given(st.sets(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6), min_size=1))
def test_ids_are_in_descending_order(ids):
    ids = list(ids)
    assert [ids[row] for row in by_descending_id(ids)] == sorted(ids, reverse=True)


_MANY = """
import json, sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from babelbatch.benchmarks.table import load_benchmark
from babelbatch.search.index import Exact
from babelbatch.evaluation.search_ranking import storage_order, search_ranks
from babelbatch.search.vectors import VectorWriter

before = peak()
benchmark = replace(load_benchmark(sys.argv[1]), name="mine")
loaded = peak()
order = storage_order(benchmark)
vectors = np.random.default_rng(0).normal(size=(len(order), 4)).astype(np.float32)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
writer = VectorWriter(Path(sys.argv[1]) / "vectors", 4, "test")
writer.append(vectors[order])
found = search_ranks(benchmark, vectors[benchmark.relevant], writer.close(), Exact(), 10, 1)
first = [benchmark.candidate_ids[row] for row in benchmark.relevant]
print(json.dumps({
    "queries": len(benchmark.query_ids), "candidates": len(benchmark.candidate_ids), "first": first[:2],
    "bounds": np.searchsorted(benchmark.candidate_languages, [0, 1, 2]).tolist(),
    "recall": float((found.ranks.in_pool <= 100).mean()),
    "loading": loaded - before, "ranking": peak() - before,
}))
"""


@pytest.mark.slow
def test_many_passages_stay_on_disk(tmp_path):
    """205 MB of passages: some forty bytes of each are held while they are read, and afterwards numbers alone."""
    filler = "x" * 480
    with (tmp_path / "corpus.jsonl").open("w") as corpus:
        for row in range(400_000):
            corpus.write(f'{{"_id": "d{row}", "text": "{row} {filler}", "language": "{("en", "de")[row % 2]}"}}\n')
    with (tmp_path / "queries.jsonl").open("w") as queries:
        queries.writelines(f'{{"_id": "q{row}", "text": "{row}?", "language": "en"}}\n' for row in range(200))
    (tmp_path / "qrels").mkdir()
    with (tmp_path / "qrels" / "test.tsv").open("w") as qrels:
        qrels.write("query-id\tcorpus-id\tscore\n")
        qrels.writelines(f"q{row}\td{row * 1_999}\t1\n" for row in range(200))
    found = json.loads(python(PEAK + _MANY, tmp_path).stdout)
    assert (found["queries"], found["candidates"], found["first"]) == (200, 400_000, ["d0", "d1999"])
    assert found["bounds"] == [0, 200_000, 400_000]
    assert found["recall"] == 1  # a query has the vector of its answer
    assert found["loading"] < 75_000, f"{found['loading']:,} KB"
    assert found["ranking"] < 200_000, f"{found['ranking']:,} KB"


def test_a_candidate_twice_names_both_places(tmp_path):
    with PoolAssembly(tmp_path) as assembly:
        for row in (3, 7):
            assembly.candidate("c1", "sw", "text", Place(Path("corpus.jsonl"), row))
        message = "corpus.jsonl, line 7: a candidate with the id of the one at corpus.jsonl, line 3 (1 such); ids must"
        with pytest.raises(ValueError, match=re.escape(message)):
            assembly.finish()

"""mMARCO's development set from small files of its formats."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from babelbatch.benchmarks.mmarco import load_benchmark
from babelbatch.sources import mmarco
from small_files import write

QRELS = "7\t0\t3\t1\n8\t0\t0\t1\n8\t0\t3\t1\n9\t0\t5\t1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three queries over six passages in German and English; a German passage is blank."""
    write(tmp_path / "qrels.dev.small.tsv", QRELS)
    for name in ("german", "english"):
        queries = "".join(f"{n}\t{name} query {n}\n" for n in (7, 8, 9))
        passages = "".join(f"{n}\t{'' if (name, n) == ('german', 5) else f'{name} passage {n}'}\n" for n in range(6))
        write(tmp_path / "data" / "google" / "queries" / "dev" / f"{name}_queries.dev.small.tsv", queries)
        write(tmp_path / "data" / "google" / "collections" / f"{name}_collection.tsv", passages)
    return tmp_path


def relevant(benchmark) -> dict[tuple[str, str], set[str]]:
    found = {}
    for row, (name, language) in enumerate(zip(benchmark.query_ids, benchmark.query_languages, strict=True)):
        answers = benchmark.relevant[benchmark.relevant_offsets[row] : benchmark.relevant_offsets[row + 1]]
        found[name, benchmark.languages[language]] = {benchmark.candidate_ids[answer] for answer in answers}
    return found


def test_queries_are_answered_in_every_language(folder: Path) -> None:
    benchmark = load_benchmark(str(folder), ["de", "en"], distractors=0)
    assert benchmark.languages == ("de", "en")
    assert list(benchmark.candidate_ids) == ["de:0", "de:3", "en:0", "en:3", "en:5"]
    assert benchmark.candidate_texts[1] == "german passage 3"
    expected = {"7": {"de:3", "en:3"}, "8": {"de:0", "en:0", "de:3", "en:3"}, "9": {"en:5"}}
    assert relevant(benchmark) == {
        (name, language): answers for name, answers in expected.items() for language in ("de", "en")
    }
    assert (benchmark.metric, benchmark.pooled, benchmark.cluster_unit) == ("ndcg@10", True, "passage")


def test_queries_of_one_passage_are_a_cluster(folder: Path) -> None:
    write(folder / "qrels.dev.small.tsv", "7\t0\t3\t1\n8\t0\t3\t1\n9\t0\t5\t1\n")
    benchmark = load_benchmark(str(folder), ["en"], distractors=0)
    assert benchmark.clusters is not None
    of = dict(zip(benchmark.query_ids, np.asarray(benchmark.clusters).tolist(), strict=True))
    assert of["7"] == of["8"] != of["9"]


def test_distractors_are_a_sample_of_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmarco, "PASSAGES", 6)
    pools = [set(load_benchmark(str(folder), ["en"], distractors=n).candidate_ids) for n in (0, 1, 2, 3)]
    assert pools[0] == {"en:0", "en:3", "en:5"}
    assert [len(pool) for pool in pools] == [3, 4, 5, 6]
    assert all(smaller < larger for smaller, larger in pairwise(pools))


def test_what_is_wrong_is_named(folder: Path) -> None:
    write(folder / "qrels.dev.small.tsv", "7\t0\t3\n")
    expected = (
        f"{folder / 'qrels.dev.small.tsv'}, line 1: 3 fields instead of 4 (query 0 candidate score); it may be cut"
    )
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole message is compared below
        load_benchmark(str(folder), ["en"])
    assert str(raised.value) == expected
    with pytest.raises(ValueError, match="distractors must be 0 or more, not -1"):
        load_benchmark(str(folder), ["en"], distractors=-1)

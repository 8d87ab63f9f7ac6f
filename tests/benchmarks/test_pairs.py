"""A table of pairs as a benchmark, and judgements in the layout of TREC."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from babelbatch.benchmarks.table import load_benchmark
from babelbatch.configuration.rules.benchmarks import problems_of_benchmarks

HEAD = "id,language,question,passage\n"
TEST = HEAD + "lima,en,Capital of Peru?,Lima is.\nlima,DE,Hauptstadt Perus?,Lima ist es.\nsea,en,By the sea?,Lima is.\n"
MORE = HEAD + "lima,en,ignored,Lima is.\nrome,en,,Rome is.\nrome,de,,Rom ist es.\n"


@pytest.fixture
def test_file(tmp_path: Path) -> Path:
    (tmp_path / "test.csv").write_text(TEST)
    (tmp_path / "more.csv").write_text(MORE)
    return tmp_path / "test.csv"


def test_candidates_judgements_and_clusters_come_from_the_rows(test_file: Path) -> None:
    more = str(test_file.parent / "more.csv")
    benchmark = load_benchmark(str(test_file), layout="pairs", candidates=more, metric="map")
    assert benchmark.languages == ("de", "en")
    assert list(zip(benchmark.query_ids, benchmark.query_languages.tolist(), strict=True)) == [
        ("lima", 1), ("lima", 0), ("sea", 1),
    ]  # fmt: skip
    assert list(zip(benchmark.candidate_texts, benchmark.candidate_languages.tolist(), strict=True)) == [
        ("Lima is.", 1), ("Lima ist es.", 0), ("Rome is.", 1), ("Rom ist es.", 0),
    ]  # fmt: skip
    bounds = benchmark.relevant_offsets.tolist()
    answers = [benchmark.relevant[a:b].tolist() for a, b in pairwise(bounds)]
    assert answers == [[0, 1], [0, 1], [0]]
    assert benchmark.clusters is not None
    assert benchmark.clusters.tolist() == [0, 0, 0]  # two questions share a passage, two an id
    assert (benchmark.cluster_unit, benchmark.metric, benchmark.pooled) == ("passage", "map", True)
    assert benchmark.protocol == (
        "pairs of test.csv and candidates of more.csv: candidate = passage, relevant = the question's own, in every "
        "language"
    )
    english = load_benchmark(str(test_file), layout="pairs", languages=["eng"])
    assert (english.languages, english.query_ids) == (("en",), ("lima", "sea"))


WITH_ID = "id,language,question,passage,passage_id\n"


def test_passages_that_answer_the_same_thing_are_all_candidates_and_relevant(tmp_path: Path) -> None:
    """In any language, also where the question is asked in one. The first was the only candidate of its passage_id."""
    (tmp_path / "test.csv").write_text(
        WITH_ID
        + "a,en,Capital of Peru?,Lima is.,lima\nb,en,Peru's capital?,It is Lima.,lima\nc,en,Italy's?,Rome is.,\n"
        "b,de,Hauptstadt Perus?,Lima ist es.,lima\n"
    )
    benchmark = load_benchmark(str(tmp_path / "test.csv"), layout="pairs")
    assert benchmark.query_ids == ("a", "b", "c", "b")
    assert benchmark.protocol == (
        "pairs of test.csv: candidate = passage, relevant = the question's own or with its passage_id, in every "
        "language"
    )
    assert benchmark.candidate_texts == ("Lima is.", "It is Lima.", "Rome is.", "Lima ist es.")
    bounds = benchmark.relevant_offsets.tolist()
    assert [benchmark.relevant[a:b].tolist() for a, b in pairwise(bounds)] == [[0, 1, 3], [0, 1, 3], [2], [0, 1, 3]]
    assert benchmark.clusters is not None
    assert benchmark.clusters.tolist() == [0, 0, 1, 0]


def test_a_candidate_with_the_text_of_an_answer_is_that_answer(tmp_path: Path) -> None:
    """With a passage_id in one table only there were two, and a perfect encoder had an average precision of a half."""
    (tmp_path / "test.csv").write_text(WITH_ID + "a,en,Capital of Peru?,Lima is.,lima\n")
    (tmp_path / "more.csv").write_text("language,passage\nen,Lima is.\nen,Rome is.\n")
    benchmark = load_benchmark(str(tmp_path / "test.csv"), layout="pairs", candidates=str(tmp_path / "more.csv"))
    assert benchmark.candidate_texts == ("Lima is.", "Rome is.")
    assert benchmark.relevant.tolist() == [0]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ("lima,en,,Lima.\n", {}, "test.csv, line 2: 'question' is empty; write it, or remove the row"),
        ("a,en,q,p\na,en,r,s\n", {}, "test.csv, line 3: a second query 'a' in 'en'; "),
        ("a,e/n,q,p\n", {}, "test.csv, line 2: 'e/n' is not a language; write a code such as en or zh-Hant"),
        ("a,en,q,p\n", {"languages": ["fr"]}, "languages: there is nothing in 'fr'; there are: en"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, rows: str, options: dict[str, list[str]], message: str) -> None:
    (tmp_path / "test.csv").write_text(HEAD + rows)
    with pytest.raises(ValueError, match=re.escape(message)):
        load_benchmark(str(tmp_path / "test.csv"), layout="pairs", languages=options.get("languages"))


def test_settings_of_other_layouts_are_refused(test_file: Path) -> None:
    node = {
        "_target_": "babelbatch.benchmarks.table.load_benchmark", "layout": "pairs", "path": str(test_file),
        "candidates": "nowhere.csv", "split": "dev", "exclude_same_id": True,
    }  # fmt: skip
    assert list(problems_of_benchmarks({"benchmarks": {"mine": node}})) == [
        "benchmarks.mine.candidates: there is no file or folder 'nowhere.csv'",
        "benchmarks.mine.split: layout=pairs has everything in its rows; leave it out",
        "benchmarks.mine.exclude_same_id: layout=pairs has everything in its rows; leave it out",
    ]


def test_two_files_of_judgements_ask_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "queries.tsv").write_text("q\tWho?\n")
    (folder / "collection.tsv").write_text("d\tShe.\n")
    for split in ("dev", "test"):
        (folder / f"qrels.{split}.txt").write_text("q 0 d 1\n")
    message = f"{folder}: several files of judgements: qrels.dev.txt, qrels.test.txt; name one in qrels=qrels.dev.txt"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_benchmark(str(folder), layout="trec", language="en")
    of_split = load_benchmark(str(folder), layout="trec", language="en", qrels="qrels.{split}.txt", split="dev")
    assert of_split.protocol == "trec files of mine, dev: relevant = judged above 0, gain = judgement"
    named = load_benchmark(str(folder), layout="trec", language="en", qrels="qrels.test.txt")
    assert named.protocol == "trec files of mine: relevant = judged above 0, gain = judgement"

"""Tables of FlagEmbedding and of sentence-transformers, as they are."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from babelbatch.corpora.table import load_corpus
from babelbatch.records import ABSENT, Corpus

Row = dict[str, object]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


def loaded(path: Path, *rows: Row, **settings: object) -> Corpus:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_corpus(str(path), language="en", **settings)


def triples(corpus: Corpus) -> list[tuple[str, str, list[str]]]:
    """Of each item its query, its passage and its negatives."""
    return [
        (
            corpus.query_texts[query],
            corpus.passage_texts[passage],
            [corpus.passage_texts[text] for text in wrong if text != ABSENT],
        )
        for query, passage, wrong in zip(
            corpus.queries[:, 0].tolist(), corpus.passages[:, 0].tolist(), corpus.negatives[:, 0].tolist(), strict=True
        )
    ]


def test_lists_of_positives_and_negatives(tmp_path: Path) -> None:
    """FlagEmbedding. Two answers of one question are never negatives of each other: they share a passage key."""
    rows = [
        {"query": "q1", "pos": ["p1", "p2"], "neg": ["n1", "n2"], "prompt": "ignored", "pos_scores": [1, 2]},
        {"query": "q2", "pos": ["p3"], "neg": []},
    ]
    corpus = loaded(tmp_path / "flag.jsonl", *rows)
    assert triples(corpus) == [("q1", "p1", ["n1", "n2"]), ("q1", "p2", ["n1", "n2"]), ("q2", "p3", [])]
    assert list(corpus.ids) == ["flag.jsonl:1", "flag.jsonl:1#2", "flag.jsonl:2"]
    assert corpus.passage_keys[0] == corpus.passage_keys[1] != corpus.passage_keys[2]
    named = loaded(tmp_path / "named.jsonl", *rows, columns={"question": "query", "passage": "pos", "negatives": "neg"})
    assert triples(named) == triples(corpus)
    with pytest.raises(ValueError, match=r"none.jsonl, line 2: 'pos' is empty; write a passage, or remove the row"):
        loaded(tmp_path / "none.jsonl", rows[0], {"query": "q", "pos": [], "neg": []})


def test_triplets(tmp_path: Path) -> None:
    row: Row = {"anchor": "q1", "positive": "p1", "negative": "n1"}
    assert triples(loaded(tmp_path / "one.jsonl", row)) == [("q1", "p1", ["n1"])]
    several: Row = {"anchor": "q1", "positive": "p1", "negative_1": "n1", "negative_2": "n2"}
    assert triples(loaded(tmp_path / "several.jsonl", several)) == [("q1", "p1", ["n1", "n2"])]
    assert triples(loaded(tmp_path / "none.jsonl", {"anchor": "q1", "positive": "p1"})) == [("q1", "p1", [])]


@pytest.mark.parametrize(
    ("question", "passage", "negative"),
    [("anchor", "positive", "negative"), ("query", "pos", "neg"), ("query", "positive", "negative")],
)
def test_negatives_are_read_whatever_the_other_columns_are(
    question: str, passage: str, negative: str, tmp_path: Path
) -> None:
    """Naming the columns that are found without it leaves out nothing."""
    row: Row = {question: "q1", passage: "p1", negative: "n1"}
    columns = {"question": question, "passage": passage}
    assert triples(loaded(tmp_path / "named.jsonl", row, columns=columns)) == [("q1", "p1", ["n1"])]
    usual: Row = {"question": "q1", "passage": "p1", negative: "n1", "negative_1": "n2"}
    assert triples(loaded(tmp_path / "usual.jsonl", usual)) == [("q1", "p1", ["n1", "n2"])]


def test_scores_of_two_sentences_are_labels(tmp_path: Path) -> None:
    rows = [{"sentence1": f"q{n}", "sentence2": f"p{n}", "score": score} for n, score in enumerate((1.0, 0.0))]
    assert triples(loaded(tmp_path / "pairs.jsonl", *rows)) == [("q0", "p0", [])]
    with pytest.raises(ValueError, match=r"'score' is 0\.83, neither 1 \(a pair\) nor 0; keep the rows that are"):
        loaded(tmp_path / "scores.jsonl", {"sentence1": "q", "sentence2": "p", "score": 0.83})
    ranked: Row = {"question": "q", "passage": "p", "score": 0.83}
    assert triples(loaded(tmp_path / "ranked.jsonl", ranked)) == [("q", "p", [])]


@pytest.mark.parametrize("columns", [None, {"question": "sentence1", "passage": "sentence2"}])
def test_labels(tmp_path: Path, columns: dict[str, str] | None, caplog: pytest.LogCaptureFixture) -> None:
    """A pair with the label 0 does not belong together, and is no item."""
    rows = [{"sentence1": f"q{n}", "sentence2": f"p{n}", "label": label} for n, label in enumerate((1, 0, 1.0, "0"))]
    with caplog.at_level(logging.INFO):
        corpus = loaded(tmp_path / "pairs.jsonl", *rows, columns=columns)
    assert triples(corpus) == [("q0", "p0", []), ("q2", "p2", [])]
    assert "corpus table: 2 rows with label 0 are no pairs, and are left out" in caplog.messages
    message = "line 1: 'label' is 0.83, neither 1 (a pair) nor 0; keep the rows that are pairs, without the column "
    with pytest.raises(ValueError, match="neither 1") as error:
        loaded(tmp_path / "scores.jsonl", {"sentence1": "q", "sentence2": "p", "label": 0.83}, columns=columns)
    assert f"{message}'label'" in str(error.value)


def test_the_usual_names_come_first(tmp_path: Path) -> None:
    """A column that another library would read is an ordinary one beside `question` and `passage`."""
    row: Row = {"question": "q", "passage": "p", "query": "x", "pos": "y", "label": "sports"}
    assert triples(loaded(tmp_path / "own.jsonl", row)) == [("q", "p", [])]

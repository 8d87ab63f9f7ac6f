"""Rows of a table that cannot be used: all are named at once, or left out and listed."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from babelbatch.corpora.table import load_corpus
from babelbatch.records import ABSENT, Corpus
from babelbatch.runs.results import skipped_facts

Row = dict[str, object]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


def row(id_: str, language: str = "en", **values: object) -> Row:
    return {"id": id_, "language": language, "question": f"{id_}?", "passage": f"{id_} {language}.", **values}


def table(path: Path, *rows: Row) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


def faulty(path: Path) -> Path:
    return table(
        path, row("a", negatives=["wrong"]), row("a", "de"), row("b", passage=None), row("a", negatives=["other"]),
        row("c", question=" "), row("d", language="no code!"), row("e", negatives="[1]"), row("f"), row("a"),
    )  # fmt: skip


def messages(path: Path) -> list[str]:
    return [
        f"{path}, line 3: 'passage' is null, not a text",
        f"{path}, line 5: 'question' is empty; write it, or remove the row",
        f"{path}, line 6: 'no code!' is not a language; write a code such as en or zh-Hant",
        f"{path}, line 7: 'negatives' is a list written as a text; give each negative its own column, negative_1, "
        "negative_2 ..., or write JSON lines",
        f"{path}, line 4: a second query in 'en' under its id; {path}, line 1 has the first; give each its own id",
        f"{path}, line 9: a second query in 'en' under its id; {path}, line 1 has the first; give each its own id",
    ]


def passages(corpus: Corpus) -> dict[str, list[str]]:
    """Item -> its passages."""
    return {
        id_: [corpus.passage_texts[text] for text in texts if text != ABSENT]
        for id_, texts in zip(corpus.ids, corpus.passages.tolist(), strict=True)
    }


def test_all_bad_rows_are_named_at_once(tmp_path: Path) -> None:
    path = faulty(tmp_path / "pairs.jsonl")
    head = "rows cannot be used; correct them, or set on_bad_row=skip to leave such rows out:"
    with pytest.raises(ValueError, match=r"on_bad_row=skip") as error:
        load_corpus(str(path))
    assert str(error.value) == "\n  ".join([f"4 {head}", *messages(path)[:4]])
    repeated = table(tmp_path / "repeated.jsonl", row("a"), row("a"), row("b"), row("a"))
    with pytest.raises(ValueError, match=r"on_bad_row=skip") as error:
        load_corpus(str(repeated))
    assert str(error.value).splitlines()[0] == f"2 {head}"
    assert str(error.value).splitlines()[2].startswith(f"  {repeated}, line 4: a second query in 'en' under its id; ")


def test_left_out_and_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = faulty(tmp_path / "pairs.jsonl")
    for _ in ("built", "from the cache"):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            corpus = load_corpus(str(path), on_bad_row="skip")
        expected = "\n  ".join(["corpus table: 6 rows are left out (on_bad_row=skip):", *messages(path)])
        assert caplog.messages == [expected]
        assert passages(corpus) == {"a": ["a en.", "a de."], "f": ["f en."]}
        assert [corpus.passage_texts[text] for text in corpus.negatives.ravel() if text != ABSENT] == ["wrong"]
    assert skipped_facts("corpus", corpus.skipped_rows) == {
        "skipped_rows/corpus": 6,
        "skipped_lines/corpus": messages(path),
    }
    clean = load_corpus(str(table(tmp_path / "clean.jsonl", row("x"), row("y"))), on_bad_row="skip")
    assert skipped_facts("corpus", clean.skipped_rows) == {}


def test_a_missing_column_is_told_at_the_first_row(tmp_path: Path) -> None:
    path = table(tmp_path / "pairs.jsonl", *[{"language": "en", "query": "q", "passage": "p"}] * 3)
    with pytest.raises(ValueError, match=r"pairs.jsonl, line 1: no column 'question'; there are: language, query,"):
        load_corpus(str(path), on_bad_row="skip")

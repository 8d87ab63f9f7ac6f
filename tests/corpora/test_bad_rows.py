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


CUT = "not valid JSON (Unterminated string starting at); there is one object a line, and the last one may be cut off"


def test_lines_that_are_no_rows(tmp_path: Path) -> None:
    """Of every format. The rows around them are read, also after one that is no JSON at the beginning."""
    good = [json.dumps(row(id_)).encode() + b"\n" for id_ in ("a", "b")]
    json_lines, comma, tab, array = (tmp_path / f"pairs.{name}" for name in ("jsonl", "csv", "tsv", "json"))
    json_lines.write_bytes(b"<html>\n" + good[0] + b"[1]\n\xff\n" + good[1] + b'{"id": "c')
    comma.write_text("id,language,question,passage\na,en,a?\na,en,a?,a en.\nb,en,b?,b en.,more\nb,en,b?,b en.\n")
    tab.write_text(comma.read_text().replace(",", "\t"))
    array.write_text(json.dumps([row("a"), "no row", row("b")]))
    noted = {
        json_lines: [
            f"{json_lines}, line 1, column 1: not valid JSON (Expecting value); there is one object a line, and the "
            "last one may be cut off",
            f'{json_lines}, line 3: [1] is not an object such as {{"id": ...}}',
            f"{json_lines}, line 4: not valid UTF-8 at byte 0; convert the file to UTF-8",
            f"{json_lines}, line 6, column 8: {CUT}",
        ],
        comma: [f"{comma}, line {n}: {fields} fields instead of 4; quote fields that hold a comma"
                for n, fields in ((2, 3), (4, 5))],
        tab: [f"{tab}, line {n}: {fields} fields instead of 4, separated by tabs; the line may be cut"
              for n, fields in ((2, 3), (4, 5))],
        array: [f"{array}, element 2: no row is not an object"],
    }  # fmt: skip
    for path, of_file in noted.items():
        corpus = load_corpus(str(path), on_bad_row="skip")
        assert passages(corpus) == {"a": ["a en."], "b": ["b en."]}
        assert skipped_facts("corpus", corpus.skipped_rows) == {
            "skipped_rows/corpus": len(of_file),
            "skipped_lines/corpus": of_file,
        }
        with pytest.raises(ValueError, match=r"on_bad_row=skip") as error:
            load_corpus(str(path))
        assert all(message in str(error.value) for message in of_file)


@pytest.mark.parametrize("name", ["page.jsonl", "page.json"])
def test_a_file_that_is_no_table_is_refused_by_its_first_line(tmp_path: Path, name: str) -> None:
    """Not skipped line by line, nor listed line by line."""
    (tmp_path / name).write_text("<html>\n" * 1_000)
    with pytest.raises(
        ValueError, match=rf"^\S+{name}, (line|entry) 1, column 1: not valid JSON \(Expecting value\); [^\n]+off$"
    ):
        load_corpus(str(tmp_path / name), on_bad_row="skip")

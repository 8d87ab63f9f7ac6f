"""MKQA and Mintaka: questions in many languages, and their short answers."""

from __future__ import annotations

import json
import logging
import re

import pytest

from babelbatch.corpora import mintaka, mkqa
from babelbatch.records import ABSENT, Corpus
from corruptions import REMOVED, cut, cut_bytes, emptied, json_line, line, missing, not_gzip, not_utf8, repeated
from small_files import MKQA_LANGUAGES, mintaka_row, mkqa_row, question, write_mintaka, write_mkqa


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


def text(corpus: Corpus, kind: str, item: int, language: str) -> str | None:
    rows = {"question": corpus.queries, "passage": corpus.passages}[kind]
    row = rows[item, corpus.languages.index(language)]
    return None if row == ABSENT else {"question": corpus.query_texts, "passage": corpus.passage_texts}[kind][row]


KINDS = ["entity", "unanswerable", "date", "long_answer", "binary", "number", "number_with_unit", "short_phrase"]


def test_mkqa_in_all_languages(tmp_path, caplog):
    rows = [
        mkqa_row(item, kind, None if kind in {"unanswerable", "long_answer"} else "{1} {0}")
        for item, kind in enumerate(KINDS)
    ]
    write_mkqa(tmp_path, rows)
    with caplog.at_level(logging.INFO):
        corpus = mkqa.load_corpus(str(tmp_path))
    assert "mkqa: questions: 8 instead of 10,000, as published" in caplog.messages
    left_out = (
        "1 with an answer that is unanswerable, 1 with an answer that is long_answer, 1 with an answer that is bi"
    )
    assert any(message.startswith(f"mkqa: 3 of 8 rows are skipped: {left_out}") for message in caplog.messages)
    assert len(corpus.languages) == 24
    assert {*corpus.languages} == {*MKQA_LANGUAGES} - {"zh_cn", "zh_hk", "zh_tw"} | {"zh"}
    assert list(corpus.ids) == [str(563260143484355911 - item) for item in (0, 2, 5, 6, 7)]
    assert (text(corpus, "question", 1, "zh"), text(corpus, "passage", 1, "zh")) == (question(2, "zh_cn"), "zh_cn 2")
    assert (text(corpus, "question", 4, "km"), text(corpus, "passage", 4, "km")) == (question(7, "km"), "km 7")


def test_mkqa_by_kind_and_language(tmp_path):
    rows = [mkqa_row(item, kind) for item, kind in enumerate(KINDS)]
    rows[0]["answers"]["de"][0]["text"] = None
    rows.append(mkqa_row(8))
    rows[8]["answers"]["en"].insert(0, {"type": "entity", "text": "the first", "entity": "Q1"})
    write_mkqa(tmp_path, rows)
    corpus = mkqa.load_corpus(str(tmp_path), ["zh-TW", "de", "en"], ["entity"])
    assert (corpus.languages, len(corpus)) == (("zh-TW", "de", "en"), 2)
    assert text(corpus, "question", 0, "zh-TW") == question(0, "zh_tw")
    assert (text(corpus, "question", 0, "de"), text(corpus, "passage", 0, "de")) == (question(0, "de"), None)
    assert text(corpus, "passage", 1, "en") == "the first"


_NO = "; copy or download it again"
MKQA_FAULTS = {
    "missing": (missing, ": there is no such file; put there what https://raw.githubusercontent.com/apple/ml-mkqa/"),
    "empty": (emptied, f": the file is empty{_NO}"),
    "cut": (cut, ", line 4, column "),
    "cut gzip": (cut_bytes, ", line 5: damaged gzip file ("),
    "not gzip": (not_gzip, ", line 1: damaged gzip file ("),
    "not UTF-8": (not_utf8, ", line 2: not valid UTF-8 at byte "),
    "no queries": (json_line(2, queries=REMOVED), ", line 2: no 'queries'; there are: query, answers, example_id"),
    "not an object": (json_line(2, answers=[]), ", line 2: 'answers' is [], not an object"),
    "no answer": (json_line(2, answers={"en": []}), ", line 2: 'answers' has an empty list for 'en'"),
    "no type": (json_line(2, answers={"en": [{"text": "x"}]}), ", line 2: no 'type'; there are: text"),
    "no language": (json_line(2, queries={"en": "x?"}), ", line 2: no 'ar'; there are: en"),
    "no id": (json_line(2, example_id="x"), ", line 2: 'example_id' is \"x\", not a whole number"),
    "twice": (repeated(2), ", line 5: a second query in 'ar' under its id; "),
    "no JSON": (line(3, "{"), ", line 3, column "),
}


@pytest.mark.parametrize("fault", MKQA_FAULTS)
def test_corruptions_of_mkqa(tmp_path, fault):
    corrupt, message = MKQA_FAULTS[fault]
    path = write_mkqa(tmp_path, [mkqa_row(item) for item in range(4)])
    corrupt(path)
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}{message}")):
        mkqa.load_corpus(str(tmp_path))


def test_blank_questions_of_mkqa(tmp_path):
    rows = [mkqa_row(item) for item in range(4)]
    rows[1]["queries"]["fi"] = " "
    path = write_mkqa(tmp_path, rows)
    with pytest.raises(ValueError, match=re.escape(f"{path}, line 2: the question in 'fi' is empty; 1 of 5 rows have")):
        mkqa.load_corpus(str(tmp_path))


def test_mintaka_in_all_languages(tmp_path, caplog):
    rows = [mintaka_row(item) for item in range(3)]
    rows[1] = mintaka_row(1, names=("Mount {}", "River {}"), without=("ar", "hi"))
    for item, (kind, answer) in enumerate([("boolean", [True]), ("numerical", [4]), ("entity", None)], start=3):
        rows.append(mintaka_row(item))
        rows[-1]["answer"] |= {"answerType": kind, "answer": answer}
    write_mintaka(tmp_path, rows)
    with caplog.at_level(logging.INFO):
        corpus = mintaka.load_corpus(str(tmp_path))
    reasons = "1 with an answer that is boolean, 1 with an answer that is numerical, 1 whose answer is not linked"
    assert f"mintaka: 3 of 6 rows are skipped: {reasons}" in caplog.messages
    assert (corpus.languages, len(corpus)) == (mintaka.LANGUAGES, 3)
    assert (text(corpus, "question", 0, "en"), text(corpus, "passage", 0, "en")) == (question(0, "en"), "Mount 0 en")
    assert (text(corpus, "question", 2, "ja"), text(corpus, "passage", 2, "ja")) == (question(2, "ja"), "Mount 2 ja")
    assert text(corpus, "passage", 1, "fr") == "Mount 1 fr, River 1 fr"
    assert (text(corpus, "question", 1, "hi"), text(corpus, "passage", 1, "hi")) == (question(1, "hi"), None)


def _row(**changes: object) -> list[dict]:
    row = mintaka_row(1) | changes
    return [mintaka_row(0), {key: value for key, value in row.items() if value is not REMOVED}]


_OLD = {"answerType": "entity", "answer": [{"name": "Q1", "label": "Mount"}]}
MINTAKA_FAULTS = {
    "missing": (missing, ": there is no such file; put there what https://raw.githubusercontent.com/amazon-science/mi"),
    "empty": (emptied, f": the file is empty{_NO}"),
    "cut": (cut_bytes, ", after element 1: not valid JSON (parse error: premature EOF); the file may be cut off: "),
    "not UTF-8": (not_utf8, ", after element 0: not valid "),
    "no list": (b'{"id": 1}', ": there is no list in it, or it is empty; copy or download the file again"),
    "not an object": (b'["x"]', ", element 1: x is not an object"),
    "no answer": (_row(answer=REMOVED), ", entry 2: no 'answer'; there are: id, "),
    "no kind": (_row(answer={}), ", entry 2: no 'answerType'; there are: "),
    "version 1.0": (
        _row(answer=_OLD),
        ", entry 2: 'label' is one text: this is Mintaka 1.0; take version 1.1, with ",
    ),
    "no translations": (_row(translations=[]), ", entry 2: 'translations' is [], not an object"),
    "no language": (_row(translations={}), ", entry 2: no 'ar'; there are: "),
    "blank": (
        _row(question=""),
        ", entry 2: the question in 'en' is empty; 1 of 3 rows have this fault, too many to",
    ),
    "no text": (_row(question=3), ", entry 2: 'question' is 3, not a text"),
    "no id": (_row(id=REMOVED), ", entry 2: no 'id'; there are: question, "),
    "twice": ([mintaka_row(0)] * 2, ", entry 2: a second query in 'en' under its id; "),
}


@pytest.mark.parametrize("fault", MINTAKA_FAULTS)
def test_corruptions_of_mintaka(tmp_path, fault):
    corrupt, message = MINTAKA_FAULTS[fault]
    path = write_mintaka(tmp_path, [mintaka_row(0), mintaka_row(1)])
    if callable(corrupt):
        corrupt(path)
    elif isinstance(corrupt, bytes):
        path.write_bytes(corrupt)
    else:
        path.write_text(json.dumps(corrupt))
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}{message}")):
        mintaka.load_corpus(str(tmp_path))

"""The SQuAD format, nested and flat: the same questions from both, and what is said about what is wrong."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from babelbatch.sources.lines import Place
from babelbatch.sources.squad import Answer, Example, examples

LIMA = "Lima is the capital of Peru. It lies on the Pacific coast."
NILE = "Der Nil ist 6650 km lang; er mündet ins Mittelmeer."
QUESTIONS = [  # id, question, context, answers
    ("lima-1", "What is the capital of Peru?", LIMA, [("Lima", 0)]),
    ("lima-2", "Where does Lima lie?", LIMA, [("the Pacific coast", 40), ("Pacific", 44)]),
    ("nil-1", "Wie lang ist der Nil?", NILE, [("6650 km", 99)]),
    ("nil-2", "Wo entspringt er?", NILE, []),
]


def nested(questions: list = QUESTIONS) -> dict:
    articles = []
    for context in dict.fromkeys(question[2] for question in questions):
        qas = [
            {"id": id_, "question": text, "answers": [{"text": answer, "answer_start": at} for answer, at in answers]}
            for id_, text, where, answers in questions
            if where == context
        ]
        articles.append({"title": "a title", "paragraphs": [{"context": context, "qas": qas}]})
    return {"version": "1.1", "data": articles}


def flat(questions: list = QUESTIONS) -> list[dict]:
    return [
        {
            "id": id_,
            "title": "a title",
            "context": context,
            "question": text,
            "answers": {"text": [answer for answer, _ in answers], "answer_start": [at for _, at in answers]},
        }
        for id_, text, context, answers in questions
    ]


def write_flat(path: Path, questions: list = QUESTIONS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(flat(questions)), path)
    return path


def test_nested_and_flat_files_hold_the_same(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(nested(), ensure_ascii=False), encoding="utf-8")
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(nested()).encode()))
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, flat())))
    write_flat(tmp_path / "d.parquet")
    starts = [[0], [40, 44], [None], []]  # the third is not where it says
    for name in ("a.json", "b.json.gz", "c.jsonl", "d.parquet"):
        path = tmp_path / name
        assert list(examples(path)) == [
            Example(
                Place(path, number),
                *question[:3],
                tuple(Answer(text, start) for (text, _), start in zip(question[3], at, strict=True)),
            )
            for number, (question, at) in enumerate(zip(QUESTIONS, starts, strict=True), start=1)
        ]
    assert str(next(examples(tmp_path / "b.json.gz")).place) == f"{tmp_path / 'b.json.gz'}, entry 1"


_AGAIN = "copy or download it again"
_WHOLE = json.dumps(nested(), ensure_ascii=False).encode()
_PLAIN = {"id": "1", "question": "q?", "context": "a b", "answers": [{"text": "b", "answer_start": 2}]}


def paragraph(**changes: object) -> bytes:
    """A nested file of one question. Of `changes`, an ellipsis removes a key."""
    question = {key: value for key, value in {**_PLAIN, **changes}.items() if value is not ...}
    about = {"context": question.pop("context")} if "context" in question else {}
    return json.dumps({"data": [{"paragraphs": [{**about, "qas": [question]}]}]}).encode()


DAMAGED = {  # what is wrong: its content, and what stands behind the path in the message
    "empty": (b"", f": the file is empty; {_AGAIN}"),
    "cut off": (_WHOLE[:-40], ", after element 1: not valid JSON (parse error: premature EOF); the file may be cut"),
    "not UTF-8": (_WHOLE.replace("ü".encode(), b"\xff"), ", after element 1: not valid UTF-8; convert the file to"),
    "no list": (b'{"version": "1.1"}', ": there is no list under 'data', or it is empty; copy or download the file"),
    "not objects": (b'{"data": ["x"]}', ", element 1: x is not an object"),
    "no paragraphs": (b'{"data": [{"title": "x"}]}', ", element 1: 'paragraphs' is missing, not a list of objects"),
    "no questions": (b'{"data": [{"paragraphs": []}]}', f": no question in it; {_AGAIN}"),
    "no context": (paragraph(context=...), ", element 1: a paragraph has no 'context'; there are: qas"),
    "blank context": (paragraph(context=" "), ", entry 1: 'context' is empty; write it, or remove the row"),
    "no id": (paragraph(id=...), ", entry 1: no 'id'; there are: question, answers"),
    "blank question": (paragraph(question=""), ", entry 1: 'question' is empty; write it, or remove the row"),
    "not a text": (paragraph(question=3), ", entry 1: 'question' is 3, not a text"),
    "no answers": (paragraph(answers=None), ", entry 1: 'answers' is null, not a list of objects"),
    "no start": (paragraph(answers=[{"text": "b"}]), ", entry 1: 'answer_start' is null, not a whole number"),
}


@pytest.mark.parametrize("fault", DAMAGED)
def test_damage_to_a_nested_file(tmp_path, fault):
    data, message = DAMAGED[fault]
    path = tmp_path / "en.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}{message}")):
        list(examples(path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answers": ["b"]}, """'answers' is ["b"], not a list of objects"""),
        ({"answers": {"text": ["b"]}}, "no 'answer_start'; there are: text"),
        ({"answers": {"text": ["b"], "answer_start": []}}, "1 texts of answers, but 0 of 'answer_start'"),
        ({"answers": {"text": ["b"], "answer_start": ["2"]}}, """'answer_start' is "2", not a whole number"""),
        ({"question": "\ud800?"}, "character 0 of 'question' is half of a surrogate pair, which is not Unicode"),
    ],
)
def test_damage_to_a_row(tmp_path, changes, message):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**_PLAIN, **changes}))
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}, line 1: {message}")):
        list(examples(path))


def test_blank_texts_where_they_may_be(tmp_path):
    path = tmp_path / "en.json"
    path.write_bytes(paragraph(question=" ", answers=[{"text": "", "answer_start": 0}]))
    (example,) = examples(path, blank=True)
    assert (example.question, example.answers) == (" ", (Answer("", None),))


def test_damaged_gzip(tmp_path):
    path = tmp_path / "en.json.gz"
    path.write_bytes(gzip.compress(_WHOLE)[:-9])
    with pytest.raises(ValueError, match=r"en\.json\.gz, after element \d: damaged gzip file \(Compressed file ended"):
        list(examples(path))
    with pytest.raises(ValueError, match=r"none\.json: cannot be read \(No such file or directory\)"):
        list(examples(tmp_path / "none.json"))

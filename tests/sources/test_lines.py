"""Rows of files, and what is said about files that are not what they should be."""

from __future__ import annotations

import csv
import gzip
import io
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from babelbatch.sources.hub import Published, locate_files
from babelbatch.sources.lines import fields, lines, list_in, text_in
from babelbatch.sources.records import records

ROWS = [{"id": "1", "text": 'Grüße, "Welt"\nund mehr'}, {"id": "2", "text": "สวัสดี null NA"}, {"id": "3", "text": "c"}]


def test_every_format_gives_the_same_rows(tmp_path):
    head = io.StringIO()
    writer = csv.DictWriter(head, ["id", "text"])
    writer.writeheader()
    writer.writerows(ROWS)
    jsonl = '{"id": "1", "text": "Grüße, \\"Welt\\"\\nund mehr"}\n\n'
    jsonl += '{"id": "2", "text": "สวัสดี null NA"}\r\n{"id": "3", "text": "c"}'
    files = {"a.jsonl": jsonl.encode(), "b.csv": head.getvalue().encode(), "c.json": b"\xef\xbb\xbf" + jsonl.encode()}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(data))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "d.parquet")
    names = [*files, *(f"{name}.gz" for name in files), "d.parquet"]
    for name in names:
        assert [record for _, record in records(tmp_path / name)] == ROWS, name
    assert [place.line for place, _ in records(tmp_path / "a.jsonl")] == [1, 3, 4]
    assert [place.line for place, _ in records(tmp_path / "b.csv")] == [2, 4, 5]
    assert str(next(records(tmp_path / "d.parquet"))[0]) == f"{tmp_path / 'd.parquet'}, row 1"


def test_tsv_has_no_quoting(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('id\ttext\n1\t"an open quote\n2\tNA\n3\t\n')
    texts = [record["text"] for _, record in records(path)]
    assert texts == ['"an open quote', "NA", ""]
    assert [row for _, row in fields(path, 2)][1] == ["1", '"an open quote']


def test_a_field_over_several_lines_keeps_its_empty_ones(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,"a\n\n\nb"\n2,c\n')
    assert [(place.line, record["text"]) for place, record in records(path)] == [(2, "a\n\n\nb"), (6, "c")]


_AGAIN = "; copy or download it again"
_CUT = "not valid JSON (Unterminated string starting at); there is one object a line, and the last one may be cut off"
_GZIP_CUT = "damaged gzip file (Compressed file ended before the end-of-stream marker was reached)"
_QUOTES = "not valid CSV (unexpected end of data); quote fields that hold a quote, and double it"
DAMAGED = {  # file: its content, and what stands behind its path in the message
    "empty.jsonl": (b"", f": the file is empty{_AGAIN}"),
    "utf8.jsonl": (b'{"a": "x"}\n{"a": "\xff"}', ", line 2: not valid UTF-8 at byte 7; convert the file to UTF-8"),
    "cut.jsonl": (b'{"a": "x"}\n{"a": "y', f", line 2, column 7: {_CUT}"),
    "text.jsonl": (b'"x"', ', line 1: "x" is not an object such as {"id": ...}'),
    "list.jsonl": (b'["x"]', ', line 1: ["x"] begins an array; a file of one JSON array must be named .json'),
    "digits.jsonl": (
        b'{"a": %s}' % (b"1" * 5000),
        ", line 1: not JSON that can be read (Exceeds the limit (4300 digits",
    ),
    "deep.jsonl": (
        b'{"a": %s' % (b"[" * 100_000),
        ", line 1: not JSON that can be read (maximum recursion depth exceed",
    ),
    "cut.tsv": (b"a\tb\n1\t2\n3", ", line 3: 1 fields instead of 2, separated by tabs; the line may be cut"),
    "twice.csv": (b"a,a\n1,2", ", line 1: the head line must name each column once, not a, a"),
    "cut.csv": (b'a,b\n1,2\n3,"4', f", line 3: {_QUOTES}"),
    "comma.csv": (b"a,b\n1,2,3\n", ", line 2: 3 fields instead of 2; quote fields that hold a comma"),
    "cut.jsonl.gz": (gzip.compress(b'{"a": "x"}\n' * 1000)[:-9], f", line 1,001: {_GZIP_CUT}{_AGAIN}"),
    "plain.jsonl.gz": (b'{"a": "x"}', ", line 1: damaged gzip file (Not a gzipped file (b'{\"'))" + _AGAIN),
    "cut.parquet": (b"PAR1 nothing", ", after row 0: damaged Parquet file ("),
    "a.xml": (b"<a/>", ": not a format that can be read; there are: .jsonl, "),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_named_with_its_place(tmp_path, name):
    data, message = DAMAGED[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}{message}")):
        list(records(path))


@pytest.mark.parametrize("end", ["", "\r"], ids=["without line ends", "carriage returns"])
def test_a_line_has_a_bound(tmp_path, end):
    """A file that is no text would fill the memory."""
    path = tmp_path / "a.txt"
    path.write_text(f"short{end}" + "x" * 3_000_000)
    with pytest.raises(ValueError, match=r"longer than") as refused:
        list(lines(path, longest=1_000))
    line = 2 if end else 1
    assert str(refused.value) == f"{path}, line {line}: longer than 1,000 bytes; this is no file of such lines"
    path.write_text(f"short{end}" + "x" * 1_000)
    assert [len(text) for _, text in lines(path, longest=1_005)] == ([5, 1_000] if end else [1_005])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.jsonl: cannot be read \(No such file or directory\)"):
        list(lines(tmp_path / "nothing.jsonl"))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"other": "x"}, "line 1: no 'text'; there are: other"),
        ({"text": 3}, "line 1: 'text' is 3, not a text"),
        ({"text": None}, "line 1: 'text' is null, not a text"),
        ({"text": " \t"}, "line 1: 'text' is empty; write it, or remove the row"),
        (
            {"text": "a\ud800"},
            "line 1: character 1 of 'text' is half of a surrogate pair, which is not Unicode; correct",
        ),
    ],
)
def test_what_is_no_text(tmp_path, record, message):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}')
    place = next(records(path))[0]
    with pytest.raises(ValueError, match=re.escape(message)):
        text_in(record, "text", place)


def test_what_is_no_list(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": [1], "b": 2}')
    place, record = next(records(path))
    assert list_in(record, "a", place) == [1]
    with pytest.raises(ValueError, match="line 1: 'b' is 2, not a list"):
        list_in(record, "b", place)


PUBLISHED = Published("someone/something", "abc", "cc-by-4.0")


def test_files_in_a_local_folder(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("b.tsv", "a.tsv", "c.txt"):
        (tmp_path / "data" / name).touch()
    found = locate_files(PUBLISHED, ["data/*.tsv", "data/c.txt"], str(tmp_path))
    assert [[path.name for path in files] for files in found] == [["a.tsv", "b.tsv"], ["c.txt"]]
    with pytest.raises(
        ValueError, match=r"no\.tsv: there is no such file; put the file there, as in https://huggingfac"
    ):
        locate_files(PUBLISHED, ["data/no.tsv"], str(tmp_path))
    with pytest.raises(ValueError, match="data_dir: there is no folder"):
        locate_files(PUBLISHED, ["data/no.tsv"], str(tmp_path / "nowhere"))


def test_without_a_connection_the_command_that_fetches_is_named():
    command = (
        "type `hf download --repo-type dataset someone/something --revision abc --include 'a.tsv'`, or set data_dir"
    )
    with pytest.raises(ValueError, match=re.escape(command)):
        locate_files(PUBLISHED, ["a.tsv"], None)


def test_a_part_that_was_not_fetched_while_there_was_a_connection(tmp_path, monkeypatch):
    """The hub's library then gives the folder of what was, as if it were whole."""
    monkeypatch.setattr("babelbatch.sources.hub.fetch_files", lambda *_: tmp_path)
    with pytest.raises(ValueError, match=r"a\.tsv: there is no such file; there is no connection, and it was not fet"):
        locate_files(PUBLISHED, ["a.tsv"], None)

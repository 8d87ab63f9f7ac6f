"""Tables as spreadsheets, pandas and other tools write them."""

from __future__ import annotations

import gzip
import io
import json
import logging
import re

import pandas as pd
import pytest

from babelbatch.sources.bad_rows import BadRows
from babelbatch.sources.lines import id_in
from babelbatch.sources.records import records
from babelbatch.sources.tables import files_of

ROWS = [{"id": "1", "text": "a, b"}, {"id": "2", "text": "c; d"}]
FRAME = pd.DataFrame(ROWS)


def read(path):
    return [record for _, record in records(path)]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_csv_that_a_spreadsheet_separates_otherwise(tmp_path, mark, caplog):
    path = tmp_path / "a.csv"
    FRAME.to_csv(path, sep=mark, index=False)
    with caplog.at_level(logging.INFO):
        assert [(place.line, record) for place, record in records(path)] == [(2, ROWS[0]), (3, ROWS[1])]
    named = "tabs" if mark == "\t" else f"'{mark}'"
    assert caplog.messages == [f"{path}: its fields are separated by {named}"]
    path.write_text(f"id{mark}text\n1{mark}a{mark}b\n")
    wanted = f"{path}, line 2: 3 fields instead of 2; quote fields that hold {'a tab' if mark == chr(9) else named}"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        read(path)


def test_a_comma_in_the_head_line_is_the_separator(tmp_path, caplog):
    path = tmp_path / "a.csv"
    path.write_text('"id","text; of"\n1,"a; b; c"\n')
    with caplog.at_level(logging.INFO):
        assert read(path) == [{"id": "1", "text; of": "a; b; c"}]
    path.write_text("text\nalone\n")
    assert read(path) == [{"text": "alone"}]
    assert not caplog.messages


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_the_index_of_pandas_is_left_out(tmp_path, name):
    FRAME.to_csv(tmp_path / name, sep="\t" if name.endswith("tsv") else ",")
    assert read(tmp_path / name) == ROWS
    (tmp_path / name).write_text("id,,text\n1,2,3\n" if name == "a.csv" else "id\t\ttext\n1\t2\t3\n")
    with pytest.raises(ValueError, match="line 1: the head line must name each column once, not id, , text"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_lines_that_end_in_a_carriage_return_alone(tmp_path, name):
    mark = "\t" if name.endswith("tsv") else ","
    lines = [f"id{mark}text", f"1{mark}x", f"2{mark}y"]
    if name == "a.jsonl":
        lines = [json.dumps({"id": id_, "text": text}) for id_, text in (("1", "x"), ("2", "y"))]
    for end in ("\r", ""):
        (tmp_path / name).write_bytes(("\r".join(lines) + end).encode())
        assert read(tmp_path / name) == [{"id": "1", "text": "x"}, {"id": "2", "text": "y"}]
    assert [place.line for place, _ in records(tmp_path / name)] == ([1, 2] if name == "a.jsonl" else [2, 3])


@pytest.mark.parametrize("name", ["a.JSONL", "a.Csv", "a.TSV", "a.PARQUET", "a.CSV.GZ", "b.csv", "b.json"])
def test_suffixes_in_capitals_and_gzip_without_its_own(tmp_path, name):
    packed = name.startswith("b") or name.endswith("GZ")
    content = io.BytesIO()
    kind = name.lower().removesuffix(".gz").partition(".")[2]
    if kind == "parquet":
        FRAME.to_parquet(content)
    elif kind.startswith("json"):
        FRAME.to_json(content, orient="records", lines=True)
    else:
        FRAME.to_csv(content, sep="\t" if kind == "tsv" else ",", index=False)
    data = content.getvalue()
    (tmp_path / name).write_bytes(gzip.compress(data) if packed else data)
    assert read(tmp_path / name) == ROWS
    if name != "b.json":
        assert files_of(str(tmp_path)) == [tmp_path / name]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array(tmp_path, indent):
    text = json.dumps(ROWS, indent=indent)
    (tmp_path / "a.json").write_text(text)
    (tmp_path / "b.json").write_bytes(gzip.compress(text.encode()))
    for name in ("a.json", "b.json"):
        assert read(tmp_path / name) == ROWS
    assert str(list(records(tmp_path / "a.json"))[1][0]) == f"{tmp_path / 'a.json'}, entry 2"
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"a\.jsonl, line 1: .* begins an array; a file of one JSON array must be nam"):
        read(path)


def test_entries_of_an_array_are_numbered_with_those_that_are_left_out(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([ROWS[0], 7, ROWS[1]]))
    bad = BadRows("skip")
    assert [place.line for place, _ in records(tmp_path / "a.json", bad)] == [1, 3]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.parquet", "a.tsv"])
def test_a_pointer_of_git_lfs(tmp_path, name):
    path = tmp_path / name
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    wanted = f"{path}: a pointer of Git LFS, not the file; run `git lfs pull` in its repository, or download the file"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        read(path)


def test_ids_that_a_gap_made_floats(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"id": [1.0, 2.0, None], "text": "x"}).to_parquet(path)
    found = list(records(path))
    assert [id_in(record, "id", place) for place, record in found[:2]] == ["1", "2"]
    with pytest.raises(ValueError, match=r"row 3: 'id' is null, not a text"):
        id_in(found[2][1], "id", found[2][0])
    for value in (1.5, float("nan"), True):
        with pytest.raises(ValueError, match="not a text"):
            id_in({"id": value}, "id", found[0][0])

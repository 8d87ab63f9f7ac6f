"""Every file is followed while it is read: by its bytes, of Parquet and of data sets of the hub by their rows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from babelbatch.progress import Work
from babelbatch.sources import lareqa
from babelbatch.sources.bitext import aligned, units
from babelbatch.sources.documents import elements
from babelbatch.sources.records import records
from babelbatch.sources.squad import examples
from babelbatch.sources.tables import HubTable, rows_of_files

ROWS = [{"id": str(number), "text": "some text " * 20} for number in range(2_000)]
JSONL = "".join(f"{json.dumps(row)}\n" for row in ROWS).encode()
CSV = ("id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in ROWS)).encode()
FILES = {
    "a.jsonl": JSONL,
    "a.jsonl.gz": gzip.compress(JSONL),
    "a.csv": CSV,
    "a.csv.gz": gzip.compress(CSV),
    "a.tsv": CSV.replace(b",", b"\t"),
}


def shown(works: list[Work]) -> list[tuple[str, int | None, int, str]]:
    return [(work.description, work.total, work.done, work.unit) for work in works]


@pytest.mark.parametrize("name", FILES)
def test_the_bytes_of_a_file_of_rows(name: str, tmp_path: Path, works: list[Work]) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    size = len(FILES[name])
    seen = []
    for _ in records(path):
        works[0].measure()
        seen.append(works[0].done)
    assert shown(works) == [(f"reading {name}", size, size, "bytes")]
    assert seen == sorted(seen)
    if not name.endswith(".gz"):  # so small a gzip file is read at once
        assert len(set(seen)) > 2


def test_the_rows_of_a_parquet_file(tmp_path: Path, works: list[Work]) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    for number, _ in enumerate(records(path), start=1):
        works[0].measure()
        assert works[0].done == number
    assert shown(works) == [("reading a.parquet", 2_000, 2_000, "rows")]


def test_the_files_of_a_folder_are_counted_too(tmp_path: Path, works: list[Work]) -> None:
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for file in files:
        file.write_bytes(JSONL)
    assert sum(1 for _ in rows_of_files(files)) == 4_000
    assert shown(works) == [
        ("reading 2 files", 2, 2, "files"),
        ("reading a.jsonl", len(JSONL), len(JSONL), "bytes"),
        ("reading b.jsonl", len(JSONL), len(JSONL), "bytes"),
    ]


def test_the_rows_of_a_data_set_of_the_hub(tmp_path: Path, works: list[Work]) -> None:
    (tmp_path / "train.jsonl").write_bytes(JSONL)
    assert sum(1 for _ in HubTable(str(tmp_path)).rows()) == 2_000
    assert shown(works) == [(f"reading {tmp_path}", None, 2_000, "rows")]


@pytest.mark.parametrize("end", ["", ".gz"])
def test_the_bytes_of_a_document(end: str, tmp_path: Path, works: list[Work]) -> None:
    path = tmp_path / f"a.json{end}"
    data = json.dumps(ROWS).encode()
    path.write_bytes(gzip.compress(data) if end else data)
    assert sum(1 for _ in elements(path, "item")) == 2_000
    size = path.stat().st_size
    assert shown(works) == [(f"reading a.json{end}", size, size, "bytes")]


def test_the_bytes_of_a_squad_file(tmp_path: Path, works: list[Work]) -> None:
    path = tmp_path / "train.json"
    query = {"id": "1", "question": "Where?", "answers": [{"text": "There", "answer_start": 0}]}
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "There.", "qas": [query]}]}]}))
    assert [example.question for example in examples(path)] == ["Where?"]
    size = path.stat().st_size
    assert shown(works) == [("reading train.json", size, size, "bytes")]


def test_the_bytes_of_parallel_sentences(tmp_path: Path, works: list[Work]) -> None:
    memory = '<tu><tuv xml:lang="de"><seg>Ja.</seg></tuv><tuv xml:lang="en"><seg>Yes.</seg></tuv></tu>' * 500
    (tmp_path / "a.tmx").write_text(f"<tmx><body>{memory}</body></tmx>")
    assert sum(1 for _ in units(tmp_path / "a.tmx", ("de", "en"))) == 500
    for side in ("de", "en"):
        (tmp_path / f"a.{side}").write_text("a line\n" * 500)
    assert sum(1 for _ in aligned(tmp_path / "a.de", tmp_path / "a.en")) == 500
    size = (tmp_path / "a.tmx").stat().st_size
    assert shown(works) == [
        ("reading a.tmx", size, size, "bytes"),
        ("reading a.de", 3_500, 3_500, "bytes"),
        ("reading a.en", 3_500, 3_500, "bytes"),
    ]


def test_the_languages_of_lareqa(tmp_path: Path, write_lareqa, works: list[Work]) -> None:
    paragraph = (["Lima is in Peru."], [("1", "Where is Lima?", 0)])
    folder = write_lareqa(tmp_path / "files", {"de": [paragraph], "en": [paragraph]})
    assert [file.language for file in lareqa.read("", str(folder), None)] == ["de", "en"]
    assert shown(works) == [("reading 2 languages", 2, 2, "languages")]

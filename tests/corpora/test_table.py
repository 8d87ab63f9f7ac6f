"""Tables of one's own: every format and form against one corpus made by hand, and what is said about bad rows."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from babelbatch.corpora.table import load_corpus
from babelbatch.records import ABSENT, Corpus
from babelbatch.sources.columns import complete_columns, find_layout
from babelbatch.sources.tables import HubTable
from configurations import problems
from processes import PEAK, python


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


LONG = [
    {"id": "lima", "language": "en", "question": "Capital of Peru?", "passage": "Lima, it is.", "passage_id": "p1"},
    {"id": "lima", "language": "de", "question": "Perus Hauptstadt?", "passage": "Das ist Lima.", "passage_id": "p1"},
    {"id": "oslo", "language": "en", "question": "Norway's capital?", "passage": "Oslo.", "passage_id": "p2"},
    {
        "id": "peru",
        "language": "en",
        "question": 'Where is "Lima"?',
        "passage": "In Peru,\nby the sea.",
        "passage_id": "p1",
    },
]
NEGATIVES = [["Cusco.", "Oslo."], [], ["Bergen."], []]
WIDE = [
    {
        "id": "lima", "passage_id": "p1",
        "question_en": "Capital of Peru?", "passage_en": "Lima, it is.",
        "question_de": "Perus Hauptstadt?", "passage_de": "Das ist Lima.",
        "negative_en_1": "Cusco.", "negative_en_2": "Oslo.",
    },
    {
        "id": "oslo", "passage_id": "p2", "question_en": "Norway's capital?", "passage_en": "Oslo.",
        "question_de": "", "passage_de": "", "negative_en_1": "Bergen.", "negative_en_2": "",
    },
    {
        "id": "peru", "passage_id": "p1", "question_en": 'Where is "Lima"?', "passage_en": "In Peru,\nby the sea.",
        "question_de": "", "passage_de": "", "negative_en_1": "", "negative_en_2": "",
    },
]  # fmt: skip
BY_LANGUAGE = {"question": "question_{language}", "passage": "passage_{language}"}


def write(path: Path, rows: list[dict]) -> Path:
    """In the format that the name says; where CSV and TSV have no lists, negatives are numbered columns."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    if name.endswith(".jsonl"):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        flat = []
        for row in rows:
            row = dict(row)
            wrong = row.pop("negatives", None)
            if wrong is not None:
                row |= {f"negative_{slot + 1}": wrong[slot] if slot < len(wrong) else "" for slot in range(2)}
            flat.append(row)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(flat[0]), delimiter="\t" if name.endswith(".tsv") else ",")
            if name.endswith(".tsv"):
                file.write("\n".join(["\t".join(flat[0]), *("\t".join(row.values()) for row in flat)]) + "\n")
            else:
                writer.writeheader()
                writer.writerows(flat)
        text = path.read_text(encoding="utf-8")
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def check_by_hand(corpus: Corpus) -> None:
    assert (corpus.languages, list(corpus.ids)) == (("en", "de"), ["lima", "oslo", "peru"])
    text = [[None if row == ABSENT else corpus.query_texts[row] for row in item] for item in corpus.queries]
    assert text == [["Capital of Peru?", "Perus Hauptstadt?"], ["Norway's capital?", None], ['Where is "Lima"?', None]]
    text = [[None if row == ABSENT else corpus.passage_texts[row] for row in item] for item in corpus.passages]
    assert text[0] == ["Lima, it is.", "Das ist Lima."]
    assert text[1:] == [
        ["Oslo.", None],
        ["In Peru,\nby the sea." if "\n" in text[2][0] else "In Peru, by the sea.", None],
    ]
    assert corpus.passage_keys[0] == corpus.passage_keys[2] != corpus.passage_keys[1]
    wrong = [[corpus.passage_texts[row] for row in item[0] if row != ABSENT] for item in corpus.negatives]
    assert wrong == [["Cusco.", "Oslo."], ["Bergen."], []]
    assert (corpus.negatives[:, 1] == ABSENT).all()
    assert corpus.negative_keys[0, 0].tolist() == [ABSENT, corpus.passage_keys[1]]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.gz", "a.tsv", "a.parquet"])
def test_long(tmp_path, name):
    rows = [{**row, "negatives": wrong} for row, wrong in zip(LONG, NEGATIVES, strict=True)]
    if name == "a.tsv":
        rows[3] = {**rows[3], "passage": "In Peru, by the sea."}
    check_by_hand(load_corpus(str(write(tmp_path / name, rows))))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.parquet"])
@pytest.mark.parametrize("form", ["pattern", "names"])
def test_wide(tmp_path, name, form):
    rows = [dict(row) for row in WIDE]
    if name == "a.tsv":
        rows[2]["passage_en"] = "In Peru, by the sea."
    columns = BY_LANGUAGE
    if form == "names":
        columns = {role: {language: f"{role}_{language}" for language in ("en", "de")} for role in BY_LANGUAGE}
    check_by_hand(load_corpus(str(write(tmp_path / name, rows)), columns=columns))


def test_wide_negatives_in_lists(tmp_path):
    rows = [{key: text for key, text in row.items() if text and not key.startswith("negative")} for row in WIDE]
    for row, wrong in zip(rows, [NEGATIVES[0], NEGATIVES[2], []], strict=True):
        row["negatives_en"] = wrong
    check_by_hand(load_corpus(str(write(tmp_path / "a.jsonl", rows)), columns=BY_LANGUAGE))


def test_other_names_and_numbers_for_ids(tmp_path):
    rows = [
        {"qid": 7, "lang": "en", "query": "q", "text": "p", "wrong": "n"},
        {"qid": 7, "lang": "de", "query": "f", "text": "a", "wrong": None},
    ]
    columns = {"id": "qid", "language": "lang", "question": "query", "passage": "text", "negatives": "wrong"}
    corpus = load_corpus(str(write(tmp_path / "a.jsonl", rows)), columns=columns)
    assert (list(corpus.ids), corpus.queries.tolist(), list(corpus.passage_texts)) == (
        ["7"],
        [[0, 1]],
        ["p", "n", "a"],
    )


def test_without_ids_each_row_is_an_item(tmp_path):
    rows = [{"question": "a", "passage": "b"}, {"question": "c", "passage": "d"}]
    corpus = load_corpus(str(write(tmp_path / "a.jsonl", rows)), language="en")
    assert (corpus.languages, list(corpus.ids)) == (("en",), ["a.jsonl:1", "a.jsonl:2"])


def test_a_column_is_believed_rather_than_the_language_of_all(tmp_path):
    assert load_corpus(str(write(tmp_path / "a.jsonl", LONG)), language="fr").languages == ("en", "de")


def test_a_folder_with_a_file_a_language(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "README.md").write_text("not a table")
    for language in ("en", "de", "zh-Hant"):
        write(folder / f"{language}.csv", [{"id": "1", "question": f"q {language}", "passage": f"p {language}"}])
    corpus = load_corpus(str(folder))
    assert (corpus.languages, len(corpus)) == (("de", "en", "zh-Hant"), 1)
    chosen = load_corpus(str(folder), languages=["zh-Hant", "en"])
    assert (chosen.languages, list(chosen.query_texts)) == (("zh-Hant", "en"), ["q en", "q zh-Hant"])


def test_at_most_so_many_negatives(tmp_path):
    rows = [{**LONG[0], "negatives": ["a", "b", "c"]}]
    path = str(write(tmp_path / "a.jsonl", rows))
    assert [load_corpus(path, negatives=most).negatives.shape[2] for most in (None, 2, 0)] == [3, 2, 0]


def test_a_changed_file_is_read_again(tmp_path):
    path = write(tmp_path / "a.jsonl", LONG[:2])
    before = load_corpus(str(path))
    write(path, LONG)
    assert (len(before), len(load_corpus(str(path)))) == (1, 3)


BAD = {  # what is wrong: the name of the file, its content, and the message behind the path
    "empty file": ("a.jsonl", b"", ": the file is empty"),
    "cut JSON": ("a.jsonl", b'{"id": "1", "langu', ", line 1, column 13: not valid JSON"),
    "UTF-8": ("a.csv", b"id,language,question,passage\n1,en,\xff,b\n", ", line 2: not valid UTF-8"),
    "gzip": ("a.jsonl.gz", gzip.compress(b'{"id": "1"}\n' * 99)[:-9], ", line "),
    "Parquet": ("a.parquet", b"PAR1", ", after row 0: damaged Parquet file ("),
    "cut CSV": ("a.csv", b"id,language,question,passage\n1,en,q\n", ", line 2: 3 fields instead of 4"),
    "column": (
        "a.csv",
        b"id,language,query,passage\n1,en,q,p\n",
        ", line 2: no column 'question'; there are: id, language, query, passage; name the right one in columns, such "
        "as columns.question=query",
    ),
    "wide columns": (
        "a.csv",
        b"id,question_en,passage_en,passage_id\n1,q,p,1\n",
        ", line 2: no column 'question'; there are: id, question_en, passage_en, passage_id; there is a column for "
        'each language: set columns to \'{question: "question_{language}", passage: "passage_{language}"}\'',
    ),
    "type": (
        "a.jsonl",
        b'{"id": "1", "language": "en", "question": 3, "passage": "p"}',
        ", line 1: 'question' is 3, not a",
    ),
    "text": (
        "a.jsonl",
        b'{"id": "1", "language": "en", "question": " ", "passage": "p"}',
        ", line 1: 'question' is empty",
    ),
    "id": (
        "a.jsonl",
        b'{"id": null, "language": "en", "question": "q", "passage": "p"}',
        ", line 1: 'id' is null, not a",
    ),
    "id in some": (
        "a.jsonl",
        b'{"id": "1", "language": "en", "question": "q", "passage": "p"}\n'
        b'{"language": "en", "question": "a", "passage": "b"}',
        ", line 2: no 'id', which the first row has; add it",
    ),
    "duplicate": (
        "a.jsonl",
        b'{"id": "1", "language": "en", "question": "q", "passage": "p"}\n' * 2,
        ", line 2: a second query in 'en' under its id; ",
    ),
    "language": (
        "a.csv",
        b"id,language,question,passage\n1,English,q,p\n",
        ", line 2: 'English' is not a language; write a code such as en or zh-Hant",
    ),
    "no language": (
        "pairs.csv",
        b"id,question,passage\n1,q,p\n",
        ", line 2: no column 'language'; there are: id, question, passage; name it in columns.language, set "
        "language=en if all rows are in one, or give each language a file: en.jsonl",
    ),
    "a kind of data is no language": (
        "qa.csv",
        b"id,question,passage\n1,q,p\n",
        ", line 2: no column 'language'; there are: ",
    ),
    "a language and a split are no language": (
        "en_train.csv",
        b"id,question,passage\n1,q,p\n",
        ", line 2: no column 'language'; there are: ",
    ),
    "a part of a table is no region": (
        "en_001.csv",
        b"id,question,passage\n1,q,p\n",
        ", line 2: no column 'language'; there are: ",
    ),
    "a split is no language": (
        "dev.csv",
        b"id,question,passage\n1,q,p\n",
        ", line 2: no column 'language'; there are: ",
    ),
    "negatives": (
        "a.jsonl",
        b'{"id": "1", "language": "en", "question": "q", "passage": "p", "negatives": {"a": 1}}',
        ", line 1: 'negatives' is {'a': 1}, neither a list of texts nor a text",
    ),
    "a negative": (
        "a.jsonl",
        b'{"id": "1", "language": "en", "question": "q", "passage": "p", "negatives": ["n", ""]}',
        ", line 1: 'negatives' is empty",
    ),
    "list in CSV": (
        "a.csv",
        b'id,language,question,passage,negatives\n1,en,q,p,"[""n""]"\n',
        ", line 2: 'negatives' is a list written as a text; give each negative its own column, negative_1, ",
    ),
    "no row": ("a.csv", b"id,language,question,passage\n", ": there is no row in it; copy or download it again"),
    "head": ("a.csv", b"\nid,language,question,passage\n", ", line 1: the head line must name each column once, not "),
    "format": ("a.xlsx", b"x", ": not a format that can be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_bad_is_named_with_its_place(tmp_path, case):
    name, content, message = BAD[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}{message}")):
        load_corpus(str(path))


def test_bad_rows_of_the_wide_form(tmp_path):
    path = write(tmp_path / "a.jsonl", [WIDE[0], {**WIDE[1], "question_en": " "}])
    with pytest.raises(
        ValueError, match=r"line 2: no question in any language \(question_en, question_de\); write one"
    ):
        load_corpus(str(path), columns=BY_LANGUAGE)
    with pytest.raises(ValueError, match=r"line 1: no column 'frage_\{language\}'; there are: id, passage_id, quest"):
        load_corpus(str(path), columns={**BY_LANGUAGE, "question": "frage_{language}"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "set either path, to a file or folder, or hub"),
        (
            {"path": "nowhere.csv"},
            "nowhere.csv: there is no such file or folder; a data set of the hub is named by hub=",
        ),
        (
            {"columns": {"query": "q"}},
            "columns.query: no such column; a table has: id, language, question, passage, neg",
        ),
        (
            {"columns": {"question": "question_{language}"}},
            "columns.passage: columns.question names a column a language",
        ),
        (
            {"columns": {"question": "question_{language}", "passage": "passage_{language}", "negatives": "wrong"}},
            "columns.negatives: columns.question names a column a language, so must this, such as negatives_{language}",
        ),
        (
            {"columns": {"negatives": "negatives_{language}"}},
            "columns.negatives: columns.question names no column a language, so must this, such as negatives",
        ),
        ({"columns": {"id": "id_{language}"}}, "columns.id: one column, not one a language"),
        (
            {"columns": {"question": {"english": "q"}, "passage": {"en": "p"}}},
            "'english' is not a language, such as en",
        ),
        ({"languages": []}, "languages: [] names no language, or one twice"),
        ({"languages": ["fr"]}, "languages: no row is in 'fr'; the table has: de, en"),
        ({"languages": ["en", "fr"]}, "languages: no row is in 'fr'; the table has: de, en"),
    ],
)
def test_what_is_asked_for_in_vain(tmp_path, options, message):
    path = str(write(tmp_path / "a.jsonl", LONG))
    with pytest.raises(ValueError, match=re.escape(message)):
        load_corpus(**({"path": path} if options and "path" not in options else {}), **options)


def test_an_empty_folder(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(ValueError, match=r"data: no table in this folder; the names of tables end in \.jsonl, "):
        load_corpus(str(tmp_path / "data"))


def test_numbered_columns_in_their_order():
    names = ["id", "question", "passage", "negative_10", "negative_2", "negative_x"]
    assert find_layout(names, complete_columns(None), frozenset()).negatives == {None: ("negative_2", "negative_10")}
    names = ["q_en", "q_de", "q_kind", "p_en", "hard_de_1"]
    columns = {"question": "q_{language}", "passage": "p_{language}", "negatives": "hard_{language}_{number}"}
    found = find_layout(names, complete_columns(columns), frozenset(columns))
    assert (found.questions, found.passages) == ({"en": "q_en", "de": "q_de"}, {"en": "p_en"})
    assert (found.negatives, found.id) == ({"de": ("hard_de_1",)}, None)


def test_a_data_set_that_the_hub_library_loads(tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    rows = [{**row, "negatives": wrong} for row, wrong in zip(LONG, NEGATIVES, strict=True)]
    write(folder / "train.parquet", rows)
    write(folder / "test.parquet", [{**rows[0], "question": "Another?"}])
    check_by_hand(load_corpus(hub=str(folder)))
    assert list(load_corpus(hub=str(folder), split="test").query_texts) == ["Another?"]
    with pytest.raises(
        ValueError, match=r"hub: the data set '.*' cannot be read \(Bad split: dev\. Available splits: "
    ):
        load_corpus(hub=str(folder), split="dev")
    write(folder / "train.parquet", rows[2:])
    assert list(load_corpus(hub=str(folder)).ids) == ["oslo", "peru"]
    write(folder / "train.parquet", [*rows, {**rows[0], "id": "x", "passage": " "}])
    with pytest.raises(ValueError, match=r"published \(train\), line 5: 'passage' is empty"):
        load_corpus(hub=str(folder))


def test_a_commit_of_the_hub_is_not_asked_for_what_was_read(tmp_path, monkeypatch):
    write(tmp_path / "train.jsonl", LONG)
    commit = "0123456789abcdef0123456789abcdef01234567"
    first = load_corpus(hub=str(tmp_path), revision=commit)
    monkeypatch.setattr(HubTable, "_builder", lambda _: pytest.fail("asked"))
    assert load_corpus(hub=str(tmp_path), revision=commit).fingerprint == first.fingerprint


def test_without_a_connection_the_way_out_is_named():
    message = (
        "hub: the data set 'someone/something' cannot be read (Couldn't reach 'someone/something' on the Hub "
        "(OfflineModeIsEnabled)); where there is a connection type `hf download --repo-type dataset someone/something"
        "`, then set path to a folder with its files"
    )
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        load_corpus(hub="someone/something")


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ([], "corpus.path: missing; set it to a file or folder, or corpus.hub to a data set of the hub"),
        (["corpus.path=.", "corpus.hub=a/b"], "corpus.hub: there is corpus.path already; leave out one of them"),
        (
            ["corpus.path=no.csv"],
            "corpus.path: there is no file or folder 'no.csv'; a data set of the hub is named by cor",
        ),
        (["corpus.path=.", "corpus.split=dev"], "corpus.split: only for a data set of the hub; leave it out"),
        (
            ["corpus.path=.", "corpus.colums.id=x"],
            "corpus.colums: load_corpus takes no such argument, did you mean 'corpus.colu",
        ),
    ],
)
def test_what_is_wrong_is_known_before_anything_is_read(overrides, problem):
    assert any(found.startswith(problem) for found in problems("corpus=table", *overrides))


def test_a_table_as_a_part_or_for_validation():
    path = (
        "corpus.parts.mine.path: missing; set it to a file or folder, or corpus.parts.mine.hub to a data set of the hub"
    )
    assert path in problems("corpus=mixture", "+corpus@corpus.parts.mine=table")
    path = "validation.path: there is no file or folder 'no.csv'; a data set of the hub is named by validation.hub"
    assert path in problems("corpus@validation=table", "validation.path=no.csv")


_MANY = """
import re, resource, sys
from pathlib import Path
from babelbatch.corpora.table import load_corpus
from babelbatch.describe.facts import corpus_facts

before = peak()
corpus = load_corpus(sys.argv[1])
used = peak() - before
data = int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
resource.setrlimit(resource.RLIMIT_DATA, ((data + 80_000) * 1024,) * 2)
facts = corpus_facts(corpus, None, 10)["languages"]["de"]
print(len(corpus), len(corpus.passage_texts), facts["pairs"], facts["passage_characters"]["max"], used)
"""


@pytest.mark.slow
def test_many_rows_stay_on_disk(tmp_path):
    """205 MB of CSV: held at the end are some hundred bytes a text, two texts a row. To describe them takes less than
    80 MB more."""
    path = tmp_path / "many.csv"
    filler = "x" * 480
    with path.open("w") as file:
        file.write("id,language,question,passage\n")
        for row in range(400_000):
            file.write(f"{row // 2},{('de', 'en')[row % 2]},{row}?,{row} {filler}\n")
    items, passages, pairs, longest, kilobytes = map(int, python(PEAK + _MANY, path).stdout.split())
    assert (items, passages, pairs, longest) == (200_000, 400_000, 200_000, 487)
    assert kilobytes < 180_000, f"{kilobytes:,} KB"

"""Whatever is wrong with files from elsewhere is refused with a line: which file, which line, and what to do."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
import yaml

from babelbatch.foreign import Aggregate, System, from_argument, from_folder, read_systems

RUN = "q1/de Q0 d1 1 2.0 bm25\nq1/de Q0 d2 2 1.0 bm25\n"
QRELS = "q1/de 0 d2 1\n"
TREC = {
    "kind": "trec", "benchmark": "facts", "setting": "monolingual", "query": "(?P<id>.+)/(?P<language>.+)",
    "qrels": "judged",
}  # fmt: skip
TABLE = {key: value for key, value in TREC.items() if key != "qrels"} | {"kind": "table"}


def write(folder: Path, declaration: object = TREC, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"bm25.run": RUN, "judged": QRELS} | {name.replace("__", "."): text for name, text in files.items()}
    for name, text in contents.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "system.yaml").write_text(declaration if isinstance(declaration, str) else yaml.safe_dump(declaration))
    return folder


def read(folder: Path) -> System | Aggregate:
    (system,) = read_systems(from_folder(folder))
    return system


def refused(folder: Path, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        read(folder)
    assert str(error.value).replace(f"{folder}{os.sep}", "") == message


def test_the_files_of_these_tests_are_in_order(tmp_path: Path) -> None:
    found = read(write(tmp_path))
    assert isinstance(found, System)
    assert found.per_query.select(["query_id", "query_language", "relevant", "map"]).to_pylist() == [
        {"query_id": "q1", "query_language": "de", "relevant": 1, "map": 0.5}
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"bm25__run": RUN + "q1/de d3 3 0.5\n"},
         "bm25.run, line 3: it has 4 columns, and a TREC run has 6: query Q0 candidate rank score tag"),
        ({"bm25__run": RUN + "q1/de Q0 d3 3 much bm25\n"},
         "bm25.run, line 3: the score 'much' is no finite number; mend it"),
        ({"bm25__run": RUN + "q1/de Q0 d3 3 nan bm25\n"},
         "bm25.run, line 3: the score 'nan' is no finite number; mend it"),
        ({"bm25__run": RUN + "q1/de Q0 d3 3 1e39 bm25\n"},
         "bm25.run, line 3: the score '1e39' is beyond single precision; scale the scores"),
        ({"bm25__run": RUN + "\nq1/de Q0 d1 3 0.5 bm25\n"},
         "bm25.run, line 4: 'd1' is twice in the list of 'q1/de'; keep one"),
        ({"bm25__run": b"\xff\n"}, "bm25.run, line 1: not valid UTF-8 at byte 0; convert the file to UTF-8"),
        ({"bm25__run": "x" * 70_000}, "bm25.run, line 1: longer than 65,536 bytes; this is no file of such lines"),
        ({"bm25__run": "\n\n"}, "bm25.run: it has no lines; name a run with results"),
        ({"bm25__run": "q1 Q0 d1 1 1.0 bm25\n"},
         "bm25.run: the query 'q1' does not match query: '(?P<id>.+)/(?P<language>.+)'; mend the pattern"),
        ({"judged": "q1/de 0 d2\n"}, "judged, line 1: 3 fields instead of 4 (query 0 candidate score); it may be cut"),
        ({"judged": "query-id\tcorpus-id\tscore\nq1/de\td2\n"},
         "judged, line 2: 2 fields instead of 3 (query candidate score); it may be cut"),
        ({"judged": "q1/de 0 d2 1\nq1/de 0 d2 2\n"},
         "judged, line 2: 'd2' has another gain for 'q1/de' further up; keep one"),
        ({"judged": "q1/de 0 d2 0\n"}, "judged: it names no relevant candidate; name the qrels of the benchmark"),
    ],
)  # fmt: skip
def test_a_malformed_run_or_judgement(tmp_path: Path, files: dict, message: str) -> None:
    refused(write(tmp_path, **files), message)


def test_files_as_other_tools_pack_them(tmp_path: Path) -> None:
    """Gzipped, with a byte order mark, blank lines, the line ends of Windows, and the header of BEIR."""
    judged = "\ufeffquery-id\tcorpus-id\tscore\r\n" + QRELS.replace(" 0 ", " ").replace("\n", "\r\n \r\n")
    packed = write(tmp_path / "packed", judged=gzip.compress(judged.encode()), bm25__run=gzip.compress(RUN.encode()))
    assert read(packed).per_query == read(write(tmp_path / "plain")).per_query


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "parquet"}, "kind: 'parquet' is none of trec, table, mteb; name the format of the files"),
        ({"run": "bm25.run"}, "'run' is no key of a system; the keys are kind, system, benchmark, setting, query_id, "
         "cluster_unit, files, qrels, query, candidate, subset, query_languages, candidate_languages, clusters, seed, "
         "languages"),
        ({"seed": -1}, "seed: it is no whole number from 0; leave it out for a system without a seed"),
        ({"languages": ["de"]}, "languages: it is no mapping of texts; write their codes and ours, such as {deu: de, "
         "eng: en}"),
        ({"files": "(.run"}, "files: '(.run' is no regular expression (missing ) at position 5); mend it"),
        ({"system": {"a": "b"}}, "system: it is no text of 1 to 4,096 characters; write one, in quotes if needed"),
        ({"setting": "pool"}, "setting: 'pool' is none of monolingual, crosslingual, multilingual; name the one of the "
         "files"),
        ({"clusters": "none.tsv"}, "clusters: there is no file 'none.tsv'; name one"),
        ({"qrels": "../judged"}, "qrels: it leads out of the folder of system.yaml; put the file there, or declare the "
         "system on the command line"),
        ({"qrels": "/etc/(passwd)"}, "qrels: it leads out of the folder of system.yaml; put the file there, or declare "
         "the system on the command line"),
    ],
)  # fmt: skip
def test_a_wrong_declaration(tmp_path: Path, change: dict, message: str) -> None:
    refused(write(tmp_path, TREC | change), f"system.yaml: {message}")


def test_what_nothing_says(tmp_path: Path) -> None:
    for key, message in (
        ("qrels", "system.yaml: qrels: a TREC run needs the judgements; name their file"),
        ("benchmark", "system.yaml: nothing says the benchmark of bm25.run; write benchmark:, or a group "
         "(?P<benchmark>...) into files:"),
        ("setting", "system.yaml: nothing says the setting of bm25.run; write setting: with one of monolingual, "
         "crosslingual, multilingual (the pool of all languages), or a group (?P<setting>...) into files:"),
        ("query", "bm25.run: nothing says the language of query 'q1/de'; write query: with a group such as "
         "(?P<language>[a-z]+), or query_languages: with a file of ids and languages"),
    ):  # fmt: skip
        refused(write(tmp_path, {name: value for name, value in TREC.items() if name != key}), message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: [trec", "system.yaml, line 2: did not find expected ',' or ']'; write a key and its value on each "
         "line, such as kind: trec"),
        ("- trec", "system.yaml: no mapping but a list; write a key and its value on each line, such as kind: trec"),
        ("!!python/object/apply:os.system ['touch pwned']",
         "system.yaml: could not determine a constructor for the tag "
         "'tag:yaml.org,2002:python/object/apply:os.system'; "
         "write a key and its value on each line, such as kind: trec"),
        ("[" * 5_000, "system.yaml: nested deeper than 100 levels; write a key and its value on each line, such as "
         "kind: trec"),
        ("a: " + "x" * 70_000, "system.yaml: it is larger than 65,536 bytes; a declaration is a few lines"),
    ],
)  # fmt: skip
def test_a_declaration_runs_no_code_and_is_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(write(tmp_path, text), message)
    assert not (tmp_path / "pwned").exists()


def test_a_pattern_cannot_take_forever(tmp_path: Path) -> None:
    run = f"{'a' * 50}e Q0 d1 1 1.0 bm25\n"
    folder = write(tmp_path, TREC | {"query": "(?P<id>((a|aa)+)+)[cd]e"}, bm25__run=run)
    with pytest.raises(ValueError, match=r"takes longer than a second on 'a+e'; write a simpler one$"):
        read(folder)


def test_a_link_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "judged").write_text(QRELS)
    folder = write(tmp_path / "system", TREC | {"qrels": "link/judged"})
    (folder / "link").symlink_to(secret)
    with pytest.raises(ValueError, match="qrels: it leads out of the folder"):
        read(folder)


def test_what_a_file_says_is_short_and_escaped_in_a_message(tmp_path: Path) -> None:
    folder = write(tmp_path, bm25__run=f"q1/de Q0 d1 1 \x1b[31m{'9' * 500}x bm25\n")
    with pytest.raises(ValueError, match="is no finite number") as error:
        read(folder)
    assert "\x1b" not in str(error.value)
    assert len(str(error.value)) < 150 + len(str(folder))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "q1/de\tAP\n", "a.tsv, line 1: it has 2 columns, and a table by query has 3: query, measure, value"),
        ("a.tsv", "q1/de\tAP\tx\n", "a.tsv, line 1: the value 'x' is no finite number; mend it"),
        ("a.tsv", "q1/de\tAP\t0.5\nq1/de\tAP\t0.6\n", "a.tsv, line 2: 'AP' of query 'q1/de' is there twice; keep one"),
        ("a.tsv", "all\tAP\t0.5\n", "a.tsv: it has no scores by query; write them with -q"),
        ("a.tsv", "q1/de\tP@5\t0.5\n", "system.yaml: the tables have none of our measures; write AP, nDCG@10, R@100 or "
         "RR@100"),
        ("a.tsv", "q1/de\tAP\t0.5\nq2/de\tnDCG@10\t0.6\n",
         "system.yaml: query 'q1' in 'de' has no ndcg@10, which others have in "
         "the monolingual setting; give each query every measure"),
        ("a.jsonl", '{"query_id": "q1/de"}\n',
         "a.jsonl, line 1: it is not an object with query_id, measure and value; mend it"),
        ("a.jsonl", '{"query_id": "q1/de", "measure": "AP", "value": NaN}\n',
         "a.jsonl, line 1: query_id and measure are texts, and value is a finite number; mend it"),
        ("a.json", '{"q1/de":\n {',
         "a.json, line 2: it is not JSON (Expecting property name enclosed in double quotes); write it again"),
        ("a.json", '{"q1/de": 1}', "a.json: query 'q1/de' is no object of measures with finite numbers; mend it"),
        ("a.json", "[" * 100_000, "a.json: it is not JSON (nested deeper than 100 levels); write it again"),
        ("a.json", "[]", "a.json: it is no object of queries; write what RelevanceEvaluator.evaluate returns"),
    ],
)  # fmt: skip
def test_a_malformed_table(tmp_path: Path, name: str, text: str, message: str) -> None:
    folder = write(tmp_path, TABLE)
    (folder / name).write_text(text)
    refused(folder, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "x_predictions.json: it is no object of subsets; write it again with prediction_folder="),
        ({"de": {"test": {}, "dev": {}}},
         "x_predictions.json: it has the splits dev, test; write one split to a file of its own"),
        ({"de": {"test": ["a"]}},
         "x_predictions.json: subset 'de' is no object of ranked lists; only retrieval tasks have them"),
        ({"de": {"test": {"q1/de": {"d1": "2"}}}}, "x_predictions.json: '2' is no finite score; write it again"),
    ],
)  # fmt: skip
def test_malformed_predictions(tmp_path: Path, content: object, message: str) -> None:
    folder = write(tmp_path, TREC | {"kind": "mteb"})
    (folder / "x_predictions.json").write_text(json.dumps(content))
    refused(folder, message)


def test_no_such_folder() -> None:
    with pytest.raises(ValueError, match=r"^foreign: there is no system\.yaml in 'nowhere'; name a folder"):
        from_argument("nowhere")

"""The example of the page Report: runs of three seeds beside results of another tool, typed as it stands."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from commands import BIN
from pages import follow, sections
from processes import finished

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    follow(sections("report.md")["Measured elsewhere"], folder, tmp_path_factory.mktemp("cache"))
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_three_seeds_beside_bm25_from_elsewhere(place: Path) -> None:
    text = (place / "report" / "report.md").read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    assert re.search(r"^\| X-X \| 3 \|", text, re.MULTILINE)
    assert re.search(r"^\| BM25 \| 1 \| .*0\.5\d{3}", text, re.MULTILINE)
    assert "Within a language, " in text
    assert re.search(r"Across languages, (BM25|X-Y) has the highest mAP, 0\.\d+", text)
    assert "Not tested: BM25 has no rank distance over the pool of all languages by query." in text
    assert re.search(
        r"BM25 on world_facts: .*of 3,600 relevant candidates are in no list and count as not found\.", text
    )
    assert "could not be checked" not in text  # the runs say how many candidates are relevant, and so do the qrels
    assert "400 queries in 330 subjects" in text
    of_pairs = rows(place / "report" / "data" / "comparisons.csv")
    with_bm25 = [row for row in of_pairs if "BM25" in (row["a"], row["b"])]
    assert {row["metric"] for row in with_bm25} == {"map"}
    assert {row["interval over"] for row in with_bm25} == {"queries and seeds"}
    assert {row["clusters"] for row in with_bm25} == {"330"}
    assert {tuple(sorted((row["runs of a"], row["runs of b"]))) for row in with_bm25} == {("1", "3")}


def test_the_numbers_are_those_of_the_evaluation(place: Path) -> None:
    """Within a language every relevant candidate is in the lists but those beyond the depth, which nearly score 0."""
    ours = json.loads((place / "out" / "metrics.json").read_text(encoding="utf-8"))
    found = {
        (row["setting"], row["metric"]): float(row["value"])
        for row in rows(place / "report" / "data" / "results.csv")
        if row["group"] == "BM25"
    }
    assert found["monolingual", "map"] == pytest.approx(ours["world_facts/monolingual/map"], abs=2e-4)
    assert found["multilingual", "map"] == pytest.approx(ours["world_facts/multilingual/map"], abs=5e-4)
    assert {setting for setting, metric in found if metric == "map"} == {"monolingual", "crosslingual", "multilingual"}


def test_a_folder_of_runs_with_seeds_beside_it(place: Path) -> None:
    """Other judgements, or a malformed line, end with code 2 and a line that says where."""
    path = place / "foreign" / "bm25" / "world_facts_monolingual.qrels"
    intact = path.read_text(encoding="utf-8")
    try:
        query = intact.split()[0]
        path.write_text(f"{intact}{query} 0 en:another 1\n", encoding="utf-8")
        refused = finished(BIN / "babelbatch-report", "runs=multirun/small,foreign", cwd=place, code=2)
        assert re.search(
            r"babelbatch: foreign/bm25: its judgements have 2 relevant candidates for query '", refused.stderr
        )
        path.write_text(f"{intact}{query} 0\n", encoding="utf-8")
        refused = finished(BIN / "babelbatch-report", "runs=multirun/small,foreign", cwd=place, code=2)
        line = intact.count("\n") + 1
        assert refused.stderr.endswith(
            f"babelbatch: foreign/bm25/world_facts_monolingual.qrels, line {line}: it has 2 columns, and qrels have 4: "
            "query 0 candidate gain\n"
        )
        assert "Traceback" not in refused.stderr
    finally:
        path.write_text(intact, encoding="utf-8")

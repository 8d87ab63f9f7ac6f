"""The example of the page Report: runs of three seeds beside results of another tool, typed as it stands."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from commands import run_forked
from pages import follow, sections

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
    assert re.search(r"^\| BM25 \| – \| ", text, re.MULTILINE)
    within = next(line for line in text.splitlines() if line.startswith("Within a language, "))
    assert re.match(r"Within a language, (BM25|X-X) has the highest mAP, 0\.\d+", within)
    assert within.endswith("Significantly lower: X-Y.") or "better than every other" in within
    assert "104 queries in 99 subjects" in text
    assert "BM25 on world_facts" not in text  # nothing is missing, and the judgements are the same
    of_pairs = rows(place / "report" / "data" / "comparisons.csv")
    with_bm25 = [row for row in of_pairs if "BM25" in (row["a"], row["b"])]
    assert {row["metric"] for row in with_bm25} == {"map", "rank_distance"}
    assert {row["interval over"] for row in with_bm25} == {"queries and seeds"}
    assert {row["clusters"] for row in with_bm25} == {"99"}
    assert {tuple(sorted((row["runs of a"], row["runs of b"]))) for row in with_bm25} == {("1", "3")}


def test_the_numbers_are_those_of_the_evaluation(place: Path) -> None:
    ours = json.loads((place / "out" / "metrics.json").read_text(encoding="utf-8"))
    found = {
        f"world_facts/{row['setting']}/{row['metric']}": float(row["value"])
        for row in rows(place / "report" / "data" / "results.csv")
        if row["group"] == "BM25"
    }
    assert len(found) >= 6
    assert found == pytest.approx({key: ours[key] for key in found}, abs=1e-12)


def test_three_seeds_beside_bm25_and_a_folder_of_trec_runs(place: Path) -> None:
    """X-Y again, as TREC runs of three seeds: a group of its own, like X-Y where its lists are long enough, and not
    tested where they are not."""
    folder = place / "more" / "dense"
    folder.mkdir(parents=True)
    for seed in range(3):
        (run,) = (place / "multirun" / "small").glob(f"x_y_seed-{seed}_*")
        options = (
            f"output_dir=dense_{seed}",
            "evaluation.trec_files=true",
            "evaluation.trec_depth=2400",
            "logger=none",
        )
        small = ("benchmarks.world_facts.languages=[en,de]", "benchmarks.world_facts.held_out=0.05")
        run_forked("babelbatch-evaluate", f"checkpoint={run}", *small, *options, cwd=place)
        for path in (place / f"dense_{seed}" / "trec").iterdir():
            setting, kind = path.name.removeprefix("world_facts_").split(".")
            path.rename(folder / (f"dense.{seed}.{setting}.run" if kind == "run" else f"{setting}.qrels"))
    (folder / "system.yaml").write_text(
        "kind: trec\n"
        "benchmark: world_facts\n"
        r"files: '(?P<system>\w+)\.(?P<seed>\d+)\.(?P<setting>\w+)\.run'" + "\n"
        r"qrels: '(?P<setting>\w+)\.qrels'" + "\n"
        "query: '(?P<id>.+)/(?P<language>[a-z]+)(-(?P<candidate_language>[a-z]+))?'\n",
        encoding="utf-8",
    )
    run_forked("babelbatch-report", "runs=multirun/small,foreign,more", "output=both", cwd=place)
    text = (place / "both" / "report.md").read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    assert re.search(r"^\| dense \| 3 \|", text, re.MULTILINE)
    assert "Not tested: dense has no rank distance over the pool of all languages by query." in text
    across = next(line for line in text.splitlines() if line.startswith("Across languages, "))
    assert "BM25 has the highest mAP" in across
    assert "better than every other" in across
    within = next(line for line in text.splitlines() if line.startswith("Within a language, "))
    assert "not significantly different from X-X" in within
    assert re.search(
        r"a difference of 0\.\d+ would be found with probability 0\.8\. Significantly lower: X-Y and dense\.$", within
    )
    assert re.search(
        r"dense \(3 seeds together\) on world_facts: over the pool of all languages [\d,]+ of 1,248 relevant "
        r"candidates are in no list and count as not found, longer lists could raise its mAP by 0\.000\d at most\.",
        text,
    )
    of_pairs = {
        (row["a"], row["b"], row["setting"], row["metric"]): row
        for row in rows(place / "both" / "data" / "comparisons.csv")
    }
    for setting in ("monolingual", "crosslingual"):
        same = of_pairs["X-Y", "dense", setting, "map"]
        assert abs(float(same["a minus b"])) < 1e-12
        assert float(same["p by Holm"]) == 1
    better = of_pairs["BM25", "dense", "monolingual", "map"]
    assert float(better["a minus b"]) > 0.05
    assert float(better["p by Holm"]) < 0.01
    assert ("X-Y", "dense", "multilingual", "map") in of_pairs
    assert not [key for key in of_pairs if "dense" in key[:2] and key[3] == "rank_distance"]


def test_what_is_refused(place: Path) -> None:
    """Other judgements, or a malformed line, end with code 2 and a line that says where."""
    path = place / "foreign" / "bm25" / "world_facts_monolingual.qrels"
    intact = path.read_text(encoding="utf-8")
    try:
        query = intact.split()[0]
        path.write_text(f"{intact}{query} 0 en:another 1\n", encoding="utf-8")
        refused = run_forked("babelbatch-report", "runs=multirun/small,foreign", cwd=place, code=2)
        assert re.search(
            r"babelbatch: foreign/bm25: its judgements have 2 relevant candidates for query '", refused.stderr
        )
        path.write_text(f"{intact}{query} 0\n", encoding="utf-8")
        refused = run_forked("babelbatch-report", "runs=multirun/small,foreign", cwd=place, code=2)
        line = intact.count("\n") + 1
        assert refused.stderr.endswith(
            f"babelbatch: foreign/bm25/world_facts_monolingual.qrels, line {line}: 2 fields instead of 4 (query 0 "
            "candidate score); it may be cut\n"
        )
        assert "Traceback" not in refused.stderr
    finally:
        path.write_text(intact, encoding="utf-8")

"""Every example of the page Extend, typed as it stands."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from commands import BIN
from pages import DOCS, follow, sections
from preloaded import run_preloaded

SECTIONS = sections("extend.md")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def followed(folder: Path, cache: Path, *titles: str) -> str:
    """What the commands of these sections print, after the page's beginning."""
    return follow("\n".join([SECTIONS[""], *(SECTIONS[title] for title in titles)]), folder, cache).stdout


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_every_part_is_here() -> None:
    assert list(SECTIONS) == [
        "", "A corpus", "A benchmark", "A strategy", "An encoder", "An objective", "A metric",
    ]  # fmt: skip


def test_a_corpus_and_a_benchmark(tmp_path: Path, cache: Path) -> None:
    printed = followed(tmp_path, cache, "A corpus", "A benchmark")
    assert "900" in printed  # 30 times 30 sums in each language
    bad = ["--config-dir", "my_conf", "experiment=try", "corpus=sums", "corpus.last=1", "output_dir=out/bad"]
    path = {"PYTHONPATH": f".:{DOCS.parent / 'src'}", "BABELBATCH_CACHE": str(cache)}
    refused = run_preloaded(BIN / "babelbatch-train", *bad, cwd=tmp_path, code=2, env=os.environ | path)
    assert "babelbatch: corpus.last: 1 leaves too few sums; set 2 or more\n" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert metrics(tmp_path / "out" / "corpus")["languages/corpus"] == ["de", "en"]
    found = metrics(tmp_path / "out" / "benchmark")
    assert found["benchmarks"] == ["sums"]
    assert found["protocol/sums"] == "sums of 31 to 35"
    assert {"sums/monolingual/map", "sums/crosslingual/map/de-en", "sums/multilingual/map"} <= found.keys()


def test_a_strategy(tmp_path: Path, cache: Path) -> None:
    followed(tmp_path, cache, "A strategy")
    assert metrics(tmp_path / "out" / "mostly_x_y")["strategy"] == "mostly_x_y"
    assert metrics(tmp_path / "out" / "mostly_x_y")["alpha_realised"] == 0.25
    found = metrics(tmp_path / "out" / "english_first")
    assert found["strategy"] == "english_first"
    assert found["alpha_realised"] >= 0.5  # the first ten of twenty steps


def test_an_encoder(tmp_path: Path, cache: Path) -> None:
    followed(tmp_path, cache, "An encoder")
    trained, evaluated = metrics(tmp_path / "out" / "encoder"), metrics(tmp_path / "out" / "evaluated")
    assert json.loads((tmp_path / "out" / "encoder" / "encoder" / "config.json").read_text())["num_hidden_layers"] == 1
    key = "world_facts/multilingual/map"
    assert evaluated[key] == pytest.approx(trained[key], abs=1e-6)


def test_an_objective(tmp_path: Path, cache: Path) -> None:
    followed(tmp_path, cache, "An objective")
    with next((tmp_path / "out" / "objective" / "csv").glob("**/metrics.csv")).open(newline="") as file:
        rows = list(csv.DictReader(file))
    (last,) = [row for row in rows if row.get("train/loss/distance")][-1:]
    assert 0 < float(last["train/loss/distance"]) < 2


def test_a_metric(tmp_path: Path, cache: Path) -> None:
    followed(tmp_path, cache, "A metric")
    runs = [path.parent for path in (tmp_path / "out" / "metric").glob("*/metrics.json")]
    assert len(runs) == 2
    for run in runs:
        found = metrics(run)
        column = pq.read_table(run / "per_query.parquet")["success@5"]
        assert set(column.unique().to_pylist()) == {0.0, 1.0}
        assert 0 < found["world_facts/monolingual/success@5"] <= 1
        assert found["world_facts/monolingual/recall@1"] <= found["world_facts/monolingual/success@5"]
        assert "world_facts/crosslingual/success@5/de-zh" in found
    report = tmp_path / "out" / "metric" / "report"
    assert "monolingual success@5" in (report / "report.md").read_text(encoding="utf-8")
    assert "success@5 within a language" in (report / "report.html").read_text(encoding="utf-8")

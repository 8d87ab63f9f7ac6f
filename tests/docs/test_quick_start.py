"""The page Quick start followed from its first command to its last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pages import DOCS, blocks, follow


@pytest.mark.slow
def test_from_a_csv_to_a_report(tmp_path: Path) -> None:
    page = (DOCS / "quick_start.md").read_text(encoding="utf-8")
    printed = follow(page, tmp_path / "new", tmp_path / "cache").stdout
    place = tmp_path / "new"
    header, *rows = (place / "train.csv").read_text(encoding="utf-8").splitlines()
    (sample,) = [block.text for block in blocks(page) if block.language == "text"]
    assert header == sample.splitlines()[0] == "id,language,question,passage"
    assert len(rows) > 3_000
    runs = [json.loads(file.read_text()) for file in (place / "multirun" / "mine").glob("*/metrics.json")]
    assert {(run["strategy"], run["seed"]) for run in runs} == {
        (strategy, seed) for strategy in ("x_x", "x_y", "hybrid") for seed in (0, 1, 2)
    }
    for setting in ("monolingual", "crosslingual", "multilingual"):
        assert all(0 < run[f"table/{setting}/ndcg@10"] < 1 for run in runs)
    mean = {
        strategy: sum(run["table/crosslingual/ndcg@10"] for run in runs if run["strategy"] == strategy) / 3
        for strategy in ("x_x", "x_y")
    }
    assert mean["x_y"] > 1.5 * mean["x_x"]  # there is something to compare
    report = (place / "multirun" / "mine" / "report" / "report.md").read_text(encoding="utf-8")
    assert printed.endswith(report)
    assert "## table" in report
    assert (place / "multirun" / "mine" / "report" / "report.html").is_file()

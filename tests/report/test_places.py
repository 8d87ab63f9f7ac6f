"""A report writes into its folder only, and what a run is called is no HTML."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from babelbatch.report.page import write_report
from babelbatch.report.places import data_file, without_html
from babelbatch.report.settings import Settings
from run_folders import write_run


def test_a_benchmark_that_is_a_path_is_refused(tmp_path: Path) -> None:
    """Eight files were written beside the folder."""
    for seed in range(2):
        folder = write_run(tmp_path / "runs" / f"run{seed}", seed=seed)
        for name in ("metrics.json", "config.yaml"):
            text = (folder / name).read_text()
            (folder / name).write_text(text.replace("facts", "../../../ESCAPED"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=r"the benchmark '../../../ESCAPED' has a slash, a backslash or a control"):
        write_report([tmp_path / "runs"], tmp_path / "a" / "b" / "report")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "a\\b", "a\0b", "x" * 201])
def test_no_table_is_written_elsewhere(name: str) -> None:
    with pytest.raises(ValueError, match=r"and a file is called by it; rename its benchmark$"):
        data_file(Path("data"), name, ".csv")


def test_raw_html_is_text(tmp_path: Path) -> None:
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    folder = write_run(tmp_path / "run", strategy=attack)
    metrics = json.loads((folder / "metrics.json").read_text()) | {"name": attack}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    write_report([folder], tmp_path / "report")
    for name in ("report.md", "report.html"):
        text = (tmp_path / "report" / name).read_text()
        assert "alert(1)" in text
        assert not re.search(r"<(script>alert|img src=x)", text)


def test_what_is_no_tag_stays() -> None:
    assert without_html("p < 0.05, 3 <4, <b>, </b>, <!-- x -->") == "p < 0.05, 3 <4, &lt;b>, &lt;/b>, &lt;!-- x -->"


def test_numbers_of_an_earlier_report_do_not_stay_beside_those_of_this_one(tmp_path: Path) -> None:
    """planned.csv of an earlier plan lay beside a report without one."""
    for strategy, alpha in (("hybrid", 0.5), ("x_x", 1.0)):
        for seed in range(3):
            folder = tmp_path / "runs" / f"{strategy}{seed}"
            write_run(folder, strategy, alpha, seed, benchmarks=("facts", "a & b"))
    planned = Settings(contrasts="[{group: hybrid, against: x_x, measure: monolingual}]")
    write_report([tmp_path / "runs"], tmp_path / "report", planned)
    data = tmp_path / "report" / "data"
    before = {file.name for file in data.iterdir()}
    assert {"planned.csv", "a & b.tex", "a & b_dominance.csv", "a & b_dominance.tex"} <= before
    (data / "notes.csv").write_text("of the user")
    (data / "a & b.txt").write_text("of the user")
    (data / "paper.tex").write_text("of the user, beside our paper_table_1.csv")

    write_report([tmp_path / "runs"], tmp_path / "report", Settings(benchmarks=("facts",)))
    write_report([tmp_path / "runs"], tmp_path / "other", Settings(benchmarks=("facts",)))
    kept = {file.name for file in data.iterdir()}
    assert kept == {file.name for file in (tmp_path / "other" / "data").iterdir()} | {
        "notes.csv",
        "a & b.txt",
        "paper.tex",
    }
    assert "planned.csv" not in kept

"""`from babelbatch import compare`: the tests of a report as a data frame."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from babelbatch import compare
from babelbatch.report.page import write_report
from run_folders import write_run, write_sweep

LEVELS = {0.0: {"multilingual": 0.30}, 1.0: {"multilingual": 0.45}}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("runs") / "sweep", LEVELS)


def test_the_rows_are_those_of_the_report(sweep: Path, tmp_path: Path) -> None:
    frame = compare(sweep)
    write_report([sweep], tmp_path)
    with (tmp_path / "data" / "comparisons.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(frame) == len(rows) == 4
    assert list(frame.columns) == [
        "benchmark", "a", "b", "setting", "metric", "value_a", "value_b", "difference", "low", "high", "level", "p",
        "p_holm", "effect_size", "detectable", "runs_of_a", "runs_of_b", "clusters", "interval_over", "better",
        "not_tested",
    ]  # fmt: skip
    for ours, theirs in zip(frame.itertuples(), rows, strict=True):
        assert (ours.a, ours.b, ours.setting, ours.metric) == tuple(
            theirs[key] for key in ("a", "b", "setting", "metric")
        )
        assert [ours.difference, ours.low, ours.high, ours.p_holm] == [
            float(theirs[key]) for key in ("a minus b", "low", "high", "p by Holm")
        ]
    assert (frame.value_a - frame.value_b).tolist() == pytest.approx(frame.difference.tolist())


def test_what_is_better_is_said_where_it_is_significant(sweep: Path) -> None:
    frame = compare([sweep], level=0.95).set_index(["setting", "metric"])
    row = frame.loc["multilingual", "map"]
    assert {row.a, row.b} == {"X-X", "X-Y"}
    assert row.better == "X-X"
    assert abs(row.difference) == pytest.approx(0.15, abs=0.02)
    assert row.low < row.difference < row.high
    assert row.p_holm < 0.05
    assert pd.isna(frame.loc["monolingual", "map"].better)
    assert frame.not_tested.isna().all()


def test_a_pair_that_is_not_tested_has_its_reason(sweep: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "one", "hybrid", 0.5)
    frame = compare([sweep, tmp_path / "one"])
    untested = frame[frame.not_tested.notna()]
    assert set(untested.not_tested) == {
        "hybrid alpha=0.5 has one run, which does not show how much its training varies"
    }
    assert len(untested) == 2
    assert untested.difference.isna().all()
    assert len(frame) == 6


def test_one_benchmark_of_several(tmp_path: Path) -> None:
    write_sweep(tmp_path, LEVELS, benchmarks=("facts", "more"))
    assert set(compare(tmp_path, progress=False).benchmark) == {"facts", "more"}
    assert set(compare(tmp_path, benchmarks=["more"]).benchmark) == {"more"}


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^runs: no finished run in "):
        compare(tmp_path)

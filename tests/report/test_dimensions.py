"""Quality against the size of vectors: the means, the curve, and the section of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from babelbatch.report.comparisons import MULTILINGUAL, Study, study
from babelbatch.report.dimensions import curve_of, dimensions
from babelbatch.report.grouping import grouped
from babelbatch.report.page import write_report
from babelbatch.report.runs import find_runs
from babelbatch.report.svg import SERIES
from run_folders import write_run

SETTINGS = ("monolingual", "crosslingual", "multilingual")


def facts(multilingual: dict[int, float]) -> dict[str, float]:
    return {
        f"dimensions/{size}/facts/{setting}/map": value + (0.0 if setting == "multilingual" else 0.1)
        for size, value in multilingual.items()
        for setting in SETTINGS
    }


def two_strategies(place: Path) -> Path:
    """X-X keeps nine tenths at a quarter of the size, X-Y half. The second seed of X-Y lacks a size."""
    for seed, shift in ((0, -0.01), (1, 0.01)):
        of_x_x = {64: 0.4 + shift, 32: 0.39 + shift, 16: 0.36 + shift}
        write_run(place / f"x_x{seed}", "x_x", 1.0, seed, facts=facts(of_x_x))
        of_x_y = {64: 0.3 + shift, 16: 0.15 + shift} | ({32: 0.2} if seed == 0 else {})
        write_run(place / f"x_y{seed}", "x_y", 0.0, seed, facts=facts(of_x_y))
    return place


def studied(place: Path) -> Study:
    return study("facts", grouped(find_runs([place]).runs))


def test_means_over_runs_at_the_sizes_of_all_runs(tmp_path: Path) -> None:
    found = {group.label: curve_of(group, "facts", MULTILINGUAL) for group in studied(two_strategies(tmp_path)).groups}
    assert found == {
        "X-X": {16: pytest.approx(0.36), 32: pytest.approx(0.39), 64: pytest.approx(0.4)},
        "X-Y": {16: pytest.approx(0.15), 64: pytest.approx(0.3)},
    }


def test_the_section(tmp_path: Path) -> None:
    section = dimensions(studied(two_strategies(tmp_path)))
    assert section is not None
    over_the_pool = "dimensions, mAP over the pool of all languages is"
    assert {*section.sentences} == {
        f"X-X: with 16 of 64 {over_the_pool} 0.3600 instead of 0.4000 (90.0\N{NO-BREAK SPACE}%).",
        f"X-Y: with 16 of 64 {over_the_pool} 0.1500 instead of 0.3000 (50.0\N{NO-BREAK SPACE}%).",
    }
    assert section.grid.columns == ("64", "32", "16")
    rows = {(label, below): cells for label, below, cells in section.grid.rows}
    assert len(rows) == 6
    assert rows["X-Y", "multilingual mAP"] == (
        ("0.3000", "100.0\N{NO-BREAK SPACE}%"), ("\N{EN DASH}", ""), ("0.1500", "50.0\N{NO-BREAK SPACE}%"),
    )  # fmt: skip
    assert len(section.data.rows) == 15
    assert [figure.title for figure in section.figures] == [
        "mAP within a language", "mAP across languages", "mAP over the pool of all languages",
    ]  # fmt: skip
    assert sorted((label, size) for label, size, _ in section.figures[2].data.rows) == [
        ("X-X", 16), ("X-X", 32), ("X-X", 64), ("X-Y", 16), ("X-Y", 64),
    ]  # fmt: skip


def test_more_strategies_than_colours_are_counted(tmp_path: Path) -> None:
    for number in range(SERIES + 1):
        write_run(tmp_path / str(number), "hybrid", number / 10, facts=facts({64: 0.4, 32: 0.3}))
    section = dimensions(studied(tmp_path))
    assert section is not None
    assert section.figures[-1].title == "mAP over the pool of all languages, 6 of 7 strategies"


def test_runs_without_sizes_have_no_section(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / f"x_x{seed}", "x_x", 1.0, seed, facts=facts({64: 0.5}) if seed else {})
    assert dimensions(studied(tmp_path)) is None


def test_the_page_has_it(tmp_path: Path) -> None:
    page = write_report([two_strategies(tmp_path / "runs")], tmp_path / "report").read_text()
    assert 'id="dimensions-facts"' in page
    assert "facts: quality against the size of vectors" in page
    lines = (tmp_path / "report" / "data" / "facts_dimensions.csv").read_text().splitlines()
    assert lines[0] == "group,setting,metric,dimensions,value"
    assert len(lines) == 16

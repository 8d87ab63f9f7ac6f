"""Charts and maps: what is drawn is what the numbers say."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from babelbatch.report.comparisons import study
from babelbatch.report.grouping import grouped
from babelbatch.report.plots import Heatmap, alpha_curves, cells, difference_maps, learning_curves, thinned
from babelbatch.report.runs import find_runs
from babelbatch.report.svg import HEIGHT, WIDTH, Line, Point, chart, ticks
from run_folders import write_sweep

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0, 0.25, 0.5, 0.75, 1]),
        (0.93, 0.967, [0.93, 0.94, 0.95, 0.96, 0.97]),
        (437.0, 22650.0, [0, 5000, 10000, 15000, 20000, 25000]),
        (0.5, 0.5, [0.45, 0.475, 0.5, 0.525, 0.55]),
        (0.0, 0.0, [-0.1, -0.05, 0, 0.05, 0.1]),
    ],
)
def test_ticks_are_round_and_hold_the_data(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high, 5) == pytest.approx(expected)


def test_points_lie_where_their_values_are() -> None:
    drawn = ET.fromstring(chart([Line("", (Point(0, 0.0), Point(0.5, 1.0, 0.75, 1.0), Point(1, 0.5)))], "a & b", "x"))
    dots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in drawn.iter(f"{SVG}circle")]
    assert dots[1][0] - dots[0][0] == pytest.approx(dots[2][0] - dots[1][0], abs=0.11)
    assert dots[0][1] - dots[2][1] == pytest.approx(dots[2][1] - dots[1][1], abs=0.11)
    (whisker,) = [line for line in drawn.iter(f"{SVG}line") if "whisker" in line.get("class")]
    assert float(whisker.get("y1")) - float(whisker.get("y2")) == pytest.approx((dots[0][1] - dots[1][1]) / 4, abs=0.11)
    assert drawn.get("aria-label") == "a & b"
    assert drawn.get("role") == "img"


def test_ticks_have_the_digits_they_need() -> None:
    svg = chart([Line("", (Point(0, 0.02), Point(1, 0.05)))], "", "x")
    shown = [text.text for text in ET.fromstring(svg).iter(f"{SVG}text")]
    assert shown == [
        "0.02", "0.03", "0.04", "0.05", "0.00", "0.25", "0.50", "0.75", "1.00", "x",
    ]  # fmt: skip


def test_labels_stand_apart_and_inside() -> None:
    lines = [Line(f"line {number}", (Point(0, 1), Point(1, 0.001 * number)), number) for number in range(6)]
    drawn = ET.fromstring(chart(lines, "", "x"))
    heights = sorted(float(text.get("y")) for text in drawn.iter(f"{SVG}text") if "label" in text.get("class"))
    assert len(heights) == 6
    assert min(np.diff(heights)) >= 13.9
    assert heights[0] > 0
    assert heights[-1] < HEIGHT
    right = max(float(text.get("x")) + 6.4 * len(text.text) for text in drawn.iter(f"{SVG}text"))
    assert right <= WIDTH


def test_the_alpha_curve_has_a_point_an_alpha(tmp_path: Path) -> None:
    found = study("facts", grouped(find_runs([write_sweep(tmp_path, {0.0: {}, 0.5: {}, 1.0: {}}, seeds=2)]).runs))
    figures = alpha_curves(found)
    assert [figure.title for figure in figures] == [
        "mAP within a language", "mAP across languages", "mAP over the pool of all languages",
        "rank distance (less is better)",
    ]  # fmt: skip
    assert [row[:2] for row in figures[0].data.rows] == [("X-Y", 0.0), ("hybrid alpha=0.5", 0.5), ("X-X", 1.0)]
    assert figures[0].svg.count("<circle") == 3


def test_no_curve_through_runs_that_differ_otherwise(tmp_path: Path) -> None:
    write_sweep(tmp_path / "a", {0.0: {}}, seeds=1, settings={"loss": {"temperature": 0.1}})
    write_sweep(tmp_path / "b", {1.0: {}}, seeds=1, settings={"loss": {"temperature": 0.2}})
    assert alpha_curves(study("facts", grouped(find_runs([tmp_path]).runs))) == []


def test_cells_and_differences_are_means_over_seeds(tmp_path: Path) -> None:
    levels = {0.0: {"crosslingual": 0.5}, 1.0: {"crosslingual": 0.1}}
    found = study("facts", grouped(find_runs([write_sweep(tmp_path, levels, seeds=2)]).runs))
    xy, xx = found.groups
    row, column = found.languages.index("hi"), found.languages.index("th")
    expected = np.mean([run.metrics["facts/crosslingual/map/hi-th"] for run in xy.runs])
    assert cells(found, xy)[row, column] == pytest.approx(expected)
    assert cells(found, xy)[row, row] == pytest.approx(
        np.mean([run.metrics["facts/monolingual/map/hi"] for run in xy.runs])
    )
    (difference,) = difference_maps(found, xx)
    assert difference.title == "X-Y minus X-X"
    np.testing.assert_allclose(difference.values, cells(found, xy) - cells(found, xx))
    assert difference.largest == np.abs(difference.values).max()


def test_colours_and_texts_of_a_map() -> None:
    values = np.array([[0.5, -0.25], [np.nan, 0.001]])
    drawn = Heatmap("t", "n", ("de", "en"), values, 0.5, diverging=True)
    assert [drawn.shade(row, column) for row in (0, 1) for column in (0, 1)] == [100, 50, None, 0]
    assert [drawn.text(row, column) for row in (0, 1) for column in (0, 1)] == ["+.50", "−.25", "", ".00"]
    assert drawn.data.rows[2] == ("en", "de", None)
    assert Heatmap("t", "n", ("de",), np.array([[1.0]]), 1.0).text(0, 0) == "1.00"


def test_learning_curves_by_batch_kind(tmp_path: Path) -> None:
    groups = grouped(find_runs([write_sweep(tmp_path, {0.0: {}, 1.0: {}}, seeds=2, curves=True)]).runs)
    figures = learning_curves(groups)
    assert [figure.title for figure in figures] == ["training loss, X-X batches", "validation loss, X-X batches"]
    assert figures[0].data.rows[0] == ("X-Y", 10, 0.4)
    assert learning_curves(grouped(find_runs([write_sweep(tmp_path / "without", {0.5: {}}, seeds=1)]).runs)) == []


def test_long_curves_are_thinned_to_means() -> None:
    points = thinned([[(step, float(step)) for step in range(1, 601)], [(step, float(step)) for step in range(1, 601)]])
    assert len(points) == 60
    assert points[0] == (10, 5.5)
    assert points[-1] == (600, 595.5)
    assert thinned([[(1, float("nan")), (2, 1.0)]]) == [(2, 1.0)]
    assert thinned([]) == []

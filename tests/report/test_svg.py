"""Charts: lines, ticks and labels are where the numbers place them."""

import xml.etree.ElementTree as ET

import pytest

from babelbatch.report.svg import WIDTH, Line, Point, chart, ticks

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
    drawn = ET.fromstring(chart([Line("", (Point(0, 0.0), Point(0.5, 1.0, (0.75, 1.0)), Point(1, 0.5)))], "a & b", "x"))
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


def test_ticks_have_a_true_minus_and_separators() -> None:
    svg = chart([Line("", (Point(0, -2000), Point(1, 2000)))], "", "x")
    shown = [text.text for text in ET.fromstring(svg).iter(f"{SVG}text")]
    assert shown[:5] == ["−2,000", "−1,000", "0", "1,000", "2,000"]


def test_wide_tick_labels_are_inside() -> None:
    drawn = ET.fromstring(chart([Line("", (Point(0, 0.00001), Point(100_000, 0.00002)))], "", "steps"))
    for text in drawn.iter(f"{SVG}text"):
        width = 8 * len(text.text)
        start = float(text.get("x")) - width * {"end": 1, "middle": 0.5}[text.get("text-anchor")]
        assert start >= 0, text.text
        assert start + width <= WIDTH, text.text


def test_lines_have_the_class_of_their_series() -> None:
    lines = [Line(f"line {number}", (Point(0, 1), Point(1, number)), number) for number in range(2)]
    drawn = ET.fromstring(chart(lines, "", "x", markers=False))
    assert [line.get("class") for line in drawn.iter(f"{SVG}polyline")] == ["line s0", "line s1"]
    assert list(drawn.iter(f"{SVG}circle")) == []

"""Line charts as SVG. Colours and dashes are CSS classes of the page (`s0` to `s5`), so a chart suits both themes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from babelbatch.report.numbers import fixed

WIDTH, HEIGHT = 400, 250
SERIES = 6
"""Number of lines that the page can tell apart by colour and dash."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 14, 12, 42
DIGIT = 8.3  # the widest digit of common fonts at 13 px

Position = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Point:
    """interval: (low, high), if there is one."""

    x: float
    y: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """series: number of its colour and dash, below `SERIES`; 0 is the accent. label: for the legend."""

    label: str
    points: tuple[Point, ...]
    series: int = 0


def chart(lines: Sequence[Line], alt: str, x_title: str, markers: bool = True) -> str:
    """An `<svg>` element with the lines and bands for their intervals. The page shows the legend.

    alt: describes the chart in words. markers: draws a dot and a whisker at each point.
    """
    xs = [point.x for line in lines for point in line.points]
    ys = [y for line in lines for point in line.points for y in (point.y, *(point.interval or ()))]
    x_ticks, y_ticks = ticks(min(xs), max(xs), 5), ticks(min(ys), max(ys), 5)
    x_ticks_inside = [tick for tick in x_ticks if min(xs) <= tick <= max(xs)]
    right = max([_RIGHT, *(DIGIT / 2 * len(tick_label(tick, x_ticks)) for tick in x_ticks_inside[-1:])])
    left = max([_LEFT, *(12 + DIGIT * len(tick_label(tick, y_ticks)) for tick in y_ticks)])
    plot_width, plot_height = WIDTH - left - right, HEIGHT - _TOP - _BOTTOM

    def x_position(x: float) -> float:
        return left + plot_width * ((x - min(xs)) / ((max(xs) - min(xs)) or 1))

    def y_position(y: float) -> float:
        return _TOP + plot_height * (1 - (y - y_ticks[0]) / ((y_ticks[-1] - y_ticks[0]) or 1))

    parts = []
    for tick in y_ticks:
        y = y_position(tick)
        parts.append(f'<line class="grid" x1="{left:.1f}" x2="{left + plot_width:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(text(left - 7, y + 4, tick_label(tick, y_ticks), "end"))
    for tick in x_ticks_inside:
        parts.append(text(x_position(tick), HEIGHT - _BOTTOM + 18, tick_label(tick, x_ticks), "middle"))
    parts.append(text(left + plot_width / 2, HEIGHT - 6, x_title, "middle"))
    for line in lines:
        parts += _line(line, x_position, y_position, markers)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(alt, quote=True)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers, about `count` of them, the first at or below `low` and the last at or above `high`."""
    if high <= low:
        spread = abs(low) * 0.1 or 0.1
        low, high = low - spread, high + spread
    rough = (high - low) / max(1, count - 1)
    size = 10 ** math.floor(math.log10(rough))
    step = size * min((nice for nice in (1, 2, 2.5, 5, 10)), key=lambda nice: abs(nice * size - rough))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def tick_label(value: float, all_ticks: Sequence[float]) -> str:
    """The value with as many decimals as the step between the ticks needs."""
    step = abs(all_ticks[1] - all_ticks[0]) if len(all_ticks) > 1 else 1
    digits = next(digits for digits in range(13) if math.isclose(step * 10**digits, round(step * 10**digits)))
    return fixed(value, digits)


def _line(line: Line, x_position: Position, y_position: Position, markers: bool) -> list[str]:
    parts = []
    series = f"s{line.series}"
    places = [(x_position(point.x), y_position(point.y)) for point in line.points]
    bounds = [
        (x_position(point.x), y_position(point.interval[0]), y_position(point.interval[1]))
        for point in line.points
        if point.interval is not None
    ]
    if len(bounds) > 1:
        upper = [f"{x:.1f},{high:.1f}" for x, _, high in bounds]
        lower = [f"{x:.1f},{low:.1f}" for x, low, _ in reversed(bounds)]
        parts.append(f'<polygon class="band {series}" points="{" ".join(upper + lower)}"/>')
    if markers:
        parts += [
            f'<line class="whisker {series}" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
            for x, low, high in bounds
        ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts.append(f'<polyline class="line {series}" points="{path}"/>')
    if markers:
        parts += [f'<circle class="dot {series}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in places]
    return parts


def text(x: float, y: float, content: str, anchor: str) -> str:
    """A `<text>` element."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'

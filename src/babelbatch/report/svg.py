"""Small line charts as SVG, drawn for any theme: colours are the page's CSS variables, the ground is transparent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from babelbatch.report.numbers import fixed

WIDTH, HEIGHT = 400, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 14, 12, 38
_SPACE = 14  # between the labels of two lines


@dataclass(frozen=True, slots=True)
class Point:
    """low, high: of the interval, if there is one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """label: written at its end, "" for none. colour: number of a series colour; 0 is the accent."""

    label: str
    points: tuple[Point, ...]
    colour: int = 0


def chart(lines: Sequence[Line], alt: str, x_title: str, markers: bool = True) -> str:
    """A chart of lines with bands for their intervals, labelled at their ends. alt: what it shows, in words."""
    xs = [point.x for line in lines for point in line.points]
    ys = [value for line in lines for point in line.points for value in (point.y, point.low, point.high)]
    heights = [value for value in ys if value is not None]
    x_ticks, y_ticks = ticks(min(xs), max(xs), 5), ticks(min(heights), max(heights), 5)
    bottom, top = y_ticks[0], y_ticks[-1]
    right = _RIGHT + (6.4 * max((len(line.label) for line in lines), default=0) + 8 if _labelled(lines) else 0)
    left = max(_LEFT, 14 + 7 * max(len(_tick(tick, y_ticks)) for tick in y_ticks))
    wide, high = WIDTH - left - right, HEIGHT - _TOP - _BOTTOM

    def across(x: float) -> float:
        return left + wide * ((x - min(xs)) / ((max(xs) - min(xs)) or 1))

    def down(y: float) -> float:
        return _TOP + high * (1 - (y - bottom) / ((top - bottom) or 1))

    parts = []
    for tick in y_ticks:
        parts.append(
            f'<line class="grid" x1="{left:.1f}" x2="{left + wide:.1f}" y1="{down(tick):.1f}" y2="{down(tick):.1f}"/>'
        )
        parts.append(_text(left - 7, down(tick) + 4, _tick(tick, y_ticks), "end"))
    for tick in x_ticks:
        if min(xs) <= tick <= max(xs):
            parts.append(_text(across(tick), HEIGHT - _BOTTOM + 18, _tick(tick, x_ticks), "middle"))
    parts.append(_text(left + wide / 2, HEIGHT - 4, x_title, "middle"))
    for line in lines:
        parts += _drawn(line, across, down, markers)
    ends = _spread([down(line.points[-1].y) for line in lines], _TOP + 4, HEIGHT - _BOTTOM)
    if _labelled(lines):
        for line, y in zip(lines, ends, strict=True):
            parts.append(
                f'<text class="label s{line.colour}" x="{left + wide + 8:.1f}" y="{y + 4:.1f}">'
                f"{escape(line.label)}</text>"
            )
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


def _drawn(line: Line, across: Callable[[float], float], down: Callable[[float], float], markers: bool) -> list[str]:
    parts = []
    banded = [point for point in line.points if point.low is not None and point.high is not None]
    if len(banded) > 1:
        there = [f"{across(point.x):.1f},{down(point.high):.1f}" for point in banded]
        back = [f"{across(point.x):.1f},{down(point.low):.1f}" for point in reversed(banded)]
        parts.append(f'<polygon class="band s{line.colour}" points="{" ".join(there + back)}"/>')
    if markers:
        for point in banded:
            x, y1, y2 = f"{across(point.x):.1f}", f"{down(point.low):.1f}", f"{down(point.high):.1f}"
            parts.append(f'<line class="whisker s{line.colour}" x1="{x}" x2="{x}" y1="{y1}" y2="{y2}"/>')
    path = " ".join(f"{across(point.x):.1f},{down(point.y):.1f}" for point in line.points)
    parts.append(f'<polyline class="line s{line.colour}" points="{path}"/>')
    if markers:
        parts += [
            f'<circle class="dot s{line.colour}" cx="{across(point.x):.1f}" cy="{down(point.y):.1f}" r="3.5"/>'
            for point in line.points
        ]
    return parts


def _labelled(lines: Sequence[Line]) -> bool:
    return any(line.label for line in lines)


def _spread(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Heights as near as may be to those wanted, in their order, none closer to the next than a line of text."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    heights = list(wanted)
    for before, after in pairwise(order):
        heights[after] = max(heights[after], heights[before] + _SPACE)
    if order and heights[order[-1]] > bottom:
        heights[order[-1]] = bottom
        for after, before in pairwise(reversed(order)):
            heights[before] = min(heights[before], heights[after] - _SPACE)
    return [max(height, top - _SPACE) for height in heights]


def _tick(value: float, all_ticks: Sequence[float]) -> str:
    step = abs(all_ticks[1] - all_ticks[0]) if len(all_ticks) > 1 else 1
    digits = next(digits for digits in range(13) if math.isclose(step * 10**digits, round(step * 10**digits)))
    return fixed(value, digits)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'

"""Means by two measures as SVG: a point a group, with its joint confidence region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from babelbatch.report.svg import DIGIT, SERIES, tick_label, ticks
from babelbatch.report.svg import text as svg_text

WIDTH, HEIGHT = 400, 320
_RIGHT, _TOP, _BOTTOM = 14, 30, 42


@dataclass(frozen=True, slots=True)
class Mark:
    """A group. name: a short one, beside its point. outline: (n, 2) of its region. hollow: drawn as a ring."""

    name: str
    centre: tuple[float, float]
    outline: NDArray[np.float64]
    number: int
    hollow: bool


def regions(marks: Sequence[Mark], alt: str, x_title: str, y_title: str) -> str:
    """An `<svg>` element with the regions and points. alt: describes it in words."""
    everything = np.concatenate([mark.outline for mark in marks] + [np.array([mark.centre for mark in marks])])
    (x_low, y_low), (x_high, y_high) = everything.min(axis=0).tolist(), everything.max(axis=0).tolist()
    x_ticks, y_ticks = ticks(x_low, x_high, 5), ticks(y_low, y_high, 5)
    left = max(12 + DIGIT * len(tick_label(tick, y_ticks)) for tick in y_ticks)
    width, height = WIDTH - left - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x = (point[0] - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        y = (point[1] - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return left + width * x, _TOP + height * (1 - y)

    parts = [svg_text(0, 13, y_title, "start")]
    for tick in y_ticks:
        y = place((x_ticks[0], tick))[1]
        parts.append(f'<line class="grid" x1="{left:.1f}" x2="{left + width:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(svg_text(left - 7, y + 4, tick_label(tick, y_ticks), "end"))
    for number, tick in enumerate(x_ticks):
        x = place((tick, y_ticks[0]))[0]
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_TOP + height}"/>')
        anchor = "end" if number == len(x_ticks) - 1 else "middle"
        parts.append(svg_text(min(x, WIDTH - 2.0), HEIGHT - _BOTTOM + 18, tick_label(tick, x_ticks), anchor))
    parts.append(svg_text(left + width / 2, HEIGHT - 6, x_title, "middle"))
    for mark in marks:
        outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place((a, b)) for a, b in mark.outline.tolist()))
        parts.append(f'<polygon class="region s{mark.number % SERIES}" points="{outline}"/>')
    for mark in marks:
        x, y = place(mark.centre)
        kind = "ring" if mark.hollow else "dot"
        parts.append(f'<circle class="{kind} s{mark.number % SERIES}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
    names = _apart([(*place(mark.centre), DIGIT * len(mark.name)) for mark in marks])
    for mark, (x, y) in zip(marks, names, strict=True):
        parts.append(f'<text class="mark" x="{x:.1f}" y="{y:.1f}">{escape(mark.name)}</text>')
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(alt, quote=True)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _apart(points: Sequence[tuple[float, float, float]]) -> list[tuple[float, float]]:
    """Where a name goes beside each point (x, y, width of the name), so that no two overlap: the nearest free place."""
    offsets = [
        (5 + 12 * ring if right else -5 - 12 * ring, 18 * step)
        for ring in range(12)
        for step in sorted(range(-ring - 1, ring + 2), key=abs)
        for right in (True, False)
    ]
    placed: list[tuple[float, float, float]] = []
    for x, y, width in points:
        for dx, dy in offsets:
            left, base = x + dx - (0 if dx > 0 else width), y + dy - 5
            inside = left >= 0 and left + width <= WIDTH and 14 <= base <= HEIGHT - _BOTTOM
            free = all(
                left + width + 2 <= other or other + own + 2 <= left or abs(base - row) >= 18
                for other, row, own in placed
            )
            if inside and free:
                break
        placed.append((left, base, width))
    return [(left, base) for left, base, _ in placed]

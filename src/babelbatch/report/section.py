"""One section of the page below the benchmarks' own."""

from __future__ import annotations

from dataclasses import dataclass

from babelbatch.report.figure import Figure
from babelbatch.report.tables import Data, Grid


@dataclass(frozen=True, slots=True)
class Section:
    """anchor: its id on the page. sentences: what the numbers say. note: how they were made. grid: for reading. data:
    all numbers. figures: charts above the grid."""

    anchor: str
    title: str
    sentences: tuple[str, ...]
    note: str
    grid: Grid
    data: Data
    figures: tuple[Figure, ...] = ()

"""A chart on the page, with the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass

from babelbatch.report.tables import Data


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart. svg: a whole element. legend: (label, series) of each line, none for a single unnamed line. data: the
    numbers that it shows."""

    title: str
    svg: str
    legend: tuple[tuple[str, int], ...]
    data: Data


def of_all(shown: int, known: int, what: str = "strategies") -> str:
    """The end of a title, if the chart cannot show all of its numbers: there are `svg.SERIES` kinds of lines."""
    return "" if shown == known else f", {shown} of {known} {what}"

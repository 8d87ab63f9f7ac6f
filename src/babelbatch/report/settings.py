"""The options of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """level: confidence level of intervals; tests use the significance level 1 - level. margin: loss of the monolingual
    metric against X-X up to which a strategy counts as not inferior. benchmarks: the ones to report; none means all.
    plan: a difference to plan seeds for. select: `select`, `select_per` and `select_among` as in `report` of a
    configuration, or `select: none`; empty: as the runs' configurations say. contrasts: planned comparisons, as
    `contrasts.plan_for` takes them; empty: those of the runs' configurations. name: of the report; empty: the names of
    the runs. foreign: systems that were measured elsewhere, each a folder with a declaration, or a declaration
    (`foreign.from_argument`). scores: a folder for copies of what the report reads of its own runs."""

    level: float = 0.95
    margin: float = 0.01
    benchmarks: tuple[str, ...] = ()
    plan: float | None = None
    select: Mapping[str, object] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    scores: Path | None = None
    contrasts: str = ""
    name: str = ""

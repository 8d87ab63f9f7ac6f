"""The options of a report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """level: confidence level of intervals; tests use the significance level 1 - level. margin: loss of the monolingual
    metric against X-X up to which a strategy counts as not inferior. benchmarks: the ones to report; none means all.
    plan: a difference to plan seeds for."""

    level: float = 0.95
    margin: float = 0.01
    benchmarks: tuple[str, ...] = ()
    plan: float | None = None

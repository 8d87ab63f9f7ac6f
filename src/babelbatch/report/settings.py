"""What a report may be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """level: of the intervals; a difference is settled below 1 - level. margin: of mAP, how much monolingual quality a
    strategy may lose against X-X. benchmarks: only these; none means all."""

    level: float = 0.95
    margin: float = 0.01
    benchmarks: tuple[str, ...] = ()

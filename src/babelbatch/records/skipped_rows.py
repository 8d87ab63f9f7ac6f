"""Rows of your own data that could not be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class SkippedRows:
    """How many rows were left out, and the first `LISTED` of them, each with file, line and reason."""

    LISTED: ClassVar[int] = 20
    count: int = 0
    first: tuple[str, ...] = ()

    def __add__(self, other: SkippedRows) -> SkippedRows:
        return SkippedRows(self.count + other.count, (self.first + other.first)[: self.LISTED])

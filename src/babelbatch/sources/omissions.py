"""What is left out of published data, counted by reason and said once.

Large data sets were made by machine and hold a few rows that nothing can be learned from, which no user can mend. So a
blank text does not stop a run as it would in a user's own file, unless there are too many for an accident.
"""

from __future__ import annotations

import logging
from collections import Counter

from babelbatch.sources.lines import Place

log = logging.getLogger(__name__)

_ACCIDENT = 0.01  # share of the rows


class Omissions:
    """name: of the data set, for messages."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept = 0
        self._counts: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._first: dict[str, Place] = {}

    def kept(self) -> None:
        """A row that is not left out."""
        self._kept += 1

    def by_design(self, reason: str) -> None:
        """A row that is left out because it is of no use here."""
        self._counts[reason] += 1

    def fault(self, reason: str, place: Place) -> None:
        """A row that is left out because something is wrong with it."""
        self._counts[reason] += 1
        self._faults[reason] += 1
        self._first.setdefault(reason, place)

    def finish(self) -> None:
        """Writes to the log what was left out. ValueError, with the first place: more than one row in a hundred has one
        fault, or nothing is left."""
        rows = self._kept + self._counts.total()
        for reason, count in self._faults.items():
            if count > _ACCIDENT * rows:
                raise ValueError(
                    f"{self._first[reason]}: {reason}; so it is in {count:,} of {rows:,} rows, too many to leave them "
                    "out; mend the file, or remove the rows"
                )
        said = ", ".join(f"{count:,} {reason}" for reason, count in self._counts.most_common())
        if not self._kept:
            raise ValueError(f"{self._name}: nothing is left of {rows:,} rows ({said})")
        if said:
            log.info("%s: %s of %s rows are left out: %s", self._name, f"{rows - self._kept:,}", f"{rows:,}", said)

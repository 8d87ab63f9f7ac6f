"""Counts the rows of published data that are used and those that are skipped, by reason.

Large data sets are made by machine and contain some rows that nothing can be learned from and that users cannot repair.
A blank text therefore skips its row, where in a user's own file it is an error; too many such rows are an error too.
"""

from __future__ import annotations

import logging
from collections import Counter

from babelbatch.sources.bad_rows import BadRows
from babelbatch.sources.lines import Place

log = logging.getLogger(__name__)

_FAULTY_SHARE = 0.01  # of the rows; more of one fault is no accident


class RowTally:
    """Counts of used and skipped rows. name: of the data set, for messages. bad: lists the rows with a fault, however
    many there are, if rows are to be left out."""

    def __init__(self, name: str, bad: BadRows | None = None) -> None:
        self._name = name
        self._bad = bad if bad is not None and bad.skips else None
        self._used = 0
        self._skipped: Counter[str] = Counter()
        self._faulty: Counter[str] = Counter()
        self._first: dict[str, Place] = {}

    def used(self) -> None:
        """Counts a row that is used."""
        self._used += 1

    def skipped(self, reason: str) -> None:
        """Counts a row that is correct and of no use here."""
        self._skipped[reason] += 1

    def faulty(self, reason: str, place: Place) -> None:
        """Counts a row that is skipped because of a fault."""
        self._skipped[reason] += 1
        if self._bad is not None:
            self._bad.add(f"{place}: {reason}")
            return
        self._faulty[reason] += 1
        self._first.setdefault(reason, place)

    def report(self) -> None:
        """Logs the numbers of skipped rows.

        Raises ValueError, with the first place, if more than one row in a hundred has one fault, or if none is used.
        """
        rows = self._used + self._skipped.total()
        for reason, count in self._faulty.items():
            if count > _FAULTY_SHARE * rows:
                raise ValueError(
                    f"{self._first[reason]}: {reason}; {count:,} of {rows:,} rows have this fault, too many to skip; "
                    "correct the file, or remove the rows"
                )
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self._skipped.most_common())
        if not self._used:
            raise ValueError(f"{self._name}: none of {rows:,} rows can be used ({reasons})")
        if reasons:
            log.info("%s: %s of %s rows are skipped: %s", self._name, f"{rows - self._used:,}", f"{rows:,}", reasons)

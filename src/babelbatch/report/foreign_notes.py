"""What a reader must know of a system that was measured elsewhere: what its files lack, and what that does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from babelbatch.foreign import MOST_HIDDEN, System
from babelbatch.report.measures import PLACES
from babelbatch.report.numbers import fixed


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one system with one seed on one benchmark. absent: scores that its table lacks. unchecked: whether the number
    of relevant candidates is unknown on one side. unused_clusters: whether its file of clusters is not used."""

    system: System
    absent: int
    unchecked: bool
    unused_clusters: bool


def notes_of(found: Sequence[Facts]) -> list[str]:
    """The notes, the seeds of a system together."""
    together: dict[tuple[str, str], list[Facts]] = {}
    for each in found:
        together.setdefault((each.system.name, each.system.benchmark), []).append(each)
    return [note for of_system in together.values() for note in _notes(of_system)]


def _notes(found: Sequence[Facts]) -> list[str]:
    first = found[0].system
    seeds = f" ({len(found)} seeds together)" if len(found) > 1 else ""
    notes = [f"{first.name}{seeds} on {first.benchmark}: {lack}." for lack in _lacks(found)]
    if any(each.unchecked for each in found):
        notes.append(
            f"{first.name} on {first.benchmark}: whether its scores are by the same judgements could not be checked, "
            "because not all files say how many candidates are relevant."
        )
    if any(each.unused_clusters for each in found):
        notes.append(
            f"{first.name} on {first.benchmark}: its file of clusters is not used, because the clusters are those of "
            "the runs."
        )
    if unused := sorted({name for each in found for name in each.system.unused}):
        names = ", ".join(unused)
        notes.append(f"{first.name} on {first.benchmark}: not compared, because we have no such measure: {names}.")
    return notes


def _up(value: float) -> str:
    """A bound with four digits, rounded up."""
    return fixed(math.ceil(value * 1e4) / 1e4, 4)


def _lacks(found: Sequence[Facts]) -> list[str]:
    """What scores 0 because the files lack it, a clause a setting."""
    absent = sum(each.absent for each in found)
    clauses = [f"{absent:,} scores that its table lacks count 0"] if absent else []
    for setting, place in PLACES.items():
        coverage = [each.system.coverage[setting] for each in found if setting in each.system.coverage]
        unranked, unretrieved, unjudged = (
            sum(getattr(each, name) for each in coverage) for name in ("unranked", "unretrieved", "unjudged")
        )
        lacks = []
        if unranked:
            queries = sum(each.queries for each in coverage)
            lacks.append(f"{unranked:,} of {queries:,} queries have no list and score 0")
        if unretrieved:
            relevant = sum(each.relevant for each in coverage)
            lacks.append(f"{unretrieved:,} of {relevant:,} relevant candidates are in no list and count as not found")
        if hidden := max((each.hidden for each in coverage), default=0.0):
            too_short = "; its lists are too short for mAP" if hidden > MOST_HIDDEN else ""
            lacks.append(f"longer lists could raise its mAP by {_up(hidden)} at most{too_short}")
        if unjudged:
            lacks.append(f"{unjudged:,} queries are not judged and left out")
        if lacks:
            clauses.append(f"{place} {', '.join(lacks)}")
    return clauses

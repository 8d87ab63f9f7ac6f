"""What a reader must know of a system that was measured elsewhere: what its files lack, and what that does."""

from __future__ import annotations

from babelbatch.foreign import System
from babelbatch.report.measures import PLACES


def zeros_note(system: System, absent: int) -> str:
    """What scores 0 because the files lack it; "" if they lack nothing. absent: rows that a table lacks."""
    parts = []
    if absent:
        parts.append(f"{absent:,} scores that its table lacks count 0")
    for setting, each in system.coverage.items():
        lacks = []
        if each.unranked:
            lacks.append(f"{each.unranked:,} of {each.queries:,} queries have no list and score 0")
        if each.unretrieved:
            lacks.append(f"{each.unretrieved:,} of {each.relevant:,} relevant candidates are in no list and score 0")
        if each.unjudged:
            lacks.append(f"{each.unjudged:,} queries are not judged and left out")
        if lacks:
            parts.append(f"{PLACES[setting]}, {'; '.join(lacks)}")
    text = f"{_name(system)}, measured elsewhere: {'. '.join(_opened(part) for part in parts)}." if parts else ""
    if system.unused:
        names = ", ".join(system.unused)
        text += f" Not compared, because the report has no such measure: {names} ({_name(system)})."
    return text.strip()


def unchecked_note(system: System) -> str:
    """Says that the judgements behind the scores are not known to be ours."""
    return (
        f"{_name(system)}: whether its scores are by the same judgements could not be checked, because not all files "
        "say how many candidates are relevant."
    )


def unused_clusters_note(system: System) -> str:
    """Says that the runs' clusters are used, not those of the declaration."""
    return f"{_name(system)}: its file of clusters is not used, because the clusters are those of the runs."


def _name(system: System) -> str:
    return system.name if system.seed is None else f"{system.name} (seed {system.seed})"


def _opened(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"

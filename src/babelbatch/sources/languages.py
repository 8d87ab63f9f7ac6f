"""Which of a data set's languages are read."""

from __future__ import annotations

from collections.abc import Sequence


def chosen(name: str, known: Sequence[str], languages: Sequence[str] | None) -> tuple[str, ...]:
    """The languages asked for, in that order, or all known ones if None. name: of the data set, for messages.

    ValueError: one is unknown, twice, or none is asked for.
    """
    if languages is None:
        return tuple(known)
    unknown = [language for language in languages if language not in known]
    if unknown:
        raise ValueError(f"{name} has no {', '.join(unknown)}; its languages are {', '.join(known)}")
    if not languages or len(set(languages)) < len(languages):
        raise ValueError(f"languages must name at least one of {', '.join(known)}, each once, not {list(languages)}")
    return tuple(languages)

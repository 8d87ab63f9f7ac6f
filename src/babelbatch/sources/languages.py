"""Selects languages of a data set."""

from __future__ import annotations

from collections.abc import Sequence


def select_languages(name: str, known: Sequence[str], languages: Sequence[str] | None) -> tuple[str, ...]:
    """The requested languages in their order, or all known ones for None.

    name: of the data set, for messages. Raises ValueError for an unknown or repeated language, and for none.
    """
    if languages is None:
        return tuple(known)
    unknown = [language for language in languages if language not in known]
    if unknown:
        raise ValueError(f"languages: {name} has no {', '.join(unknown)}; its languages are {', '.join(known)}")
    if not languages or len(set(languages)) < len(languages):
        raise ValueError(f"languages must name at least one of {', '.join(known)}, each once, not {list(languages)}")
    return tuple(languages)

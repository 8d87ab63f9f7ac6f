"""Selects languages of a data set."""

from __future__ import annotations

from collections.abc import Sequence

from babelbatch.records import canonical_language, find_language


def chosen_languages(languages: Sequence[object] | None) -> list[str] | None:
    """The canonical codes of the languages that a user chose among those of own data; None for all.

    Raises ValueError for no language, for one twice and for what is no code, such as the number that YAML reads `nan`
    as and the truth value that it reads `no` as.
    """
    if languages is None:
        return None
    for language in languages:
        if not isinstance(language, str):
            read = {"nan": "nan", "False": "no", "True": "yes"}.get(str(language), str(language))
            raise ValueError(f"languages: YAML reads a bare {read} as {language!r}; write it in quotes, '{read}'")
    try:
        found = [canonical_language(str(language)) for language in languages]
    except ValueError as error:
        raise ValueError(f"languages: {error}") from None
    if not found or len(set(found)) < len(found):
        raise ValueError(f"languages: {list(languages)} names no language, or one twice; name each once")
    return found


def select_languages(name: str, known: Sequence[str], languages: Sequence[str] | None) -> tuple[str, ...]:
    """The requested languages in their order, or all known ones for None.

    name: of the data set, for messages. A language may have another spelling than in `known`: `eng_Latn` for `en`.
    Raises ValueError for an unknown or repeated language, and for none.
    """
    if languages is None:
        return tuple(known)
    languages = [find_language(language, known) or language for language in languages]
    unknown = [language for language in languages if language not in known]
    if unknown:
        raise ValueError(f"languages: {name} has no {', '.join(unknown)}; its languages are {', '.join(known)}")
    if not languages or len(set(languages)) < len(languages):
        raise ValueError(f"languages must name at least one of {', '.join(known)}, each once, not {list(languages)}")
    return tuple(languages)

"""Which column of a table holds what: by name, by a pattern such as `question_{language}`, or by a name a language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LANGUAGE = r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*"
"""What can be a language: a code of two or three letters, also with a script or a region (zh-Hant, pt_BR)."""

Said = str | Mapping[str, str]
"""A name, a pattern with `{language}` or `{number}` in it, or a name for each language."""

DEFAULTS: dict[str, Said] = {
    "id": "id",
    "language": "language",
    "question": "question",
    "passage": "passage",
    "negatives": "negatives",
    "passage_id": "passage_id",
}
"""What a table of pairs has, and under which name it is looked for. All but question and passage may be missing."""

WIDE: dict[str, Said] = {"question": "question_{language}", "passage": "passage_{language}"}
"""What the columns of a row with all languages are mostly called."""

NUMBERED_NEGATIVES = "negative_{number}"
"""Where negatives are looked for if there is no column with a list of them: one a column, as CSV needs it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one row. Of a row that is in one language, the language of its texts is None here.

    negatives: columns with a list of texts, or with a text each, by language.
    """

    id: str | None
    language: str | None
    passage_id: str | None
    questions: Mapping[str | None, str]
    passages: Mapping[str | None, str]
    negatives: Mapping[str | None, tuple[str, ...]]


def settled(said: Mapping[str, Said] | None) -> dict[str, Said]:
    """`DEFAULTS` with what was said instead. ValueError: what is no name of theirs, or no column's."""
    said = dict(said or {})
    for role, columns in said.items():
        if role not in DEFAULTS:
            raise ValueError(f"columns.{role}: no such column; a table has: {', '.join(DEFAULTS)}")
        names = list(columns.values()) if isinstance(columns, Mapping) else [columns]
        if not names or not all(isinstance(name, str) and name for name in names):
            raise ValueError(f"columns.{role}: {columns!r} is not the name of a column, nor one for each language")
        if role in {"id", "language", "passage_id"} and by_language(columns):
            raise ValueError(f"columns.{role}: one column, not one a language")
        if isinstance(columns, Mapping):
            for language in columns:
                if not re.fullmatch(LANGUAGE, str(language)):
                    raise ValueError(f"columns.{role}: '{language}' is not a language, such as en or zh-Hant")
    whole = DEFAULTS | said
    if by_language(whole["question"]) != by_language(whole["passage"]):
        one, other = ("passage", "question") if by_language(whole["question"]) else ("question", "passage")
        raise ValueError(
            f"columns.{one}: columns.{other} names a column a language, so this must too, such as {one}_{{language}} "
            f"or {{en: {one}}}"
        )
    if "negatives" in said and by_language(whole["negatives"]) != by_language(whole["question"]):
        wide = by_language(whole["question"])
        form, remedy = ("a column", "such as negatives_{language}") if wide else ("no column", "such as negatives")
        raise ValueError(f"columns.negatives: columns.question names {form} a language, so must this, {remedy}")
    return whole


def by_language(said: Said) -> bool:
    """Whether there is a column for each language."""
    return isinstance(said, Mapping) or "{language}" in said


def is_wide(names: Sequence[str]) -> bool:
    """Whether the columns with these names are as `WIDE` has them."""
    names = [name for name in names if name not in DEFAULTS.values()]  # `passage_id`
    return all(_matched(names, pattern) for pattern in WIDE.values())


def layout(names: Sequence[str], columns: Mapping[str, Said], given: frozenset[str]) -> Layout:
    """Where the columns with these names have what `columns` says.

    given: those of `columns` that the user asked for; the others may be missing. KeyError: the name of one that is not
    there.
    """

    def one(role: str) -> str | None:
        name = columns[role]
        assert isinstance(name, str)
        if name in names:
            return name
        if role in given:
            raise KeyError(name)
        return None

    single = [one(role) for role in ("id", "language", "passage_id")]
    names = [name for name in names if name not in single]  # `passage_id` is no passage in Indonesian
    wide = by_language(columns["question"])
    negatives = _matched(names, columns["negatives"]) if "negatives" in given or not wide else []
    if not negatives and "negatives" in given and not wide:
        raise KeyError(columns["negatives"])
    if not negatives and "negatives" not in given:
        pattern = "negative_{language}_{number}" if wide else NUMBERED_NEGATIVES
        negatives = _matched(names, "negatives_{language}") if wide else []
        negatives = negatives or _matched(names, pattern)
    grouped: dict[str | None, tuple[str, ...]] = {}
    for language, name in negatives:
        if (language is None) != wide:
            grouped[language] = (*grouped.get(language, ()), name)
    texts: list[dict[str | None, str]] = []
    for role in ("question", "passage"):
        found = dict(_matched(names, columns[role]))
        if not found:
            wanted = columns[role]
            raise KeyError(wanted if isinstance(wanted, str) else ", ".join(wanted.values()))
        texts.append(found)
    id_, language, passage_id = single
    questions, passages = texts
    return Layout(id_, None if wide else language, passage_id, questions, passages, grouped)


def _matched(names: Sequence[str], said: Said) -> list[tuple[str | None, str]]:
    """(language or None, name) of the columns that are meant, numbered ones in the order of their numbers."""
    if isinstance(said, Mapping):
        return [(language, name) for language, name in said.items() if name in names]
    if "{" not in said:
        return [(None, said)] if said in names else []
    pattern = re.escape(said).replace(r"\{language\}", f"(?P<language>{LANGUAGE})")
    pattern = pattern.replace(r"\{number\}", r"(?P<number>\d+)")
    found = []
    for name in names:
        if match := re.fullmatch(pattern, name):
            parts = match.groupdict()
            found.append((int(parts.get("number") or 0), parts.get("language"), name))
    return [(language, name) for _, language, name in sorted(found, key=lambda column: column[0])]

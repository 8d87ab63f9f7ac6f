"""Finds the columns of a table: by name, by a pattern such as `question_{language}`, or by a name per language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LANGUAGE = r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*"
"""A language code of two or three letters, also with a script or a region (zh-Hant, pt_BR)."""

ColumnNames = str | Mapping[str, str]
"""A name, a pattern with `{language}` or `{number}`, or language -> name."""

DEFAULTS: dict[str, ColumnNames] = {
    "id": "id",
    "language": "language",
    "question": "question",
    "passage": "passage",
    "negatives": "negatives",
    "passage_id": "passage_id",
}
"""Role in a table of pairs -> the default name of its column. Only question and passage are required."""

WIDE: dict[str, ColumnNames] = {"question": "question_{language}", "passage": "passage_{language}"}
"""The usual names of the columns where a row has all languages."""

KNOWN: tuple[dict[str, str], ...] = (
    {"question": "query", "passage": "pos"},
    {"question": "anchor", "passage": "positive"},
    {"question": "sentence1", "passage": "sentence2"},
)
"""Names in the tables of FlagEmbedding and of sentence-transformers, which count where the usual ones are missing."""

LABELS = ("label", "score")
"""Columns of sentence-transformers that say whether a pair belongs together: 1, or 0. `score` counts beside two
sentences only."""

NEGATIVES = ("negative", "neg")
"""Other usual names of a column of negatives, beside whatever names of questions and passages."""

NUMBERED_NEGATIVES = "negative_{number}"
"""The default name of columns with one negative each, as CSV needs; used if there is no column `negatives`."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one row. For a row in one language, the keys of questions, passages and negatives are None.

    questions, passages: language -> column. negatives: language -> columns with a list of texts or one text each.
    label: column that is 1 where the pair belongs together, and 0 where not.
    """

    id: str | None
    language: str | None
    passage_id: str | None
    questions: Mapping[str | None, str]
    passages: Mapping[str | None, str]
    negatives: Mapping[str | None, tuple[str, ...]]
    label: str | None = None


def complete_columns(given: Mapping[str, ColumnNames] | None) -> dict[str, ColumnNames]:
    """`given` completed by `DEFAULTS`. Raises ValueError for an unknown role and for values that name no column."""
    given = dict(given or {})
    for role, columns in given.items():
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
    complete = DEFAULTS | given
    if by_language(complete["question"]) != by_language(complete["passage"]):
        one, other = ("passage", "question") if by_language(complete["question"]) else ("question", "passage")
        raise ValueError(
            f"columns.{one}: columns.{other} names a column a language, so this must too, such as {one}_{{language}} "
            f"or {{en: {one}}}"
        )
    if "negatives" in given and by_language(complete["negatives"]) != by_language(complete["question"]):
        wide = by_language(complete["question"])
        form, remedy = ("a column", "such as negatives_{language}") if wide else ("no column", "such as negatives")
        raise ValueError(f"columns.negatives: columns.question names {form} a language, so must this, {remedy}")
    return complete


def by_language(columns: ColumnNames) -> bool:
    """Whether there is a column for each language."""
    return isinstance(columns, Mapping) or "{language}" in columns


def is_wide(names: Sequence[str]) -> bool:
    """Whether these columns match the patterns of `WIDE`."""
    names = [name for name in names if name not in DEFAULTS.values()]  # `passage_id`
    return all(_matching(names, pattern) for pattern in WIDE.values())


def find_layout(names: Sequence[str], columns: Mapping[str, ColumnNames], required: frozenset[str]) -> Layout:
    """The layout of a row with these column names.

    columns: complete, see `complete_columns`. required: roles that the user named; the others may be missing.
    Raises KeyError with the name of a missing column.
    """
    columns = _with_known_names(names, columns)

    def one(role: str) -> str | None:
        name = columns[role]
        assert isinstance(name, str)
        if name in names:
            return name
        if role in required:
            raise KeyError(name)
        return None

    single = [one(role) for role in ("id", "language", "passage_id")]
    names = [name for name in names if name not in single]  # `passage_id` is no passage in Indonesian
    wide = by_language(columns["question"])
    negatives = _matching(names, columns["negatives"]) if "negatives" in required or not wide else []
    if not negatives and "negatives" in required and not wide:
        raise KeyError(columns["negatives"])
    if not negatives and "negatives" not in required:
        if wide:
            negatives = _matching(names, "negatives_{language}") or _matching(names, "negative_{language}_{number}")
        else:
            others = {columns["question"], columns["passage"]}
            usual = [(None, name) for name in NEGATIVES if name in names and name not in others]
            negatives = [*usual, *_matching(names, NUMBERED_NEGATIVES)]
    grouped: dict[str | None, tuple[str, ...]] = {}
    for language, name in negatives:
        if (language is None) != wide:
            grouped[language] = (*grouped.get(language, ()), name)
    texts: list[dict[str | None, str]] = []
    for role in ("question", "passage"):
        found = dict(_matching(names, columns[role]))
        if not found:
            wanted = columns[role]
            raise KeyError(wanted if isinstance(wanted, str) else ", ".join(wanted.values()))
        texts.append(found)
    id_, language, passage_id = single
    questions, passages = texts
    own = {name for name in columns.values() if isinstance(name, str)}
    label = next((name for name in _labels(columns["question"]) if name in names and name not in own), None)
    return Layout(id_, None if wide else language, passage_id, questions, passages, grouped, label)


def _with_known_names(names: Sequence[str], columns: Mapping[str, ColumnNames]) -> Mapping[str, ColumnNames]:
    """The columns under the names of another library, if the row has those and not the usual ones."""
    if any(columns[role] != DEFAULTS[role] or DEFAULTS[role] in names for role in ("question", "passage")):
        return columns
    for known in KNOWN:
        if known["question"] in names and known["passage"] in names:
            return {**columns, **known}
    return columns


def _labels(question: ColumnNames) -> tuple[str, ...]:
    """The names that a label may have beside this column of questions."""
    if question == KNOWN[-1]["question"]:
        return LABELS
    return LABELS[:1] if any(question == each["question"] for each in KNOWN) else ()


def _matching(names: Sequence[str], wanted: ColumnNames) -> list[tuple[str | None, str]]:
    """(language or None, name) of the wanted columns, numbered ones in the order of their numbers."""
    if isinstance(wanted, Mapping):
        return [(language, name) for language, name in wanted.items() if name in names]
    if "{" not in wanted:
        return [(None, wanted)] if wanted in names else []
    pattern = re.escape(wanted).replace(r"\{language\}", f"(?P<language>{LANGUAGE})")
    pattern = pattern.replace(r"\{number\}", r"(?P<number>\d+)")
    found = []
    for name in names:
        if match := re.fullmatch(pattern, name):
            parts = match.groupdict()
            found.append((int(parts.get("number") or 0), parts.get("language"), name))
    return [(language, name) for _, language, name in sorted(found, key=lambda column: column[0])]

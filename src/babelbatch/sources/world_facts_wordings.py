"""The wordings of each relation in each language, read from `world_facts_wordings.json`.

CLDR gives every name in the citation form only. In a wording, a name therefore occurs only where this form is correct
for any gender, number, article or sound: before a colon as the topic, after a colon, beside the noun that it names
(between quotation marks if need be), bare where the language does not inflect it (Arabic after a separate preposition,
Hindi place names, Thai, Vietnamese, Chinese), or as the subject of the clause (Turkish). A name that CLDR writes in
lower case (languages and days in Spanish and Russian) never opens a sentence.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_suffix(".json")
_FIELDS = {"queries": {"subject"}, "passages": {"subject", "object"}}


@dataclass(frozen=True, slots=True)
class Wordings:
    """Format strings with the same meaning: queries with `{subject}`, passages with `{subject}` and `{object}`."""

    queries: tuple[str, ...]
    passages: tuple[str, ...]


@cache
def load_wordings(relations: tuple[str, ...], languages: tuple[str, ...]) -> dict[tuple[str, str], Wordings]:
    """The wordings of each (relation, language).

    Raises ValueError if the file does not have exactly these relations and languages, or if a wording has other fields
    than it should.
    """
    values = json.loads(_FILE.read_text(encoding="utf-8"))
    return {
        (relation, language): _wordings(f"{relation}.{language}", of_language)
        for relation, of_relation in _items(values, relations, "relations")
        for language, of_language in _items(of_relation, languages, f"languages of {relation}")
    }


def _items(values: Mapping[str, Any], expected: Sequence[str], kind: str) -> list[tuple[str, Any]]:
    if sorted(values) != sorted(expected):
        raise ValueError(f"{_FILE}: the {kind} are {', '.join(values)}, not {', '.join(expected)}; install it again")
    return [(name, values[name]) for name in expected]


def _wordings(place: str, values: Mapping[str, Sequence[str]]) -> Wordings:
    for role, fields in _FIELDS.items():
        if not values.get(role):
            raise ValueError(f"{_FILE}, {place}: no {role}; add one")
        for wording in values[role]:
            if {name for _, name, _, _ in string.Formatter().parse(wording) if name is not None} != fields:
                names = " and ".join(f"{{{field}}}" for field in sorted(fields, reverse=True))
                raise ValueError(f"{_FILE}, {place}: '{wording}' must have the fields {names} and no other")
    return Wordings(tuple(values["queries"]), tuple(values["passages"]))

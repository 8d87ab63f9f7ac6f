"""What the report knows of languages: names, scripts, resource classes, distances. Small tables that ship with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

DISTANCES = ("syntactic", "featural", "genetic", "geographic")


@dataclass(frozen=True, slots=True)
class Language:
    """name: in English. own: in the language and script itself. resources: class of Joshi et al. 2020, from 0 (left
    behind) to 5 (the winners); None if unknown, as `script` then is."""

    code: str
    name: str
    own: str
    script: str | None
    resources: int | None


def language(code: str) -> Language:
    """What is known of a language code; of an unknown one, the code."""
    found = _table("languages.json")["languages"].get(code)
    if found is None:
        return Language(code, code, code, None, None)
    return Language(code, found["name"], found["own"], found["script"], found["class"])


def distance(kind: str, a: str, b: str) -> float | None:
    """The URIEL+ distance of two languages, in [0, 1]; None if one is not in the table."""
    table = _table("urielplus_distances.json")
    places = table["languages"]
    if a not in places or b not in places:
        return None
    return table["distances"][kind][places.index(a)][places.index(b)]


def distance_matrix(kind: str, codes: Sequence[str]) -> np.ndarray:
    """(L, L) distances between languages that are all in the table."""
    return np.array([[distance(kind, a, b) for b in codes] for a in codes], np.float64)


@cache
def _table(name: str) -> dict:
    return json.loads((files("babelbatch.report") / "data" / name).read_text(encoding="utf-8"))

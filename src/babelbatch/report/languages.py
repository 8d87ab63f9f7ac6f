"""Facts about languages that ship with the report: names, scripts, resource classes and typological distances."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from babelbatch.records import canonical_language, english_name, primary_language, script_name, script_of

DISTANCES = ("syntactic", "featural", "genetic", "geographic")


@dataclass(frozen=True, slots=True)
class Language:
    """name: in English. own_name: in the language itself. script: None if unknown. resources: class of Joshi et al.
    2020, from 0 (left behind) to 5 (the winners); None if unknown."""

    code: str
    name: str
    own_name: str
    script: str | None
    resources: int | None


_Facts = TypedDict("_Facts", {"name": str, "own": str, "script": str, "class": int | None})


class _Languages(TypedDict):
    languages: dict[str, _Facts]


class _Distances(TypedDict):
    languages: list[str]
    distances: dict[str, list[list[float]]]


def language(code: str) -> Language:
    """The facts about a language code. A variety such as `acm` is not taken for the language that it belongs to. A
    language that is not in the table has name and script of the CLDR, if it is there, and no resource class."""
    table = _languages()["languages"]
    facts = next((table[each] for each in _spellings(code) if each in table), None)
    script = script_of(code)
    if facts is None:
        name = english_name(code) or code
        return Language(code, name, name, None if script is None else script_name(script), None)
    stated = script is not None and script != script_of(primary_language(code))
    return Language(
        code, facts["name"], facts["own"], script_name(str(script)) if stated else facts["script"], facts["class"]
    )


def distance(kind: str, a: str, b: str) -> float | None:
    """The URIEL+ distance of two languages, in [0, 1]; None if one is not in the table."""
    table = _distances()
    codes = table["languages"]
    rows = [next((codes.index(each) for each in _spellings(code) if each in codes), None) for code in (a, b)]
    if rows[0] is None or rows[1] is None:
        return None
    return table["distances"][kind][rows[0]][rows[1]]


@cache
def _spellings(code: str) -> tuple[str, ...]:
    """The code, its canonical form and the language without script and region, which the tables are searched for."""
    try:
        return code, canonical_language(code), primary_language(code)
    except ValueError:
        return (code,)


def distance_matrix(kind: str, codes: Sequence[str]) -> NDArray[np.float64]:
    """(L, L) distances between languages that are all in the table."""
    return np.array([[distance(kind, a, b) for b in codes] for a in codes], np.float64)


@cache
def _languages() -> _Languages:
    table: _Languages = json.loads(_text("languages.json"))
    return table


@cache
def _distances() -> _Distances:
    table: _Distances = json.loads(_text("urielplus_distances.json"))
    return table


def _text(name: str) -> str:
    return (files("babelbatch.report") / "data" / name).read_text(encoding="utf-8")

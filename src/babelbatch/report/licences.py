"""The licences of the data that a run was trained and evaluated on, as their publishers state them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

UNKNOWN = "not known to babelbatch"


@dataclass(frozen=True, slots=True)
class DataSource:
    """Data that a configuration names. key: where it names them, such as `corpus`. limits: of use, empty for none."""

    key: str
    name: str
    licence: str
    limits: str


def data_sources(settings: Mapping[str, Any]) -> list[DataSource]:
    """The data of every loader in a configuration, given as path -> value: corpora first, then benchmarks.

    Those of a loader that is not listed have an unknown licence, and the name of the loader.
    """
    found = []
    for path, target in settings.items():
        key = path.removesuffix("._target_")
        if key == path or not key.startswith(("corpus", "validation", "benchmarks.")):
            continue
        module = str(target).rpartition(".")[0].rpartition(".")[2]
        variant = settings.get(f"{key}.dataset") or settings.get(f"{key}.translations")
        shipped = str(target).startswith("babelbatch.")
        known = _listed().get(f"{module}:{variant}") or _listed().get(module) if shipped else None
        if module == "mixture" and shipped:
            continue  # its parts are listed
        found.append(DataSource(key, *(known or (str(target), UNKNOWN, ""))))
    return sorted(found, key=lambda source: (source.key.startswith("benchmarks."), source.key))


@cache
def _listed() -> dict[str, list[str]]:
    text = (files("babelbatch.report") / "data" / "licences.json").read_text(encoding="utf-8")
    listed: dict[str, list[str]] = json.loads(text)
    return listed

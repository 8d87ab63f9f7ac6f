"""The file with the settings of an encoder in a folder that babelbatch saved."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from babelbatch.encoder.dense import Dense
from babelbatch.encoder.json_files import read_json_object
from babelbatch.encoder.model import Settings

SETTINGS_FILE = "babelbatch.json"
_FORMER_NAMES = {"question_prefix": "query_prefix", "question_length": "query_length"}
"""Of earlier versions."""


def save_settings(settings: Settings, folder: Path) -> None:
    """Writes the settings. Dense layers and prompts of tasks are left out where there are none, as earlier versions
    wrote the file."""
    content = asdict(settings)
    for name in ("dense", "query_prompts"):
        if not content[name]:
            del content[name]
    (folder / SETTINGS_FILE).write_text(json.dumps(content, indent=2) + "\n")


def load_settings(folder: Path) -> dict[str, Any]:
    """The arguments of `Settings` that the folder stores; none if babelbatch did not save it."""
    if not (folder / SETTINGS_FILE).exists():
        return {}
    path = folder / SETTINGS_FILE
    content = {_FORMER_NAMES.get(name, name): value for name, value in read_json_object(path).items()}
    known = {field.name: content[field.name] for field in fields(Settings) if field.name in content}
    try:
        if "dense" in known:
            known["dense"] = tuple(Dense(**layer) for layer in known["dense"])
        for name, value in known.items():
            _refuse_other_type(name, value)
    except TypeError as error:
        raise ValueError(f"{path}: {error}; save the model there again") from None
    return known


def _refuse_other_type(name: str, value: object) -> None:
    """Raises TypeError for a value that no setting of this name has."""
    annotation = str(Settings.__annotations__[name])
    kinds: dict[str, type] = {"str": str, "bool": bool, "int": int, "None": type(None), "tuple": tuple}
    kinds["Mapping"] = dict
    named = [each.partition("[")[0] for each in annotation.replace(" ", "").split("|")]
    allowed = tuple(kinds[each] for each in named if each in kinds)
    if allowed and (not isinstance(value, allowed) or (isinstance(value, bool) and "bool" not in annotation)):
        raise TypeError(f"{name} is {str(value)[:40]!r}, not {annotation}")
    if isinstance(value, dict) and not all(isinstance(text, str) for text in value.values()):
        raise TypeError(f"{name} is {str(value)[:40]!r}, not {annotation}")

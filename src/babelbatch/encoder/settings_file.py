"""The file with the settings of an encoder in a folder that babelbatch saved."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from babelbatch.encoder.dense import Dense
from babelbatch.encoder.json_files import read_json
from babelbatch.encoder.model import Settings

SETTINGS_FILE = "babelbatch.json"
_FORMER_NAMES = {"question_prefix": "query_prefix", "question_length": "query_length"}
"""Of earlier versions."""


def save_settings(settings: Settings, folder: Path) -> None:
    """Writes the settings. Dense layers are left out where there are none, as earlier versions wrote the file."""
    content = asdict(settings)
    if not settings.dense:
        del content["dense"]
    (folder / SETTINGS_FILE).write_text(json.dumps(content, indent=2) + "\n")


def load_settings(folder: Path) -> dict[str, Any]:
    """The arguments of `Settings` that the folder stores; none if babelbatch did not save it."""
    if not (folder / SETTINGS_FILE).exists():
        return {}
    content = {_FORMER_NAMES.get(name, name): value for name, value in read_json(folder / SETTINGS_FILE).items()}
    known = {field.name: content[field.name] for field in fields(Settings) if field.name in content}
    if "dense" in known:
        known["dense"] = tuple(Dense(**layer) for layer in known["dense"])
    return known

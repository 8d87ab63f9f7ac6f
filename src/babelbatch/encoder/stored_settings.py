"""What a folder that babelbatch saved says about itself."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

from babelbatch.encoder.dense import Dense
from babelbatch.encoder.json_files import read
from babelbatch.encoder.model import Settings

SETTINGS_FILE = "babelbatch.json"
_FORMER = {"question_prefix": "query_prefix", "question_length": "query_length"}
"""How earlier versions named them."""


def store_settings(settings: Settings, folder: Path) -> None:
    """Writes them; layers only if there are any, so that without them the file is as it always was."""
    stored = asdict(settings)
    if not settings.dense:
        del stored["dense"]
    (folder / SETTINGS_FILE).write_text(json.dumps(stored, indent=2) + "\n")


def stored_settings(folder: Path) -> dict[str, object]:
    """Arguments of `Settings` that the folder states; none if babelbatch did not save it."""
    if not (folder / SETTINGS_FILE).exists():
        return {}
    stored = {_FORMER.get(name, name): value for name, value in read(folder / SETTINGS_FILE).items()}
    known = {field.name: stored[field.name] for field in fields(Settings) if field.name in stored}
    if "dense" in known:
        known["dense"] = tuple(Dense(**layer) for layer in known["dense"])
    return known

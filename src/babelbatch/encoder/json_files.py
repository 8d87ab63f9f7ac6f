"""Reads the JSON files of a model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any:
    """The content of a file. Raises ValueError, with a remedy, if it is missing or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file; save the model there again") from None
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error}); save the model there again") from None


def read_json_if_exists(path: Path) -> dict[str, Any]:
    """The object in a file; empty if there is no such file."""
    content: dict[str, Any] = read_json(path) if path.exists() else {}
    return content

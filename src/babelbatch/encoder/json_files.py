"""JSON files of a model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read(path: Path) -> Any:
    """What the file holds. ValueError, with a remedy, if it is not JSON or not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file; save the model there again") from None
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error}); save the model there again") from None


def read_if_there(path: Path) -> dict:
    """The same, or nothing if there is no such file."""
    return read(path) if path.exists() else {}

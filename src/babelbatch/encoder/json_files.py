"""Reads the JSON files of a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babelbatch.storage import documents


def read_json(path: Path) -> Any:
    """The content of a file. Raises ValueError, with a remedy, if it is missing or not JSON."""
    try:
        return documents.read_json(path, finite=False)  # some tokenizers state a length of 1e30, some an infinite one
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file; save the model there again") from None
    except (documents.UnreadableDocument, OSError) as error:
        raise ValueError(f"{path}: not valid JSON ({error}); save the model there again") from None


def read_json_if_exists(path: Path) -> dict[str, Any]:
    """The object in a file; empty if there is no such file. Raises ValueError as `read_json_object`."""
    return read_json_object(path) if path.exists() else {}


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a file. Raises ValueError as `read_json`, and for anything but an object."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: it holds no object; save the model there again")
    return content

"""Checksums of a saved encoder's weights and tokenizer, which safetensors and JSON do not have."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from babelbatch.encoder.json_files import read_json_if_exists
from babelbatch.storage import file_crc32, write_atomically

CHECKSUMS_FILE = "checksums.json"
_PATTERNS = ("*.safetensors", "tokenizer.json")
"""Files that nobody edits by hand. Settings may be edited, and are verified when they are read."""


def remove_checksums(folder: Path) -> None:
    """Before a file of the folder is written: until `write_checksums` nothing is verified."""
    (folder / CHECKSUMS_FILE).unlink(missing_ok=True)


def write_checksums(folder: Path) -> None:
    """Writes checksums.json with the CRC-32 of each weights file and tokenizer in the folder and below it."""
    paths = sorted(path for pattern in _PATTERNS for path in folder.rglob(pattern) if path.is_file())
    activity = "computing checksums of the encoder"
    found = {path.relative_to(folder).as_posix(): f"{file_crc32(path, activity):08x}" for path in paths}
    write_atomically(folder / CHECKSUMS_FILE, json.dumps({"crc32": found}, indent=1) + "\n")


def checksums_digest(folder: Path) -> str | None:
    """A digest of the checksums, and so of weights and tokenizer; None for a folder without, as of earlier versions."""
    path = folder / CHECKSUMS_FILE
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else None


def verify_checksums(folder: Path) -> None:
    """Raises ValueError for the first file in a folder with checksums.json that is not as it was saved.

    Folders of other programs, and of earlier versions, have no checksums: nothing is verified.
    """
    path = folder / CHECKSUMS_FILE
    remedy = "remove the file to load the encoder unverified"
    saved = read_json_if_exists(path).get("crc32", {})
    if not isinstance(saved, dict):
        raise ValueError(f"{path}: 'crc32' is no object; {remedy}")
    for name, crc32 in saved.items():
        file = folder / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise ValueError(
                f"{path}: '{name}' leads out of the folder; remove the file to load the encoder unverified"
            )
        if not file.is_file():
            continue  # what is missing is named where it is needed
        if f"{file_crc32(file, 'verifying the encoder'):08x}" != crc32:
            raise ValueError(
                f"encoder.name_or_path: {file} is not as it was saved; it is damaged: copy it again or, if you have "
                f"replaced it yourself, remove {path}"
            )

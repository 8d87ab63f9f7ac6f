"""A hash of a record's content, by which runs on the same data recognise each other."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from babelbatch.progress import track

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_BLOCK = 1 << 18  # rows at a time: an array may be memory-mapped and larger than memory


def fingerprint(record: DataclassInstance) -> str:
    """SHA-256 over the fields of a record, first 16 hex digits.

    A field is a string, an array, a sequence of strings, a record of such that has a repr, or None, which is skipped.
    Metadata of a field: `fingerprint=False` leaves it out; `hashed_as` is the name it is hashed under, so that renaming
    a field does not change the fingerprint of its data.
    """
    digest = hashlib.sha256()
    for part in fields(record):
        value = getattr(record, part.name)
        if value is None or not part.metadata.get("fingerprint", True):
            continue
        digest.update(part.metadata.get("hashed_as", part.name).encode() + b"\0")
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode())
            for rows in np.split(value, range(_BLOCK, len(value), _BLOCK)):
                digest.update(np.ascontiguousarray(rows).tobytes())
        elif isinstance(value, str) or hasattr(value, "__dataclass_fields__"):
            digest.update(str(value).encode() + b"\0")
        else:
            for text in track(value, f"reading {part.name} for a fingerprint", "texts"):
                digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:16]

"""Vectors kept on disk under a name that says what they were made from. Whole or not there.

A file is an array in numpy's format, followed by the SHA-256 of its bytes. To clear the cache, delete its folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path

import numpy as np

MOST_BYTES = 8 << 30
"""Of all files together: beyond that the one that was not used for longest goes first."""

log = logging.getLogger(__name__)


def load(folder: Path, name: str, shape: tuple[int, int]) -> np.ndarray | None:
    """The float32 vectors kept under `name`, or None if there are none, or a file that is cut short or altered."""
    path = _path(folder, name)
    try:
        with path.open("rb") as file:
            vectors = np.lib.format.read_array(file, allow_pickle=False)
            digest = file.read()
        whole = vectors.shape == shape and vectors.dtype == np.float32 and digest == _digest(vectors)
        if not whole:
            raise ValueError("its checksum does not fit")
        os.utime(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        log.warning("%s cannot be used (%s): the texts are encoded again", path, error)
        return None
    return vectors


def save(folder: Path, name: str, vectors: np.ndarray) -> None:
    """Keeps (T, d) float32 vectors under `name`. A disk that is full or cannot be written costs a warning."""
    temporary: str | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(vectors), allow_pickle=False)
            file.write(_digest(vectors))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes it private
        os.replace(temporary, _path(folder, name))
        _make_room(folder)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        log.warning("vectors cannot be kept in %s (%s); set BABELBATCH_CACHE to another folder", folder, error)


def _make_room(folder: Path) -> None:
    files = []
    for path in folder.glob("*.vectors"):
        try:
            files.append((path.stat().st_mtime_ns, path.stat().st_size, path))
        except FileNotFoundError:  # another process made room
            continue
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files)[:-1]:  # never the one just written
        if total <= MOST_BYTES:
            break
        path.unlink(missing_ok=True)
        total -= size


def _digest(vectors: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(vectors)).digest()


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.vectors"

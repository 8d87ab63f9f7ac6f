"""A disk cache of vectors, under names that identify their inputs. Damaged entries are detected and ignored.

A file is an array in numpy's format, followed by the SHA-256 of its bytes. To clear the cache, delete its folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babelbatch.storage import replaced_file

MOST_BYTES = 8 << 30
"""Of all files together; beyond it the least recently used files are removed."""

log = logging.getLogger(__name__)


def load(folder: Path, name: str, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """The float32 vectors stored under `name`; None if there are none, or if the file is truncated or altered."""
    path = _path(folder, name)
    try:
        if path.is_symlink():
            raise ValueError("it is a symbolic link")
        with path.open("rb") as file:
            vectors: NDArray[np.float32] = np.lib.format.read_array(file, allow_pickle=False)
            digest = file.read()
        if not (vectors.shape == shape and vectors.dtype == np.float32 and digest == _digest(vectors)):
            raise ValueError("its checksum does not fit")
        with suppress(PermissionError):  # another user's
            os.utime(path)
    except FileNotFoundError:
        return None
    except Exception as error:  # numpy parses a header of text, and raises what Python's parser raises
        log.warning("%s cannot be used (%s): the texts are encoded again", path, error)
        return None
    return vectors


def save(folder: Path, name: str, vectors: NDArray[np.float32]) -> None:
    """Stores (T, d) float32 vectors under `name`. A full or read-only disk only causes a warning."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replaced_file(_path(folder, name)) as file:
            np.lib.format.write_array(file, np.ascontiguousarray(vectors), allow_pickle=False)
            file.write(_digest(vectors))
        _evict(folder)
    except OSError as error:
        log.warning("vectors cannot be kept in %s (%s); set BABELBATCH_CACHE to another folder", folder, error)


def _evict(folder: Path) -> None:
    """Removes the least recently used files beyond MOST_BYTES."""
    files = []
    for path in folder.glob("*.vectors"):
        try:
            files.append((path.stat().st_mtime_ns, path.stat().st_size, path))
        except FileNotFoundError:  # another process removed it
            continue
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files)[:-1]:  # never the one just written
        if total <= MOST_BYTES:
            break
        path.unlink(missing_ok=True)
        total -= size


def _digest(vectors: NDArray[np.float32]) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(vectors).data).digest()


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.vectors"

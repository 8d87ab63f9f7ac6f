"""Writes that survive a power cut: flushed to the disk, and renamed into place."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def flush_folder(folder: Path) -> None:
    """Flushes a folder's list of files, so that a rename in it is durable. Does nothing where the disk cannot."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network disks cannot
            raise
    finally:
        os.close(descriptor)


def write_atomically(path: Path, text: str) -> None:
    """Writes a UTF-8 file such that a reader finds the old content or the new, never a part.

    It goes to a temporary file in the same folder, which is flushed and renamed.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes it private
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

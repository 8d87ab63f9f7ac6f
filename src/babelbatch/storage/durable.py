"""Writes that survive a power cut: flushed to the disk, and renamed into place."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
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


def flush_file(path: Path) -> None:
    """Flushes a file that another library has written and closed."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replaced_file(path: Path) -> Iterator[BufferedRandom]:
    """Yields a new file for writing and reading that gets the name `path` at the end of the block: a reader finds the
    old content or the new, never a part. Nothing changes if the block raises.

    It is a temporary file in the same folder, which is flushed and renamed. Its permissions are those that the user's
    umask gives. A symbolic link at `path` is replaced, not followed.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def write_atomically(path: Path, text: str) -> None:
    """Writes a UTF-8 file such that a reader finds the old content or the new, never a part."""
    with replaced_file(path) as file:
        file.write(text.encode())


def flush_tree(folder: Path) -> None:
    """Flushes all files in a folder and below it, and the lists of files, which other libraries have written."""
    for path in [folder, *folder.rglob("*")]:
        flush_folder(path) if path.is_dir() else flush_file(path)

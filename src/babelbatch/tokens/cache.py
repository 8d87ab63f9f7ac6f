"""Token ids on disk: one folder per entry, written once by one process, verified whenever it is opened."""

from __future__ import annotations

import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babelbatch.storage import file_crc32, flush_folder, locked, try_lock
from babelbatch.tokens.store import IDS_FILE, IDS_TYPE, OFFSETS_FILE, OFFSETS_TYPE

FORMAT = 1
"""Increased when the meaning of the files changes."""

META_FILE = "meta.json"

log = logging.getLogger(__name__)

TokenBlocks = Generator[tuple[NDArray[np.int32], NDArray[np.int64]], None, None]
"""Blocks of texts: their ids, end to end, and their lengths."""


class CacheError(Exception):
    """The cache folder cannot be written or read. Its text is the reason."""


def find_or_build(root: Path, name: str, blocks: Callable[[], TokenBlocks], activity: str) -> Path:
    """The folder of the entry `name` in `root`, verified; built from `blocks()` if it is missing or damaged.

    One process builds while the others wait. An entry is written under a temporary name and renamed, so a killed
    process leaves no partial entry; its leftovers are removed by the next build.

    activity: for messages, such as "tokenising passages". Raises CacheError if the folder cannot be written or the disk
    is full; errors of `blocks` pass.
    """
    entry = root / name
    with _disk_errors():
        exists = entry.exists()
    if exists and find_damage(entry) is None:
        return entry
    with _entry_lock(root, name, activity):
        if entry.exists():  # another process may have built it meanwhile
            if (reason := find_damage(entry)) is None:
                return entry
            log.warning("%s is damaged (%s); %s again", entry, reason, activity)
        _remove_leftovers(root, name)
        _build(root, name, blocks)
    return entry


def find_damage(entry: Path) -> str | None:
    """What is wrong with an entry, after reading all of it; None if it is intact.

    The checksums are CRC-32: they detect any single flipped byte, and other damage with probability 1 - 2**-32.
    """
    try:
        lines = (entry / META_FILE).read_bytes().split(b"\n")
        if len(lines) != 3 or lines[1] != b"%08x" % zlib.crc32(lines[0]):
            return f"{META_FILE} was altered"
        meta = json.loads(lines[0])
        if (meta["format"], meta["name"]) != (FORMAT, entry.name):
            return f"{META_FILE} belongs to another entry"
        for file, expected in meta["files"].items():
            if (entry / file).is_symlink():  # another file may be behind it tomorrow
                return f"{file} is a symbolic link"
            size = (entry / file).stat().st_size
            if size != expected["bytes"]:
                return f"{file} has {size:,} bytes instead of {expected['bytes']:,}"
        for file, expected in meta["files"].items():
            if file_crc32(entry / file, "verifying cached token ids") != expected["crc32"]:
                return f"{file} was altered"
    except OSError as error:
        return f"{Path(error.filename or entry).name}: {error.strerror}"
    return None


def _build(root: Path, name: str, blocks: Callable[[], TokenBlocks]) -> None:
    entry, temporary = root / name, _temporary_folder(root, name)
    try:
        with _disk_errors():
            if entry.exists():
                shutil.rmtree(entry)
            temporary.mkdir()
        with closing(blocks()) as to_write:
            _write(temporary, name, to_write)
        with _disk_errors():
            flush_folder(temporary)
            temporary.rename(entry)
            flush_folder(root)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(folder: Path, name: str, blocks: TokenBlocks) -> None:
    with _ChecksummedFile(folder / IDS_FILE) as ids, _ChecksummedFile(folder / OFFSETS_FILE) as offsets:
        total = 0
        offsets.append(np.zeros(1, OFFSETS_TYPE))
        for block_ids, lengths in blocks:
            ends = total + np.cumsum(lengths, dtype=OFFSETS_TYPE)
            total = int(ends[-1])
            ids.append(block_ids.astype(IDS_TYPE, copy=False))
            offsets.append(ends)
    files = {IDS_FILE: ids.summary(), OFFSETS_FILE: offsets.summary()}
    meta = json.dumps({"format": FORMAT, "name": name, "files": files}).encode()
    with _disk_errors(), (folder / META_FILE).open("wb") as file:
        file.write(meta + b"\n%08x\n" % zlib.crc32(meta))
        file.flush()
        os.fsync(file.fileno())


class _ChecksummedFile:
    """A file written from front to end, with its size and checksum so far. Flushed to the disk when it is closed."""

    def __init__(self, path: Path) -> None:
        with _disk_errors():
            self._file = path.open("wb")
        self._bytes = self._crc32 = 0

    def append(self, array: NDArray[Any]) -> None:
        data = array.tobytes()
        self._bytes += len(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        with _disk_errors():
            self._file.write(data)

    def summary(self) -> dict[str, int]:
        return {"bytes": self._bytes, "crc32": self._crc32}

    def __enter__(self) -> _ChecksummedFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with _disk_errors(), self._file:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())


@contextmanager
def _entry_lock(root: Path, name: str, activity: str) -> Iterator[None]:
    with ExitStack() as stack:
        with _disk_errors():
            root.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(_lock_file(root, name), activity))
        yield


def _remove_leftovers(root: Path, name: str) -> None:
    """Removes what killed processes left of this entry, whose lock the caller has, and of entries not being built."""
    for folder in root.glob(_temporary_folder(root, "*").name):
        if folder.stem == name:
            shutil.rmtree(folder, ignore_errors=True)
            continue
        with try_lock(_lock_file(root, folder.stem)) as acquired:
            if acquired:
                shutil.rmtree(folder, ignore_errors=True)


def _temporary_folder(root: Path, name: str) -> Path:
    return root / f"{name}.tmp"


def _lock_file(root: Path, name: str) -> Path:
    return root / f"{name}.lock"


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Raises CacheError for an error of the file system."""
    try:
        yield
    except OSError as error:
        raise CacheError(error.strerror or error) from error
    except NotImplementedError as error:  # some versions of filelock, where the file system has no locks
        raise CacheError(error) from error

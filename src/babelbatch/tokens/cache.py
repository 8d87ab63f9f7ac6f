"""Token ids on disk: one folder an entry, written once by one process, checked whenever it is opened."""

from __future__ import annotations

import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from babelbatch.storage import acquire_lock, flush_folder, try_lock
from babelbatch.tokens.store import IDS_FILE, IDS_TYPE, OFFSETS_FILE, OFFSETS_TYPE

FORMAT = 1
"""Goes up when what the files mean changes."""

META_FILE = "meta.json"
_BLOCK = 4 << 20

log = logging.getLogger(__name__)

Pieces = Generator[tuple[np.ndarray, np.ndarray], None, None]
"""The ids of some texts, end to end, and their lengths; then those of the next texts."""


class Unusable(Exception):
    """The cache cannot be written to or looked into. Its text is the reason."""


def find_or_build(root: Path, name: str, pieces: Callable[[], Pieces], doing: str) -> Path:
    """The folder of the entry `name` below `root`, whole. Built of `pieces()` if it is not there, or damaged.

    Of processes that ask at the same time one builds and the others wait. An entry is written beside its place and
    renamed: what a killed process leaves is not taken for one, and goes when the next entry is built.
    doing: for messages, such as "tokenising passages".

    Unusable: the folder cannot be written to, or the disk is full. Errors of `pieces` are passed on.
    """
    entry = root / name
    with _using_disk():
        there = entry.exists()
    if there and damage(entry) is None:
        return entry
    with _locked(root, name, doing):
        if entry.exists():  # who held the lock before may have built it
            if (reason := damage(entry)) is None:
                return entry
            log.warning("%s is damaged (%s); %s again", entry, reason, doing)
        _remove_leftovers(root, name)
        temporary = _temporary(root, name)
        try:
            with _using_disk():
                if entry.exists():
                    shutil.rmtree(entry)
                temporary.mkdir()
            with closing(pieces()) as whole:
                _write(temporary, name, whole)
            with _using_disk():
                flush_folder(temporary)
                temporary.rename(entry)
                flush_folder(root)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return entry


def damage(entry: Path) -> str | None:
    """What is wrong with an entry, after reading all of it; None if nothing is.

    The checksums are CRC-32: they find any flipped byte, and all but one in 2**32 of worse accidents.
    """
    try:
        lines = (entry / META_FILE).read_bytes().split(b"\n")
        if len(lines) != 3 or lines[1] != b"%08x" % zlib.crc32(lines[0]):
            return f"{META_FILE} was altered"
        meta = json.loads(lines[0])
        if (meta["format"], meta["name"]) != (FORMAT, entry.name):
            return f"{META_FILE} belongs to another entry"
        for file, expected in meta["files"].items():
            size = (entry / file).stat().st_size
            if size != expected["bytes"]:
                return f"{file} has {size:,} bytes instead of {expected['bytes']:,}"
        for file, expected in meta["files"].items():
            if _checksum(entry / file) != expected["crc32"]:
                return f"{file} was altered"
    except OSError as error:
        return f"{Path(error.filename or entry).name}: {error.strerror}"
    return None


def _write(folder: Path, name: str, pieces: Pieces) -> None:
    with _Written(folder / IDS_FILE) as ids, _Written(folder / OFFSETS_FILE) as offsets:
        total = 0
        offsets.append(np.zeros(1, OFFSETS_TYPE))
        for some_ids, lengths in pieces:
            ends = total + np.cumsum(lengths, dtype=OFFSETS_TYPE)
            total = int(ends[-1])
            ids.append(some_ids.astype(IDS_TYPE, copy=False))
            offsets.append(ends)
    files = {IDS_FILE: ids.summary(), OFFSETS_FILE: offsets.summary()}
    meta = json.dumps({"format": FORMAT, "name": name, "files": files}).encode()
    with _using_disk(), (folder / META_FILE).open("wb") as file:
        file.write(meta + b"\n%08x\n" % zlib.crc32(meta))
        file.flush()
        os.fsync(file.fileno())


class _Written:
    """A file that is written from front to end, with its size and checksum so far. On disk when it is closed."""

    def __init__(self, path: Path) -> None:
        with _using_disk():
            self._file = path.open("wb")
        self._bytes = self._crc32 = 0

    def append(self, array: np.ndarray) -> None:
        data = array.tobytes()
        self._bytes += len(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        with _using_disk():
            self._file.write(data)

    def summary(self) -> dict[str, int]:
        return {"bytes": self._bytes, "crc32": self._crc32}

    def __enter__(self) -> _Written:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with _using_disk(), self._file:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())


def _checksum(path: Path) -> int:
    """Reads rather than maps: pages of a map would count as this process's memory."""
    crc32 = 0
    buffer = bytearray(_BLOCK)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            crc32 = zlib.crc32(memoryview(buffer)[:count], crc32)
    return crc32


@contextmanager
def _locked(root: Path, name: str, doing: str) -> Iterator[None]:
    """Holds the entry's lock."""
    with _using_disk():
        root.mkdir(parents=True, exist_ok=True)
        lock = acquire_lock(_lock_file(root, name), doing)
    try:
        yield
    finally:
        lock.release()


def _remove_leftovers(root: Path, name: str) -> None:
    """Removes what killed builders left, of this entry, whose lock is held, and of those that nobody is building."""
    for folder in root.glob(_temporary(root, "*").name):
        if folder.stem == name:
            shutil.rmtree(folder, ignore_errors=True)
            continue
        with try_lock(_lock_file(root, folder.stem)) as free:
            if free:
                shutil.rmtree(folder, ignore_errors=True)


def _temporary(root: Path, name: str) -> Path:
    return root / f"{name}.tmp"


def _lock_file(root: Path, name: str) -> Path:
    return root / f"{name}.lock"


@contextmanager
def _using_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unusable(error.strerror or error) from error
    except NotImplementedError as error:  # some versions of filelock, where the file system has no locks
        raise Unusable(error) from error

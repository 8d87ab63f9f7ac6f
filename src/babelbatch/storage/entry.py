"""Cache entries: folders that are built once and memory-mapped by every run, for corpora and benchmarks on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

from babelbatch import __version__
from babelbatch.storage.cache import cache_folder
from babelbatch.storage.checksum import file_crc32
from babelbatch.storage.documents import UnreadableDocument, read_json_object
from babelbatch.storage.durable import flush_file, flush_folder, write_atomically
from babelbatch.storage.lock import locked

log = logging.getLogger(__name__)

_LONGEST_NAME = 60  # characters; a mixture of many parts has a long name, and file systems allow 255 bytes
_FOLDERS = {"corpus": "corpora", "benchmark": "benchmarks"}


class Closeable(Protocol):
    """A file, or a writer with a file."""

    def close(self) -> None: ...


def cache_entry(
    kind: str, name: str, inputs: Mapping[str, object], build: Callable[[Path], Mapping[str, object]]
) -> Path:
    """The cache folder that `build` fills; it is built unless it exists.

    kind: `corpus` or `benchmark`. inputs: everything the content depends on, as JSON can write it: settings, and
        `file_signatures` of the files read. The version of babelbatch is added, since another one may read the same
        files differently.
    build: fills a folder, which may contain files of an interrupted call, and returns what the manifest should store.

    One process builds while the others wait. The folder gets its name when it is complete. An entry that exists is
    verified, and built again, with a warning, if it is damaged. Raises ValueError if the
    cache cannot be written to, and passes on what `build` raises.
    """
    identity = json.dumps({**inputs, "name": name, "babelbatch": __version__}, sort_keys=True)
    file_name = re.sub(r"[^A-Za-z0-9_+-]", "_", name)[:_LONGEST_NAME]
    entry = cache_folder(_FOLDERS[kind]) / f"{file_name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    manifest = entry / f"{kind}.json"
    with _disk_errors_explained(entry.parent):
        if manifest.is_file() and find_damage(entry, kind) is None:
            return entry
        entry.parent.mkdir(parents=True, exist_ok=True)
        with locked(entry.with_suffix(".lock"), f"building {entry}"):
            if manifest.is_file():  # another process may have built it meanwhile
                if (reason := find_damage(entry, kind)) is None:
                    return entry
                log.warning("%s is damaged (%s): it is built again", entry, reason)
            log.info("building the %s %s in %s", kind, name, entry)
            _build(entry, manifest.name, name, json.loads(identity), build)
    return entry


def find_damage(entry: Path, kind: str) -> str | None:
    """What is wrong with an entry, after reading all of it; None if it is as it was built.

    A symbolic link in it counts as damage: none is made, so another file may be behind it tomorrow.
    """
    try:
        manifest = read_json_object(entry / f"{kind}.json")
        if manifest.pop("checksum", None) != _checksum_of(manifest):
            return f"{kind}.json was altered"
        for name, size in manifest["bytes"].items():
            if (entry / name).is_symlink():
                return f"{name} is a symbolic link"
            if (actual := (entry / name).stat().st_size) != size:
                return f"{name} has {actual:,} bytes instead of {size:,}"
        for name, crc32 in manifest["crc32"].items():
            if file_crc32(entry / name, f"verifying the cached {kind}") != crc32:
                return f"{name} was altered"
    except (OSError, UnreadableDocument) as error:
        return str(error)
    return None


def _checksum_of(manifest: Mapping[str, object]) -> int:
    return zlib.crc32(json.dumps(manifest, sort_keys=True).encode())


def _build(
    entry: Path, manifest: str, name: str, inputs: object, build: Callable[[Path], Mapping[str, object]]
) -> None:
    temporary = entry.with_suffix(".tmp")
    if temporary.is_symlink():  # it would lead the build elsewhere
        temporary.unlink()
    temporary.mkdir(exist_ok=True)
    facts = build(temporary)
    files = [path for path in sorted(temporary.iterdir()) if path.is_file()]
    for path in files:
        flush_file(path)
    sizes = {path.name: path.stat().st_size for path in files}
    checksums = {path.name: file_crc32(path, f"computing checksums of {name}") for path in files}
    content = {**facts, "name": name, "inputs": inputs, "bytes": sizes, "crc32": checksums}
    content = json.loads(json.dumps(content))  # as it is read back
    write_atomically(temporary / manifest, json.dumps(content | {"checksum": _checksum_of(content)}, indent=1))
    shutil.rmtree(entry, ignore_errors=True)
    temporary.rename(entry)
    flush_folder(entry.parent)


@contextmanager
def open_entry(folder: Path, kind: str) -> Iterator[dict[str, Any]]:
    """Yields the manifest of a cache entry, which `cache_entry` has verified, while the caller opens its files.

    Raises ValueError, with the remedy, if a file cannot be opened or is not what the caller expects.
    """
    try:
        yield read_json_object(folder / f"{kind}.json")
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} is damaged ({error}); remove it, and it will be built again") from error


def abandon_build(files: Iterable[Closeable], folder: Path) -> None:
    """Closes the files of a build that failed and cannot be resumed, and empties its folder.

    The files may be large, and the next attempt, with mended data, builds another folder.
    """
    for file in files:
        with suppress(OSError, ValueError):  # the disk is full, or the file is closed already
            file.close()
    for path in folder.iterdir():
        path.unlink()


def file_signatures(paths: Sequence[Path]) -> list[list[object]]:
    """Name, size and modification time of each file: they change with its content, and need no reading."""
    return [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]


@contextmanager
def _disk_errors_explained(folder: Path) -> Iterator[None]:
    """Turns an OSError from writing to the folder into a ValueError with the remedy.

    An error about a file elsewhere, one that is read, passes unchanged. The error of a full disk names no file.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error.filename, (str, PathLike)):
            file = Path(error.filename)
            if not (file.is_relative_to(folder) or folder.is_relative_to(file)):
                raise
        reason = error.strerror or str(error)
        raise ValueError(
            f"{folder}: cannot be written ({reason}); make room there, or set BABELBATCH_CACHE to a folder on another "
            "disk"
        ) from error

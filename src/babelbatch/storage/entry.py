"""Folders of the cache that are made once and mapped by every run: corpora and benchmarks too large for memory."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

from babelbatch import __version__
from babelbatch.storage.cache import cache_folder
from babelbatch.storage.durable import flush_folder, write_atomically
from babelbatch.storage.lock import acquire_lock

log = logging.getLogger(__name__)

_LONGEST_NAME = 60  # characters, of a mixture's many parts; file systems take 255 bytes


class Closeable(Protocol):
    def close(self) -> None: ...


def cache_entry(
    kind: str, name: str, inputs: Mapping[str, object], build: Callable[[Path], Mapping[str, object]]
) -> Path:
    """The folder that `build` fills, from the cache if it was built before.

    kind: what it holds, `corpus` or `benchmark`. inputs: all that it depends on, as JSON can write it: settings, and
        `file_signatures` the files read.
    build: writes into a folder, which may hold what an earlier, interrupted call left; returns what `described` gives
        back, as JSON can write it.
    Of processes that ask at the same time one builds and the others wait. What is there is whole: the folder gets its
    name when all of it is written. It is built again by another version of babelbatch, which may read the same files
    otherwise. ValueError: the cache cannot be written to; and whatever `build` raises.
    """
    said = json.dumps({**inputs, "name": name, "babelbatch": __version__}, sort_keys=True)
    plural = {"corpus": "corpora", "benchmark": "benchmarks"}[kind]
    plain = re.sub(r"[^A-Za-z0-9_+-]", "_", name)[:_LONGEST_NAME]
    entry = cache_folder(plural) / f"{plain}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"
    manifest = entry / f"{kind}.json"
    with _told_of_the_disk(entry.parent):
        if not manifest.is_file():
            entry.parent.mkdir(parents=True, exist_ok=True)
            with _locked(entry):
                if not manifest.is_file():
                    temporary = entry.with_suffix(".tmp")
                    temporary.mkdir(exist_ok=True)
                    log.info("building the %s %s in %s", kind, name, entry)
                    facts = build(temporary)
                    sizes = {path.name: path.stat().st_size for path in sorted(temporary.iterdir()) if path.is_file()}
                    content = {**facts, "name": name, "inputs": json.loads(said), "bytes": sizes}
                    write_atomically(temporary / manifest.name, json.dumps(content, indent=1))
                    shutil.rmtree(entry, ignore_errors=True)
                    temporary.rename(entry)
                    flush_folder(entry.parent)
    return entry


@contextmanager
def open_entry(folder: Path, kind: str) -> Iterator[dict[str, Any]]:
    """What the builder of a folder said of it, while it is opened. ValueError, with the remedy: a file has another size
    than it had, or whatever opening it raises."""
    try:
        manifest = json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))
        for file, size in manifest["bytes"].items():
            if (there := (folder / file).stat().st_size) != size:
                raise ValueError(f"{file} has {there:,} bytes instead of {size:,}")
        yield manifest
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} is damaged ({error}); remove it, and it will be built again") from error


def abandon_build(files: Iterable[Closeable], folder: Path) -> None:
    """Closes the files of a build that failed and cannot be gone on with, and empties its folder: they may be large,
    and whoever mends the data builds another folder."""
    for file in files:
        with suppress(OSError, ValueError):  # a full disk, which is perhaps why it failed; or it is closed already
            file.close()
    for path in folder.iterdir():
        path.unlink()


def file_signatures(paths: Sequence[Path]) -> list[list[object]]:
    """What tells a version of some files from another without reading them: name, size and time of the last change."""
    return [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]


@contextmanager
def _told_of_the_disk(folder: Path) -> Iterator[None]:
    """Turns what the system says when the folder cannot be written to into a ValueError with the remedy.

    An error that names a file elsewhere, one that is read, is left as it is; a full disk names none.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error.filename, (str, PathLike)):
            named = Path(error.filename)
            if not (named.is_relative_to(folder) or folder.is_relative_to(named)):
                raise
        reason = error.strerror or str(error)
        raise ValueError(
            f"{folder}: cannot be written ({reason}); make room there, or set BABELBATCH_CACHE to a folder on another "
            "disk"
        ) from error


@contextmanager
def _locked(entry: Path) -> Iterator[None]:
    """Holds the entry's lock."""
    lock = acquire_lock(entry.with_suffix(".lock"), f"building {entry}")
    try:
        yield
    finally:
        lock.release()

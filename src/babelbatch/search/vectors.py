"""Vectors on disk: a folder of shards, written in order and memory-mapped when read."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from babelbatch.progress import bar
from babelbatch.search.blocks import Blocks
from babelbatch.storage import write_atomically
from babelbatch.storage.documents import UnreadableDocument, read_json_object

FORMAT = 1
"""Increased when the meaning of the files changes."""

MANIFEST_FILE = "vectors.json"
_SHARD_ROWS = 65_536


class _Shard(TypedDict):
    file: str
    rows: int
    crc32: int


class _Manifest(TypedDict):
    format: int
    identity: str
    dimensions: int
    complete: bool
    shards: list[_Shard]


class VectorWriter:
    """Appends (n, d) blocks of vectors to a folder. Less than one shard is in memory.

    A shard is written to a temporary file, flushed, renamed and entered in the manifest, so a kill leaves complete
    shards only. A writer with the same identity continues behind them, see `rows`; vectors of another are removed.

    identity: identifies the vectors, such as a hash of encoder and texts. shard_rows: rows of each shard but the last.
    """

    def __init__(self, folder: Path, dimensions: int, identity: str, shard_rows: int = _SHARD_ROWS) -> None:
        self._folder = folder
        self._shard_rows = shard_rows
        self._buffer: list[NDArray[np.float32]] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._manifest: _Manifest = {
            "format": FORMAT,
            "identity": identity,
            "dimensions": dimensions,
            "complete": False,
            "shards": [],
        }
        stored = _read_manifest(folder)
        if stored is not None and _header(stored) == _header(self._manifest):
            self._manifest["shards"] = _intact_shards(folder, stored)
        self._write_manifest()
        entered = {shard["file"] for shard in self._manifest["shards"]}
        for file in folder.glob("*.npy*"):
            if file.name not in entered:
                file.unlink()

    @property
    def rows(self) -> int:
        """Number of vectors on disk."""
        return sum(shard["rows"] for shard in self._manifest["shards"])

    def append(self, block: NDArray[np.float32]) -> None:
        """Raises ValueError for a block that is not (n, d)."""
        dimensions = self._manifest["dimensions"]
        if block.ndim != 2 or block.shape[1] != dimensions:
            raise ValueError(f"a block of shape {block.shape} among vectors of {dimensions} dimensions")
        while len(block):
            free = self._shard_rows - sum(map(len, self._buffer))
            self._buffer.append(np.array(block[:free], np.float32))
            block = block[free:]
            if sum(map(len, self._buffer)) == self._shard_rows:
                self._write_shard()

    def close(self) -> Vectors:
        """Writes the buffered vectors and marks the manifest as complete."""
        if self._buffer:
            self._write_shard()
        self._manifest["complete"] = True
        self._write_manifest()
        return Vectors(self._folder)

    def _write_shard(self) -> None:
        shard = np.concatenate(self._buffer)
        self._buffer = []
        name = _shard_name(len(self._manifest["shards"]))
        temporary = self._folder / f"{name}.tmp"
        with temporary.open("wb") as file:
            np.save(file, shard)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._folder / name)
        self._manifest["shards"].append({"file": name, "rows": len(shard), "crc32": zlib.crc32(shard.data)})
        self._write_manifest()

    def _write_manifest(self) -> None:
        write_atomically(self._folder / MANIFEST_FILE, json.dumps(self._manifest, indent=1))


class Vectors(Blocks):
    """The (n, d) shards that a `VectorWriter` wrote, in order. A shard is memory-mapped while it is in use.

    Raises ValueError if the folder has no complete vectors, or if a shard differs in size from the manifest. Other
    damage is detected by a writer that continues, which reads every byte.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        manifest = _read_manifest(folder)
        if manifest is None or manifest.get("format") != FORMAT:
            raise ValueError(f"{folder} holds no vectors ({MANIFEST_FILE} is missing or altered); write them again")
        if not manifest["complete"]:
            raise ValueError(f"{folder}: the vectors were not written to their end; write them again")
        self.dimensions = manifest["dimensions"]
        self._shards = manifest["shards"]
        self.starts = np.cumsum([0, *(shard["rows"] for shard in self._shards)])
        for place in range(len(self)):
            self[place]

    def block(self, place: int) -> NDArray[np.float32]:
        """A shard, memory-mapped. Raises ValueError if it is damaged."""
        shard = self._shards[place]
        path = self._folder / shard["file"]
        try:
            mapped: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
        except Exception as error:  # numpy parses a header of text, and raises what Python's parser raises
            raise ValueError(f"{path} is damaged ({error}); write the vectors again") from error
        if mapped.shape != (shard["rows"], self.dimensions) or mapped.dtype != np.float32:
            raise ValueError(f"{path} is damaged: {mapped.dtype} {mapped.shape}; write the vectors again")
        return mapped

    def between(self, start: int, stop: int) -> list[NDArray[np.float32]]:
        """The rows from `start` to `stop`, memory-mapped, shard by shard."""
        parts = []
        for place, first in enumerate(self.starts[:-1]):
            if start < self.starts[place + 1] and first < stop:
                parts.append(self[place][max(start - first, 0) : stop - first])
        return parts

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, d) vectors of (n,) rows, in memory."""
        found = np.empty((len(rows), self.dimensions), np.float32)
        shard_of_row = np.searchsorted(self.starts, rows, side="right") - 1
        for place in np.unique(shard_of_row):
            in_shard = shard_of_row == place
            found[in_shard] = self[int(place)][rows[in_shard] - self.starts[place]]
        return found


def _shard_name(number: int) -> str:
    return f"{number:05}.npy"


def _header(manifest: _Manifest) -> tuple[object, ...]:
    """What must agree for a writer to continue."""
    return manifest.get("format"), manifest.get("identity"), manifest.get("dimensions")


def _read_manifest(folder: Path) -> _Manifest | None:
    try:
        found = read_json_object(folder / MANIFEST_FILE)
    except (OSError, UnreadableDocument):
        return None
    return cast("_Manifest", found) if _is_manifest(found) else None


def _is_manifest(found: dict[str, Any]) -> bool:
    shards = found.get("shards")
    return (
        isinstance(found.get("dimensions"), int)
        and isinstance(found.get("complete"), bool)
        and isinstance(shards, list)
        and all(
            isinstance(shard, dict)
            and isinstance(shard.get("rows"), int)
            and isinstance(shard.get("crc32"), int)
            and shard.get("file") == _shard_name(number)
            for number, shard in enumerate(shards)
        )
    )


def _intact_shards(folder: Path, manifest: _Manifest) -> list[_Shard]:
    """The shards of a manifest up to the first damaged one."""
    intact = []
    with bar("verifying stored vectors", len(manifest["shards"]), unit="shards") as progress:
        for shard in manifest["shards"]:
            try:
                found = np.load(folder / shard["file"], allow_pickle=False)
            except Exception:  # as above
                break
            if found.shape != (shard["rows"], manifest["dimensions"]) or zlib.crc32(found) != shard["crc32"]:
                break
            intact.append(shard)
            progress.advance(1)
    return intact

"""Vectors on disk: shards of a folder, written once from front to back, and mapped when they are read."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from babelbatch.storage import write_atomically

FORMAT = 1
"""Goes up when what the files mean changes."""

MANIFEST_FILE = "vectors.json"
_SHARD_ROWS = 65_536


class VectorWriter:
    """Appends (n, d) blocks to the vectors in a folder. Holds less than one shard of them.

    A shard is written beside its place, flushed and renamed, and then entered in the manifest: whatever stops the
    writing, the entered shards are whole. Written again under the same identity, the vectors go on behind them: `rows`
    says how many are there. Those of another identity are removed.

    identity: what makes the vectors what they are, such as a hash of encoder and texts.
    shard_rows: rows of each shard but the last.
    """

    def __init__(self, folder: Path, dimensions: int, identity: str, shard_rows: int = _SHARD_ROWS) -> None:
        self._folder = folder
        self._shard_rows = shard_rows
        self._waiting: list[np.ndarray] = []
        folder.mkdir(parents=True, exist_ok=True)
        entered = {"format": FORMAT, "identity": identity, "dimensions": dimensions}
        self._manifest = entered | {"complete": False, "shards": []}
        there = _manifest(folder)
        if there is not None and {key: there.get(key) for key in entered} == entered:
            self._manifest["shards"] = _undamaged(folder, there)
        self._enter()
        known = {shard["file"] for shard in self._manifest["shards"]}
        for file in folder.glob("*.npy*"):
            if file.name not in known:
                file.unlink()

    @property
    def rows(self) -> int:
        """How many are on disk."""
        return sum(shard["rows"] for shard in self._manifest["shards"])

    def append(self, block: np.ndarray) -> None:
        """Raises ValueError for a block that is not (n, d)."""
        dimensions = self._manifest["dimensions"]
        if block.ndim != 2 or block.shape[1] != dimensions:
            raise ValueError(f"a block of shape {block.shape} among vectors of {dimensions} dimensions")
        while len(block):
            free = self._shard_rows - sum(map(len, self._waiting))
            self._waiting.append(np.array(block[:free], np.float32))
            block = block[free:]
            if sum(map(len, self._waiting)) == self._shard_rows:
                self._write()

    def close(self) -> Vectors:
        """Writes what is left, and declares the vectors complete."""
        if self._waiting:
            self._write()
        self._manifest["complete"] = True
        self._enter()
        return Vectors(self._folder)

    def _write(self) -> None:
        shard = np.concatenate(self._waiting)
        self._waiting = []
        name = f"{len(self._manifest['shards']):05}.npy"
        temporary = self._folder / f"{name}.tmp"
        with temporary.open("wb") as file:
            np.save(file, shard)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._folder / name)
        self._manifest["shards"].append({"file": name, "rows": len(shard), "crc32": zlib.crc32(shard)})
        self._enter()

    def _enter(self) -> None:
        write_atomically(self._folder / MANIFEST_FILE, json.dumps(self._manifest, indent=1))


class Vectors(Sequence[np.ndarray]):
    """The (n, d) shards that a `VectorWriter` wrote, in order. Each is mapped when it is asked for, and no longer than
    it is held.

    Raises ValueError if the folder holds no complete vectors, or if a shard has another size than the manifest says.
    (Other damage is found by a writer that goes on, which reads every byte.)
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        manifest = _manifest(folder)
        if manifest is None or manifest.get("format") != FORMAT:
            raise ValueError(f"{folder} holds no vectors ({MANIFEST_FILE} is missing or altered); write them again")
        if not manifest["complete"]:
            raise ValueError(f"{folder}: the vectors were not written to their end; write them again")
        self.dimensions: int = manifest["dimensions"]
        self._shards = manifest["shards"]
        self.starts = np.cumsum([0, *(shard["rows"] for shard in self._shards)])
        for place in range(len(self)):
            self[place]

    @property
    def rows(self) -> int:
        """Of all shards."""
        return int(self.starts[-1])

    def __len__(self) -> int:
        return len(self._shards)

    @overload
    def __getitem__(self, place: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, place: slice) -> list[np.ndarray]: ...
    def __getitem__(self, place: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        shard = self._shards[place]
        path = self._folder / shard["file"]
        try:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} is damaged ({error}); write the vectors again") from error
        if mapped.shape != (shard["rows"], self.dimensions) or mapped.dtype != np.float32:
            raise ValueError(f"{path} is damaged: {mapped.dtype} {mapped.shape}; write the vectors again")
        return mapped

    def take(self, rows: np.ndarray) -> np.ndarray:
        """(n, d) vectors of (n,) rows, in memory."""
        found = np.empty((len(rows), self.dimensions), np.float32)
        of = np.searchsorted(self.starts, rows, side="right") - 1
        for place in np.unique(of):
            asked = of == place
            found[asked] = self[int(place)][rows[asked] - self.starts[place]]
        return found


def _manifest(folder: Path) -> dict | None:
    try:
        return json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _undamaged(folder: Path, manifest: dict) -> list[dict]:
    """The shards of a manifest up to the first that is not as it was written."""
    whole = []
    for shard in manifest["shards"]:
        try:
            found = np.load(folder / shard["file"], allow_pickle=False)
        except (OSError, ValueError):
            break
        if found.shape != (shard["rows"], manifest["dimensions"]) or zlib.crc32(found) != shard["crc32"]:
            break
        whole.append(shard)
    return whole

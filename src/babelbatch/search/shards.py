"""Vectors in shards on disk: each is written by a process of its own, anywhere.

A folder of a set of texts has a folder for each shard, such as `3-of-8`: `shard.json`, and for each piece (see
`shard_plan`) its vectors, `00000.npy`, and the rows of their texts, `00000.rows.npy`.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from babelbatch.progress import bar
from babelbatch.search.shard_plan import Shard, pieces_of
from babelbatch.storage import replaced_file, write_atomically
from babelbatch.storage.documents import UnreadableDocument, read_json_object

FORMAT = 2
"""Increased when the meaning of the files changes. Before 2 the identity says less about the encoder."""

MANIFEST_FILE = "shard.json"

Dtype = Literal["float32", "float16"]


@dataclass(frozen=True, slots=True)
class Contents:
    """What all shards of a set must agree on.

    identity: a digest of encoder, role and texts. rows: number of texts. dimensions: of a vector. dtype: of the stored
    vectors. encoded_by: how they were computed, such as "bfloat16 on cpu, 1,024 tokens
    in a pass".
    """

    identity: str
    rows: int
    dimensions: int
    dtype: Dtype
    encoded_by: str


class Entry(TypedDict):
    rows: int
    crc32: int
    rows_crc32: int


class ShardWriter:
    """Writes one shard of a set. Complete pieces that an earlier writer of the same contents left are read, verified
    and counted as written; everything else in the shard's folder is removed."""

    def __init__(self, folder: Path, shard: Shard, contents: Contents) -> None:
        self._folder, self._contents = folder / str(shard), contents
        self.pieces = pieces_of(shard, contents.rows)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._entries: list[Entry] = []
        manifest = read_manifest(self._folder)
        if manifest is not None and manifest["format"] == FORMAT and manifest["contents"] == asdict(contents):
            self._entries = _intact_entries(self._folder, manifest["pieces"][: len(self.pieces)], contents)
        self._write_manifest()
        wanted = {name for number in range(len(self._entries)) for name in piece_names(number)}
        for file in self._folder.glob("*.npy"):
            if file.name not in wanted:
                file.unlink()

    @property
    def written(self) -> int:
        """Number of pieces on disk, the first ones of `pieces`."""
        return len(self._entries)

    def write(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Stores the next piece: (n, d) vectors of the texts (n,) `rows`, ascending.

        Raises ValueError for a vector that the stored type cannot hold.
        """
        stored, rows = np.ascontiguousarray(vectors, self._contents.dtype), np.ascontiguousarray(rows, np.int64)
        if not np.isfinite(stored).all():
            raise ValueError(f"dtype: a vector has a component beyond {self._contents.dtype}; set dtype=float32")
        for name, array in zip(piece_names(len(self._entries)), (stored, rows), strict=True):
            with replaced_file(self._folder / name) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
        self._entries.append({"rows": len(rows), "crc32": zlib.crc32(stored.data), "rows_crc32": zlib.crc32(rows.data)})
        self._write_manifest()

    def rows(self) -> NDArray[np.int64]:
        """Rows of the texts with vectors on disk, in the order of the pieces."""
        parts = [np.load(self._folder / piece_names(number)[1]) for number in range(self.written)]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _write_manifest(self) -> None:
        content = {
            "format": FORMAT,
            "contents": asdict(self._contents),
            "complete": len(self._entries) == len(self.pieces),
            "pieces": self._entries,
        }
        write_atomically(self._folder / MANIFEST_FILE, json.dumps(content, indent=1))


def load_piece(folder: Path, number: int, entry: Entry, contents: Contents) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Rows and vectors, memory-mapped. Raises ValueError for another shape or type than the manifest has."""
    arrays = []
    for name in piece_names(number):
        path = folder / name
        try:
            arrays.append(np.load(path, mmap_mode="r", allow_pickle=False))
        except Exception as error:  # numpy parses a header of text, and raises what Python's parser raises
            raise ValueError(f"{path} is damaged ({error}); {encode_again(folder)}") from error
    vectors, rows = arrays
    expected = ((entry["rows"], contents.dimensions), np.dtype(contents.dtype)), ((entry["rows"],), np.dtype(np.int64))
    if ((vectors.shape, vectors.dtype), (rows.shape, rows.dtype)) != expected:
        path = folder / piece_names(number)[0]
        raise ValueError(f"{path} is damaged: {vectors.dtype} {vectors.shape}; {encode_again(folder)}")
    return rows, vectors


def _intact_entries(folder: Path, entries: Iterable[Entry], contents: Contents) -> list[Entry]:
    """The entries up to the first damaged piece."""
    intact: list[Entry] = []
    entries = list(entries)
    with bar("verifying stored vectors", len(entries), unit="pieces") as progress:
        for number, entry in enumerate(entries):
            try:
                rows, vectors = load_piece(folder, number, entry, contents)
            except ValueError:
                break
            if not is_intact(rows, vectors, entry):
                break
            intact.append(entry)
            progress.advance(1)
    return intact


def is_intact(rows: NDArray[np.int64], vectors: NDArray[Any], entry: Entry) -> bool:
    """Whether a piece has the checksums of its entry."""
    return zlib.crc32(vectors.data) == entry["crc32"] and zlib.crc32(rows.data) == entry["rows_crc32"]


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a shard; None if there is none, or if it is damaged."""
    try:
        found = read_json_object(folder / MANIFEST_FILE)
    except (OSError, UnreadableDocument):
        return None
    return found if _is_manifest(found) else None


def _is_manifest(found: dict[str, Any]) -> bool:
    contents, pieces = found.get("contents"), found.get("pieces")
    types = {"identity": str, "rows": int, "dimensions": int, "dtype": str, "encoded_by": str}
    return (
        type(found.get("format")) is int
        and 1 <= found["format"] <= FORMAT
        and isinstance(found.get("complete"), bool)
        and isinstance(contents, dict)
        and contents.keys() == types.keys()
        and all(type(contents[key]) is kind for key, kind in types.items())
        and contents["dtype"] in ("float32", "float16")
        and isinstance(pieces, list)
        and all(isinstance(piece, dict) and _is_entry(piece) for piece in pieces)
    )


def _is_entry(piece: dict[str, Any]) -> bool:
    return all(type(piece.get(key)) is int and piece[key] >= 0 for key in Entry.__annotations__)


def encode_again(folder: Path) -> str:
    """The remedy for a damaged shard."""
    number, _, count = folder.name.partition("-of-")
    return f"remove {folder} and run babelbatch-encode shard={number}/{count} again"


def piece_names(number: int) -> tuple[str, str]:
    """Files of a piece: of its vectors and of their rows."""
    return f"{number:05}.npy", f"{number:05}.rows.npy"

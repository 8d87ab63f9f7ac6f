"""All shards of a set of texts, read as one pool of vectors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babelbatch.search.blocks import Blocks
from babelbatch.search.shard_plan import BLOCK_ROWS, Shard, pieces_of
from babelbatch.search.shards import (
    FORMAT,
    MANIFEST_FILE,
    Contents,
    Entry,
    encode_again,
    is_intact,
    load_piece,
    piece_names,
    read_manifest,
)


class ShardedVectors(Blocks):
    """The vectors of a set, from all of its shards, in the order of the texts: a sequence of (n, d) float32 blocks of
    BLOCK_ROWS rows, one in memory at a time. A piece is verified when it is read for the first time.

    folders: of the set; its shards may be anywhere in them. If there are several complete numbers of shards, the
    smallest is read. identity: of the contents that are expected, see `Contents`.
    Raises ValueError if the shards are not all there, are of another identity, differ from each other, or are damaged.
    """

    def __init__(self, folders: Sequence[Path], identity: str) -> None:
        self.contents, self._pieces = _complete_pieces(folders, identity)
        self.dimensions = self.contents.dimensions
        self.starts = _starts(self.contents.rows)
        self._verified: set[Path] = set()

    def block(self, place: int) -> NDArray[np.float32]:
        """A block, in memory. Raises ValueError if a piece of it is damaged."""
        start, stop = self.starts[place], self.starts[place + 1]
        block = np.empty((stop - start, self.dimensions), np.float32)
        filled = np.zeros(stop - start, bool)
        for stored in self._pieces[place]:
            rows, vectors = self._read(stored, place)
            block[rows - start] = vectors
            filled[rows - start] = True
        if not filled.all():
            raise ValueError(
                f"{self._pieces[place][0].path.parent}: {np.count_nonzero(~filled):,} texts without a vector; "
                "encode all shards again"
            )
        return block

    def take(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """(n, d) vectors of the texts (n,) `rows`, in memory."""
        found = np.empty((len(rows), self.dimensions), np.float32)
        block_of_row = np.asarray(rows) // BLOCK_ROWS
        for place in np.unique(block_of_row).tolist():
            of_block = block_of_row == place
            pieces = self._pieces[place]
            block = self._read(pieces[0], place)[1] if len(pieces) == 1 else self[place]  # a whole one stays on disk
            found[of_block] = block[rows[of_block] - self.starts[place]]
        return found

    def whole(self) -> NDArray[np.float32]:
        """(n, d) vectors of all texts, in memory."""
        found = np.empty((self.rows, self.dimensions), np.float32)
        for place, start in enumerate(self.starts[:-1].tolist()):
            found[start : self.starts[place + 1]] = self[place]
        return found

    def _read(self, stored: _StoredPiece, block: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Rows and vectors, memory-mapped."""
        rows, vectors = load_piece(stored.path.parent, stored.number, stored.entry, self.contents)
        if stored.path not in self._verified:
            start, stop = self.starts[block], self.starts[block + 1]
            is_inside = len(rows) == 0 or (start <= rows[0] and rows[-1] < stop and bool((np.diff(rows) > 0).all()))
            is_whole = len(self._pieces[block]) > 1 or len(rows) == stop - start
            if not (is_intact(rows, vectors, stored.entry) and is_inside and is_whole):
                raise ValueError(f"{stored.path} is damaged; {encode_again(stored.path.parent)}")
            self._verified.add(stored.path)
        return rows, vectors


class Reordered(Blocks):
    """Some of the vectors in another order, as blocks of BLOCK_ROWS, one in memory at a time.

    order: (n,) rows. Rows that ascend, or nearly, are read fastest.
    """

    def __init__(self, vectors: ShardedVectors, order: NDArray[np.integer[Any]]) -> None:
        self._vectors, self._order = vectors, order
        self.dimensions, self.starts = vectors.dimensions, _starts(len(order))

    def block(self, place: int) -> NDArray[np.float32]:
        """A block of the order, in memory."""
        return self._vectors.take(self._order[self.starts[place] : self.starts[place + 1]])

    def take(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """(n, d) vectors at the places (n,) `rows` of the order, in memory."""
        return self._vectors.take(self._order[rows])

    def between(self, start: int, stop: int) -> Reordered:
        """The vectors at the places `start` to `stop` of the order."""
        return Reordered(self._vectors, self._order[start:stop])


@dataclass(frozen=True, slots=True)
class _StoredPiece:
    path: Path
    number: int
    entry: Entry


def _starts(rows: int) -> NDArray[np.int64]:
    """The first row of each block, and the number of rows."""
    return np.minimum(np.arange(-(-rows // BLOCK_ROWS) + 1) * BLOCK_ROWS, rows)


def sets_in(folders: Sequence[Path]) -> list[str]:
    """Names of the sets of texts that have a shard in one of the folders."""
    found = {file.parent.parent.name for folder in folders for file in folder.glob(f"*/*/{MANIFEST_FILE}")}
    return sorted(found)


def _complete_pieces(folders: Sequence[Path], identity: str) -> tuple[Contents, dict[int, list[_StoredPiece]]]:
    """The contents, and the pieces of each block, of the smallest number of shards of which each is complete."""
    found: dict[int, dict[int, tuple[Path, dict[str, Any]]]] = {}
    names = ", ".join(map(str, folders))
    for folder, shard in _shard_folders(folders):
        manifest = read_manifest(folder)
        if manifest is None:
            raise ValueError(f"{folder / MANIFEST_FILE} is damaged; {encode_again(folder)}")
        if manifest["format"] != FORMAT:
            raise ValueError(
                f"{folder}: vectors of an earlier version, which does not say enough to recognise their encoder; "
                f"{encode_again(folder)}"
            )
        if manifest["contents"]["identity"] != identity:
            raise ValueError(f"{folder}: vectors of another encoder or of other texts; {encode_again(folder)}")
        if manifest["complete"]:
            found.setdefault(shard.count, {})[shard.number] = folder, manifest
        else:
            found.setdefault(shard.count, {})
    if not found:
        raise ValueError(f"{names}: there are no shards; run babelbatch-encode")
    complete = [count for count, shards in found.items() if len(shards) == count]
    if not complete:
        count = max(found, key=lambda count: len(found[count]) / count)
        missing = (f"{number}/{count}" for number in range(count) if number not in found[count])
        raise ValueError(
            f"{names}: {count - len(found[count]):,} of {count:,} shards are missing or not complete; run "
            f"babelbatch-encode with shard={','.join(islice(missing, 20))}"
        )
    count = min(complete)
    first_folder, first = found[count][0]
    contents = Contents(**first["contents"])
    for folder, manifest in found[count].values():
        if manifest["contents"] != first["contents"]:
            raise ValueError(
                f"{folder} and {first_folder} were encoded in different ways ({_difference(manifest, first)}); encode "
                "all shards in one way"
            )
        for place, entry in enumerate(manifest["pieces"]):
            load_piece(folder, place, entry, contents)
    if sum(entry["rows"] for _, manifest in found[count].values() for entry in manifest["pieces"]) != contents.rows:
        raise ValueError(f"{names}: not one vector for each text; encode all shards again")
    pieces: dict[int, list[_StoredPiece]] = {}
    for number, (folder, manifest) in sorted(found[count].items()):
        planned = pieces_of(Shard(number, count), contents.rows)
        if len(planned) != len(manifest["pieces"]):
            raise ValueError(f"{folder / MANIFEST_FILE} is damaged; {encode_again(folder)}")
        for place, (piece, entry) in enumerate(zip(planned, manifest["pieces"], strict=True)):
            path = folder / piece_names(place)[0]
            pieces.setdefault(piece.block, []).append(_StoredPiece(path, place, entry))
    return contents, pieces


def _shard_folders(folders: Sequence[Path]) -> Iterator[tuple[Path, Shard]]:
    for folder in folders:
        for file in sorted(folder.glob(f"*/{MANIFEST_FILE}")):
            if found := re.fullmatch(r"(\d{1,9})-of-(\d{1,9})", file.parent.name):
                yield file.parent, Shard(int(found[1]), int(found[2]))


def _difference(manifest: dict[str, Any], other: dict[str, Any]) -> str:
    pairs = [(manifest["contents"][key], other["contents"][key]) for key in manifest["contents"]]
    return "; ".join(f"{one} and {two}" for one, two in pairs if one != two)

"""Which texts a shard encodes: a pure function of the number of texts and of shards.

Texts are encoded in blocks of BLOCK_ROWS, and the batches within a block depend on the block alone. A shard takes whole
blocks or, where there are few, some of the batches of a block. So a text has the same vector for any number of shards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BLOCK_ROWS = 65_536
_PIECES_PER_SHARD = 4  # at least, where a block can be divided, so that no shard has twice the work of another
_MOST_PARTS = 4_096  # of a block


@dataclass(frozen=True, slots=True)
class Piece:
    """The batches `part`, `part + parts`, `part + 2 * parts`, ... of a block. block: rows from BLOCK_ROWS * block."""

    block: int
    part: int
    parts: int


@dataclass(frozen=True, slots=True)
class Shard:
    """The shard `number`, from 0, of `count`."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}-of-{self.count}"


def parse_shard(text: str) -> Shard:
    """`2/8` is the third of eight shards. Raises ValueError for anything else, and for a number outside the count."""
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if found is None:
        raise ValueError(f"shard: '{text}' is no shard; write its number, from 0, and the number of shards, as in 0/8")
    number, count = int(found[1]), int(found[2])
    if count < 1 or number >= count:
        last = f"; they are 0/{count} to {count - 1}/{count}" if count > 0 else ""
        raise ValueError(f"shard: there is no shard {text}{last or '; there must be one at least, 0/1'}")
    return Shard(number, count)


def pieces_of(shard: Shard, rows: int) -> list[Piece]:
    """What a shard encodes of `rows` texts, in order. All shards together encode each piece once."""
    blocks = -(-rows // BLOCK_ROWS)
    parts = 1 if shard.count == 1 else min(_MOST_PARTS, -(-_PIECES_PER_SHARD * shard.count // max(1, blocks)))
    pieces = [Piece(block, part, parts) for block in range(blocks) for part in range(parts)]
    return pieces[len(pieces) * shard.number // shard.count : len(pieces) * (shard.number + 1) // shard.count]

"""Which texts a shard encodes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelbatch.search.shard_plan import BLOCK_ROWS, Piece, Shard, parse_shard, pieces_of


@given(st.integers(0, 40 * BLOCK_ROWS), st.integers(1, 30))
def test_all_shards_together_encode_each_batch_once(rows: int, count: int) -> None:
    pieces = [piece for number in range(count) for piece in pieces_of(Shard(number, count), rows)]
    blocks = -(-rows // BLOCK_ROWS)
    parts = pieces[0].parts if pieces else 1
    assert pieces == [Piece(block, part, parts) for block in range(blocks) for part in range(parts)]


@given(st.integers(1, 40 * BLOCK_ROWS), st.integers(1, 30))
def test_no_shard_has_twice_the_work_of_another(rows: int, count: int) -> None:
    sizes = [len(pieces_of(Shard(number, count), rows)) for number in range(count)]
    assert min(sizes) >= 4 or count == 1
    assert max(sizes) <= min(sizes) + 1


def test_one_shard_divides_no_block() -> None:
    assert pieces_of(Shard(0, 1), BLOCK_ROWS + 1) == [Piece(0, 0, 1), Piece(1, 0, 1)]


def test_many_shards_of_few_texts_end() -> None:
    assert len(pieces_of(Shard(0, 900_000_000), 10)) == 0
    assert len(pieces_of(Shard(899_999_999, 900_000_000), 10)) == 1


def test_a_shard_as_it_is_typed() -> None:
    assert parse_shard("2/8") == Shard(2, 8)
    assert str(parse_shard("2/8")) == "2-of-8"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("3", "shard: '3' is no shard; write its number, from 0, and the number of shards, as in 0/8"),
        ("-1/8", "shard: '-1/8' is no shard; write its number, from 0, and the number of shards, as in 0/8"),
        ("8/8", "shard: there is no shard 8/8; they are 0/8 to 7/8"),
        ("0/0", "shard: there is no shard 0/0; there must be one at least, 0/1"),
    ],
)
def test_what_is_no_shard(typed: str, message: str) -> None:
    with pytest.raises(ValueError, match="shard") as caught:
        parse_shard(typed)
    assert str(caught.value) == message

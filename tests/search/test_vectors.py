"""Vectors that are written in blocks, stopped, damaged and gone on with."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babelbatch.search.index import exact_top_k
from babelbatch.search.vectors import MANIFEST_FILE, Vectors, VectorWriter

ALL = np.random.default_rng(0).normal(size=(1000, 8)).astype(np.float32)


def written(folder: Path, blocks: list[np.ndarray], shard_rows: int = 300) -> Vectors:
    writer = VectorWriter(folder, 8, "these", shard_rows)
    for block in blocks:
        writer.append(block)
    return writer.close()


def test_shards(tmp_path):
    found = written(tmp_path, [ALL[:1], ALL[1:650], ALL[650:]])
    assert (len(found), found.rows, found.dimensions) == (4, 1000, 8)
    assert [len(shard) for shard in found] == [300, 300, 300, 100]
    assert all(isinstance(shard, np.memmap) for shard in found)
    assert np.array_equal(np.concatenate(found), ALL)
    assert np.array_equal(np.concatenate(found[1:3]), ALL[300:900])
    assert {path.name for path in tmp_path.iterdir()} == {MANIFEST_FILE, *(f"0000{n}.npy" for n in range(4))}


@settings(max_examples=20)  # each writes, and waits for the disk
@given(st.lists(st.integers(0, 1000), max_size=6), st.integers(100, 1200))
def test_blocks_of_any_size(tmp_path_factory, cuts, shard_rows):
    found = written(tmp_path_factory.mktemp("any"), np.split(ALL, sorted(cuts)), shard_rows)
    assert np.array_equal(np.concatenate(found), ALL)
    assert all(len(shard) == shard_rows for shard in found[:-1])


def test_rows_are_taken_in_any_order(tmp_path):
    rows = np.random.default_rng(1).integers(0, 1000, 500)
    found = written(tmp_path, [ALL])
    assert np.array_equal(found.take(rows), ALL[rows])
    assert found.take(rows[:0]).shape == (0, 8)


def test_searched_as_an_array(tmp_path):
    from_disk = exact_top_k(ALL[:50], 7, pool=written(tmp_path, [ALL]))
    in_memory = exact_top_k(ALL[:50], 7, pool=ALL)
    assert np.array_equal(from_disk.rows, in_memory.rows)


def test_what_was_stopped_goes_on(tmp_path):
    stopped = VectorWriter(tmp_path, 8, "these", 300)
    stopped.append(ALL[:700])
    with pytest.raises(ValueError, match=r"the vectors were not written to their end; write them again$"):
        Vectors(tmp_path)
    (tmp_path / "00002.npy.tmp").write_bytes(b"half a shard")
    before = (tmp_path / "00001.npy").stat().st_mtime_ns
    again = VectorWriter(tmp_path, 8, "these", 300)
    assert again.rows == 600
    again.append(ALL[600:])
    assert np.array_equal(np.concatenate(again.close()), ALL)
    assert (tmp_path / "00001.npy").stat().st_mtime_ns == before
    assert not list(tmp_path.glob("*.tmp"))


def test_what_is_complete_is_not_written_again(tmp_path):
    written(tmp_path, [ALL])
    again = VectorWriter(tmp_path, 8, "these", 300)
    assert again.rows == 1000
    assert np.array_equal(np.concatenate(again.close()), ALL)


def test_a_damaged_shard_is_written_again(tmp_path):
    written(tmp_path, [ALL])
    content = bytearray((tmp_path / "00001.npy").read_bytes())
    content[-5] ^= 1
    (tmp_path / "00001.npy").write_bytes(content)
    again = VectorWriter(tmp_path, 8, "these", 300)
    assert again.rows == 300
    again.append(ALL[300:])
    assert np.array_equal(np.concatenate(again.close()), ALL)


@pytest.mark.parametrize(("dimensions", "identity"), [(8, "those"), (4, "these")])
def test_other_vectors_take_their_place(tmp_path, dimensions, identity):
    written(tmp_path, [ALL])
    other = VectorWriter(tmp_path, dimensions, identity, 300)
    assert other.rows == 0
    other.append(ALL[:10, :dimensions])
    assert np.array_equal(np.concatenate(other.close()), ALL[:10, :dimensions])
    assert len(list(tmp_path.iterdir())) == 2


def test_a_block_of_another_width(tmp_path):
    message = "a block of shape (1000, 4) among vectors of 8 dimensions"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        VectorWriter(tmp_path, 8, "these").append(ALL[:, :4])


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(
        ValueError, match=r"holds no vectors \(vectors\.json is missing or altered\); write them again$"
    ):
        Vectors(tmp_path)
    written(tmp_path, [ALL])
    shard = tmp_path / "00003.npy"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=f"^{re.escape(str(shard))} is damaged .*; write the vectors again$"):
        Vectors(tmp_path)
    np.save(shard, ALL[:7])
    with pytest.raises(ValueError, match=r"00003\.npy is damaged: float32 \(7, 8\); write the vectors again$"):
        Vectors(tmp_path)
    (tmp_path / MANIFEST_FILE).write_text("{")
    with pytest.raises(ValueError, match="holds no vectors"):
        Vectors(tmp_path)

"""Shards of vectors: written by several processes, stopped, damaged, and read as one pool."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from babelbatch.search import shard_plan, sharded_vectors
from babelbatch.search.index import HNSW, IVF, exact_top_k
from babelbatch.search.shard_plan import Shard
from babelbatch.search.sharded_vectors import Reordered, ShardedVectors, sets_in
from babelbatch.search.shards import MANIFEST_FILE, Contents, ShardWriter

ROWS, DIMENSIONS = 1000, 8
ALL = np.random.default_rng(0).normal(size=(ROWS, DIMENSIONS)).astype(np.float32)
BATCH = 7


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (shard_plan, sharded_vectors):
        monkeypatch.setattr(module, "BLOCK_ROWS", 300)


def contents(**changes: object) -> Contents:
    values = {"identity": "these", "rows": ROWS, "dimensions": DIMENSIONS, "dtype": "float32", "encoded_by": "one way"}
    return Contents(**(values | changes))


def write(folder: Path, number: int, count: int, *, most: int | None = None, **changes: object) -> int:
    """Writes a shard, or the first pieces of it; returns how many were there. Batches of a block are seven texts in
    turn."""
    writer = ShardWriter(folder, Shard(number, count), contents(**changes))
    there = writer.written
    for piece in writer.pieces[there:most]:
        rows = np.arange(300 * piece.block, min(ROWS, 300 * (piece.block + 1)))
        rows = rows[(np.arange(len(rows)) // BATCH) % piece.parts == piece.part]
        writer.write(rows, ALL[rows])
    return there


def write_all(folder: Path, count: int, **changes: object) -> None:
    for number in range(count):
        write(folder, number, count, **changes)


def read(*folders: Path) -> ShardedVectors:
    return ShardedVectors(folders, "these")


def refusal(*folders: Path) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        read(*folders).whole()
    return str(caught.value)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16])
def test_any_number_of_shards_is_one_pool(tmp_path: Path, count: int) -> None:
    write_all(tmp_path, count)
    found = read(tmp_path)
    assert (len(found), found.rows, found.dimensions, found.starts.tolist()) == (4, ROWS, 8, [0, 300, 600, 900, 1000])
    assert [len(block) for block in found] == [300, 300, 300, 100]
    assert np.array_equal(found.whole(), ALL)
    assert np.array_equal(np.concatenate(found[1:3]), ALL[300:900])
    rows = np.random.default_rng(1).integers(0, ROWS, 500)
    assert np.array_equal(found.take(rows), ALL[rows])
    assert found.take(rows[:0]).shape == (0, 8)


def test_shards_may_lie_in_several_folders(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"node{number}", number, 3)
    assert np.array_equal(read(*(tmp_path / f"node{number}" for number in range(3))).whole(), ALL)
    assert refusal(tmp_path / "node0", tmp_path / "node2") == (
        f"{tmp_path}/node0, {tmp_path}/node2: 1 of 3 shards are missing or not complete; run babelbatch-encode with "
        "shard=1/3"
    )


def test_another_order(tmp_path: Path) -> None:
    write_all(tmp_path, 3)
    order = np.random.default_rng(2).permutation(ROWS)[:700]
    pool = Reordered(read(tmp_path), order)
    assert (len(pool), pool.rows, pool.dimensions) == (3, 700, 8)
    assert np.array_equal(np.concatenate(list(pool)), ALL[order])
    assert np.array_equal(np.concatenate(pool[1:]), ALL[order[300:]])
    assert np.array_equal(pool.take(np.array([5, 1])), ALL[order[[5, 1]]])
    assert np.array_equal(np.concatenate(list(pool.between(250, 650))), ALL[order[250:650]])


def test_searched_as_an_array(tmp_path: Path) -> None:
    write_all(tmp_path, 3)
    order = np.random.default_rng(3).permutation(ROWS)
    found = exact_top_k(ALL[:50], 7, pool=Reordered(read(tmp_path), order))
    expected = exact_top_k(ALL[:50], 7, pool=ALL[order])
    assert np.array_equal(found.rows, expected.rows)
    index = IVF(lists=4, probes=4)
    assert np.array_equal(index.build(read(tmp_path))(ALL[:50], 7).rows, index.build(ALL)(ALL[:50], 7).rows)


@pytest.mark.parametrize("index", [IVF(lists=4, probes=4, part_rows=600), HNSW(search=1000, part_rows=300)])
def test_searched_with_an_index_for_each_part(tmp_path: Path, index: IVF | HNSW) -> None:
    write_all(tmp_path, 3, dtype="float16")
    order = np.random.default_rng(3).permutation(ROWS)[:900]
    for pool in (read(tmp_path), Reordered(read(tmp_path), order)):
        expected = exact_top_k(ALL[:50], 7, pool=pool)
        assert np.array_equal(index.build(pool)(ALL[:50], 7).rows, expected.rows)
    with pytest.raises(ValueError, match=r"part_rows: 299 rows .* which has 300; set it to 300 or more"):
        replace(index, part_rows=299).build(read(tmp_path))


def test_half_the_size(tmp_path: Path) -> None:
    write_all(tmp_path, 2, dtype="float16")
    found = read(tmp_path).whole()
    assert found.dtype == np.float32
    assert np.array_equal(found, ALL.astype(np.float16).astype(np.float32))
    writer = ShardWriter(tmp_path, Shard(0, 1), contents(dtype="float16"))
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="dtype") as caught:
        writer.write(np.arange(1), np.full((1, 8), 1e6, np.float32))
    assert str(caught.value) == "dtype: a vector has a component beyond float16; set dtype=float32"


def test_what_was_stopped_goes_on(tmp_path: Path) -> None:
    assert write(tmp_path, 0, 1, most=2) == 0
    assert refusal(tmp_path).startswith(f"{tmp_path}: 1 of 1 shards are missing or not complete")
    before = {file: file.stat().st_mtime_ns for file in tmp_path.glob("0-of-1/*.npy")}
    (tmp_path / "0-of-1" / "00002.npy").write_bytes(b"half of a piece")
    assert write(tmp_path, 0, 1) == 2
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert np.array_equal(read(tmp_path).whole(), ALL)
    assert write(tmp_path, 0, 1) == 4


def test_vectors_of_other_contents_are_written_again(tmp_path: Path) -> None:
    write_all(tmp_path, 1)
    assert write(tmp_path, 0, 1, identity="those") == 0
    assert refusal(tmp_path) == (
        f"{tmp_path}/0-of-1: vectors of another encoder or of other texts; remove {tmp_path}/0-of-1 and run "
        "babelbatch-encode shard=0/1 again"
    )


def test_vectors_of_an_earlier_version(tmp_path: Path) -> None:
    """Their identity leaves out the direction of attention and the last token, so an equal one proves nothing."""
    write_all(tmp_path, 1)
    file = tmp_path / "0-of-1" / MANIFEST_FILE
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"format": 1}), encoding="utf-8")
    assert refusal(tmp_path) == (
        f"{tmp_path}/0-of-1: vectors of an earlier version, which does not say enough to recognise their encoder; "
        f"remove {tmp_path}/0-of-1 and run babelbatch-encode shard=0/1 again"
    )
    assert write(tmp_path, 0, 1) == 0
    assert np.array_equal(read(tmp_path).whole(), ALL)


def test_shards_that_were_encoded_differently(tmp_path: Path) -> None:
    write(tmp_path, 0, 2)
    write(tmp_path, 1, 2, encoded_by="another way")
    assert refusal(tmp_path) == (
        f"{tmp_path}/1-of-2 and {tmp_path}/0-of-2 were encoded in different ways (another way and one way); encode all "
        "shards in one way"
    )


def test_the_smallest_complete_number_of_shards_is_read(tmp_path: Path) -> None:
    write_all(tmp_path, 3)
    write_all(tmp_path, 2)
    write(tmp_path, 0, 1, most=1)
    shutil.rmtree(tmp_path / "0-of-3")
    assert np.array_equal(read(tmp_path).whole(), ALL)
    shutil.rmtree(tmp_path / "1-of-2")
    assert refusal(tmp_path).endswith("1 of 3 shards are missing or not complete; run babelbatch-encode with shard=0/3")


def test_every_file_that_is_changed_is_noticed(tmp_path: Path) -> None:
    """One bit of each byte in turn, in every file; a writer that goes on mends it."""
    write_all(tmp_path / "whole", 1)
    random = np.random.default_rng(4)
    files = sorted((tmp_path / "whole" / "0-of-1").iterdir())
    assert len(files) == 9
    noticed = 0
    for file in files:
        content = file.read_bytes()
        for place in random.integers(0, len(content), 6).tolist():
            damaged = bytearray(content)
            damaged[place] ^= 1 << int(random.integers(0, 8))
            file.write_bytes(damaged)
            try:
                assert np.array_equal(read(tmp_path / "whole").whole(), ALL)  # a blank of the manifest, say
            except ValueError:
                noticed += 1
            write(tmp_path / "whole", 0, 1)
            assert np.array_equal(read(tmp_path / "whole").whole(), ALL)
            file.write_bytes(content)
    assert noticed > 45


def test_a_manifest_that_somebody_wrote(tmp_path: Path) -> None:
    write_all(tmp_path, 1)
    file = tmp_path / "0-of-1" / MANIFEST_FILE
    good = json.loads(file.read_text(encoding="utf-8"))
    for changes in (
        {"pieces": []}, {"pieces": [1]}, {"format": 3}, {"complete": "yes"}, {"contents": {}},
        {"contents": good["contents"] | {"dtype": "object"}}, {"contents": good["contents"] | {"rows": True}},
        {"contents": good["contents"] | {"dimensions": -1}}, {"contents": good["contents"] | {"rows": 10**15}},
    ):  # fmt: skip
        file.write_text(json.dumps(good | changes), encoding="utf-8")
        message = refusal(tmp_path)
        assert re.match(rf"{re.escape(str(tmp_path))}(/0-of-1.* is damaged|: not one vector for each text)", message)
    file.write_text("[1]", encoding="utf-8")
    assert refusal(tmp_path) == (
        f"{file} is damaged; remove {tmp_path}/0-of-1 and run babelbatch-encode shard=0/1 again"
    )


def test_the_sets_in_folders(tmp_path: Path) -> None:
    write_all(tmp_path / "one" / "b.passages", 1)
    write_all(tmp_path / "two" / "a.queries", 1)
    assert sets_in([tmp_path / "one", tmp_path / "two"]) == ["a.queries", "b.passages"]
    assert sets_in([tmp_path]) == []
    assert refusal(tmp_path / "one") == f"{tmp_path}/one: there are no shards; run babelbatch-encode"

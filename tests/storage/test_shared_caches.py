"""Every cache that several users may share: symbolic links in it, and entries of another user."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from babelbatch.search import vector_cache
from babelbatch.storage import cache_entry
from babelbatch.tokens.cache import CacheError, find_or_build

VECTORS = np.arange(24, dtype=np.float32).reshape(6, 4)


@dataclass(frozen=True)
class Cache:
    """read: a value by the cache in a folder, built where that is missing or damaged. file: of the entry.
    refused: how a damaged entry ends that may not be replaced; None: it is computed again and not kept."""

    read: Callable[[Path], object]
    file: str
    refused: tuple[type[Exception], str] | None


def entry_of(kind: str) -> Callable[[Path], object]:
    def build(place: Path) -> dict[str, object]:
        np.save(place / "table.npy", np.arange(30))
        return {}

    return lambda folder: np.load(cache_entry(kind, "small", {"rows": 3}, build) / "table.npy").tolist()


def tokens(folder: Path) -> object:
    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield np.arange(20, dtype=np.int32), np.full(4, 5, np.int64)

    return [*(find_or_build(folder / "tokens", "small", blocks, "tokenising") / "ids.bin").read_bytes()]


def vectors(folder: Path) -> object:
    found = vector_cache.load(folder / "vectors", "small", VECTORS.shape)
    if found is None:
        vector_cache.save(folder / "vectors", "small", VECTORS)
    return VECTORS.tolist()


CACHES = {
    "corpora": Cache(entry_of("corpus"), "corpora/small-*/table.npy", (ValueError, "cannot be written (")),
    "benchmarks": Cache(entry_of("benchmark"), "benchmarks/small-*/table.npy", (ValueError, "cannot be written (")),
    "token ids": Cache(tokens, "tokens/small/ids.bin", (CacheError, "Permission denied")),
    "vectors": Cache(vectors, "vectors/small.vectors", None),
}


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache below folders that every user may read, which pytest's are not."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    monkeypatch.setenv("BABELBATCH_CACHE", str(place / "cache"))
    before = os.umask(0o022)
    yield place / "cache"
    os.umask(before)
    shutil.rmtree(place)


@pytest.mark.parametrize("kind", CACHES)
def test_a_symbolic_link_counts_as_damage(kind: str, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Even where the same bytes are behind it: others may be tomorrow. It is replaced, and what it leads to is not."""
    cache = CACHES[kind]
    expected = cache.read(folder)
    (file,) = folder.glob(cache.file)
    elsewhere = folder.parent / "elsewhere"
    file.rename(elsewhere)
    content = elsewhere.read_bytes()
    file.symlink_to(elsewhere)
    assert cache.read(folder) == expected
    assert [message for message in caplog.messages if "is a symbolic link" in message]
    assert not file.is_symlink()
    assert file.read_bytes() == content == elsewhere.read_bytes()


def test_a_build_does_not_follow_a_link(folder: Path) -> None:
    read = CACHES["corpora"].read
    read(folder)
    (entry,) = (path for path in folder.glob("corpora/small-*") if path.is_dir())
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    shutil.rmtree(entry)
    entry.with_suffix(".tmp").symlink_to(elsewhere)
    read(folder)
    assert list(elsewhere.iterdir()) == []


def by_another_user(work: Callable[[], object], log: Path) -> tuple[str, object]:
    """("returned", value) or the name of the exception and its message, of work in a process without our rights."""
    log.touch()
    log.chmod(0o666)
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            try:
                found = "returned", work()
            except Exception as error:
                found = type(error).__name__, str(error)
            log.write_text(json.dumps(found))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    kind, value = json.loads(log.read_text())
    return kind, value


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("kind", CACHES)
def test_another_user_reads_what_is_intact_and_is_told_what_is_not(kind: str, folder: Path) -> None:
    cache, log = CACHES[kind], folder.parent / "log"
    expected = cache.read(folder)

    def read() -> object:
        return cache.read(folder)

    assert by_another_user(read, log) == ("returned", expected)
    (file,) = folder.glob(cache.file)
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    end, value = by_another_user(read, log)
    if cache.refused is None:
        assert (end, value) == ("returned", expected)
    else:
        assert end == cache.refused[0].__name__
        assert cache.refused[1] in value
        assert "Permission denied" in value
    assert file.read_bytes() == content


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_vectors_of_another_user_are_used(folder: Path) -> None:
    """Though it may not note that it has read them."""
    vector_cache.save(folder, "small", VECTORS)

    def read() -> object:
        found = vector_cache.load(folder, "small", VECTORS.shape)
        return None if found is None else found.tolist()

    assert by_another_user(read, folder.parent / "log") == ("returned", VECTORS.tolist())

"""Files that babelbatch writes: who may read them, and what a symbolic link at their place becomes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from babelbatch.storage import cache_entry, write_atomically


@pytest.fixture(params=[0o077, 0o027, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def permissions(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_umask_decides_who_may_read(umask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of temporary files that get their name later, which Python's tempfile would make private."""
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))
    write_atomically(tmp_path / "metrics.json", "{}")

    def build(folder: Path) -> dict[str, object]:
        (folder / "texts.txt").write_text("one")
        return {}

    entry = cache_entry("corpus", "small", {}, build)
    assert {permissions(path) for path in (tmp_path / "metrics.json", *entry.iterdir())} == {0o666 & ~umask}
    assert {permissions(path) for path in (entry, entry.parent)} == {0o777 & ~umask}


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("another's")
    (tmp_path / "metrics.json").symlink_to(tmp_path / "elsewhere")
    write_atomically(tmp_path / "metrics.json", "{}")
    assert (tmp_path / "elsewhere").read_text() == "another's"
    assert not (tmp_path / "metrics.json").is_symlink()
    assert (tmp_path / "metrics.json").read_text() == "{}"

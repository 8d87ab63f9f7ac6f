"""A checkpoint is read as it was written, or not at all."""

from __future__ import annotations

import errno
import logging
import os
import re
import zipfile
from pathlib import Path

import pytest
import torch

from babelbatch.storage.checkpoint_file import DamagedCheckpoint, read_checkpoint, write_checkpoint

CONTENT = {"state_dict": {"weight": torch.arange(12.0).reshape(3, 4), "bias": torch.ones(2)}, "global_step": 3}
UNREAD = "{} could not be read ({}), which does not mean that it is damaged; run the same command again"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "step-00000003.ckpt"
    write_checkpoint(CONTENT, path)
    return path


def test_every_flipped_bit_is_noticed(path: Path) -> None:
    """Those of the archive's table of contents and of the digest too."""
    content = bytearray(path.read_bytes())
    flips = 0
    with path.open("r+b") as file:
        for place in range(len(content)):
            for bit in range(8):
                file.seek(place)
                file.write(bytes([content[place] ^ 1 << bit]))
                file.flush()
                with pytest.raises(DamagedCheckpoint):
                    read_checkpoint(path)
                flips += 1
            file.seek(place)
            file.write(content[place : place + 1])
    assert flips == 8 * len(content) > 5_352
    assert torch.equal(read_checkpoint(path)["state_dict"]["weight"], CONTENT["state_dict"]["weight"])


def test_every_shorter_file_is_noticed(path: Path) -> None:
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(DamagedCheckpoint):
            read_checkpoint(path)


def test_it_is_still_the_archive_that_torch_writes(path: Path) -> None:
    assert torch.load(path, weights_only=True)["global_step"] == 3
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert re.fullmatch(rb"sha256:[0-9a-f]{64}", archive.comment)


def test_a_checkpoint_of_an_earlier_version_is_read_with_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "step-00000001.ckpt"
    torch.save(CONTENT, path)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(read_checkpoint(path)["state_dict"]["bias"], torch.ones(2))
    assert caplog.messages == [
        f"{path} has no digest, like all checkpoints of earlier versions: it is verified in part"
    ]
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(12.0).numpy().tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedCheckpoint, match=r"data/0 in it is altered$"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 999, b"PK\x05\x06" + bytes(18), b"\x80\x02."])
def test_what_is_no_checkpoint(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DamagedCheckpoint):
        read_checkpoint(path)


def test_a_folder_and_a_missing_file(path: Path, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(DamagedCheckpoint):
            read_checkpoint(place)


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.EMFILE, errno.ENOMEM, errno.EACCES])
def test_a_disk_that_fails_for_a_moment_is_no_damage(path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fails(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    message = UNREAD.format(path, f"[Errno {code}] {os.strerror(code)}")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", fails)
        with pytest.raises(ValueError, match=re.escape(message)) as raised:
            read_checkpoint(path)
    assert not isinstance(raised.value, DamagedCheckpoint)
    assert read_checkpoint(path)["global_step"] == 3


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("unable to mmap 9 bytes: Cannot allocate memory (12)")])
def test_memory_that_is_short_is_no_damage(path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", fails)
    with pytest.raises(ValueError, match=re.escape(UNREAD.format(path, str(error) or "MemoryError"))) as raised:
        read_checkpoint(path, mmap=True)
    assert not isinstance(raised.value, DamagedCheckpoint)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    path = tmp_path / "step-00000001.ckpt"
    write_checkpoint({"state_dict": Payload()}, path)
    with pytest.raises(DamagedCheckpoint):
        read_checkpoint(path)
    assert not (tmp_path / "ran").exists()

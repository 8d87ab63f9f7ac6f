"""The file of a checkpoint: the zip archive that torch writes, whose comment is a digest of the whole file.

torch verifies nothing when it reads, and the checksums of a zip archive cover its entries, not its table of contents:
one flipped bit there, and torch returns memory that it never filled.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import zipfile
from collections.abc import Mapping
from io import BufferedRandom
from pathlib import Path
from typing import Any

from babelbatch.storage.durable import replaced_file

log = logging.getLogger(__name__)

_PREFIX = b"sha256:"
_COMMENT = len(_PREFIX) + 64  # bytes
_END_RECORD = 22  # bytes of the record that ends an archive without a comment; its last two are the comment's length
_END_SIGNATURE = b"PK\x05\x06"
_BLOCK = 1 << 20
_NO_FILE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}
_NO_SUCH_PLACE = {errno.EINVAL, None}  # where the table of contents of a damaged archive points


class DamagedCheckpoint(ValueError):
    """The file is not what was written. Its text is the reason."""


def write_checkpoint(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Writes atomically. Raises OSError, and leaves the file as it was, if the disk does not take it."""
    import torch

    with replaced_file(path) as file:
        try:
            torch.save(checkpoint, file)
        except RuntimeError as error:  # torch's zip writer hides what the disk said
            raise OSError(f"{path} could not be written: {error}") from error
        _append_digest(file)


def read_checkpoint(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """The checkpoint, on the CPU. Every byte is verified first.

    mmap: whether tensors are mapped from the file instead of read. Raises DamagedCheckpoint for any other content than
    the written one, and where there is no file; ValueError if the disk or the memory fails, which says nothing about
    the content. A checkpoint of an earlier version has no digest: the checksums of its entries are verified, and a
    warning says so.
    """
    import torch

    verified = False
    try:
        verified = _verify_digest(path)
        if not verified:
            log.warning("%s has no digest, like all checkpoints of earlier versions: it is verified in part", path)
            _verify_entries(path)
        checkpoint = torch.load(path, weights_only=True, map_location="cpu", mmap=mmap)
    except DamagedCheckpoint:
        raise
    except Exception as error:  # what torch raises for damaged files is any of a dozen types
        reason = str(error).partition("\n")[0] or type(error).__name__
        if _is_passing(error, verified):
            raise ValueError(
                f"{path} could not be read ({reason}), which does not mean that it is damaged; run the same command "
                "again"
            ) from error
        raise DamagedCheckpoint(reason) from error
    if not isinstance(checkpoint, dict):
        raise DamagedCheckpoint(f"it holds a {type(checkpoint).__name__}")
    return checkpoint


def _is_passing(error: Exception, verified: bool) -> bool:
    """Whether an error is of the disk or the memory and not of the file. verified: its digest fits its content."""
    if isinstance(error, OSError):
        return error.errno not in (_NO_FILE if verified else _NO_FILE | _NO_SUCH_PLACE)
    # torch says in a RuntimeError that a file could not be mapped, or read to its end
    return isinstance(error, MemoryError) or (verified and isinstance(error, RuntimeError))


def _append_digest(file: BufferedRandom) -> None:
    file.flush()
    size = file.seek(0, 2)
    file.seek(size - _END_RECORD)
    record = file.read()
    assert _has_no_comment(record), "torch writes an archive without a comment"
    file.seek(size - 2)
    file.write(_COMMENT.to_bytes(2, "little"))
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0, 2)
    file.write(_PREFIX + digest.encode())


def _verify_digest(path: Path) -> bool:
    """Whether the file has a digest. Raises DamagedCheckpoint if that is not of the bytes before it."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_RECORD))
        if _has_no_comment(file.read()):
            return False
        file.seek(max(0, size - _COMMENT))
        comment = file.read()
        whole, left = hashlib.sha256(), max(0, size - _COMMENT)
        file.seek(0)
        while left and (block := file.read(min(_BLOCK, left))):
            whole.update(block)
            left -= len(block)
    if comment != _PREFIX + whole.hexdigest().encode():
        raise DamagedCheckpoint("its digest does not fit its content")
    return True


def _has_no_comment(end_record: bytes) -> bool:
    return end_record.startswith(_END_SIGNATURE) and end_record.endswith(b"\0\0")


def _verify_entries(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():  # torch does not verify checksums
            raise DamagedCheckpoint(f"{damaged} in it is altered")

"""The checksum of cached files: CRC-32, which detects any single flipped bit, at about 3 GB/s."""

from __future__ import annotations

import zlib
from pathlib import Path

from babelbatch.progress import bar

_BLOCK_BYTES = 4 << 20


def file_crc32(path: Path, activity: str) -> int:
    """CRC-32 of a file, which is read and not mapped: mapped pages would count as this process's memory.

    activity: for the progress bar, such as "verifying cached token ids".
    """
    crc32 = 0
    buffer = bytearray(_BLOCK_BYTES)
    with path.open("rb", buffering=0) as file, bar(activity, path.stat().st_size, unit="bytes") as progress:
        while count := file.readinto(buffer):
            crc32 = zlib.crc32(memoryview(buffer)[:count], crc32)
            progress.advance(count)
    return crc32

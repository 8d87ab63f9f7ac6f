"""Files that survive: atomic writes, cache entries, locks, and texts on disk.

Start at `durable.py`. `checkpoint_file` writes and reads checkpoints with a digest; `entry` finds or builds an entry of
the cache; `lock` lets one process build it while others wait; `texts` reads and writes more texts than fit in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from babelbatch.storage.cache import cache_folder
from babelbatch.storage.checksum import file_crc32
from babelbatch.storage.durable import flush_file, flush_folder, flush_tree, replaced_file, write_atomically
from babelbatch.storage.entry import abandon_build, cache_entry, file_signatures, open_entry
from babelbatch.storage.lock import WaitedTooLong, locked, try_lock

if TYPE_CHECKING:
    from babelbatch.storage.texts import ConcatTexts, Texts, TextWriter, select_texts, text_hash

__all__ = [
    "ConcatTexts",
    "TextWriter",
    "Texts",
    "WaitedTooLong",
    "abandon_build",
    "cache_entry",
    "cache_folder",
    "checkpoint_file",
    "documents",
    "file_crc32",
    "file_signatures",
    "flush_file",
    "flush_folder",
    "flush_tree",
    "locked",
    "open_entry",
    "replaced_file",
    "select_texts",
    "text_hash",
    "try_lock",
    "write_atomically",
]


def __getattr__(name: str) -> object:
    """Imports what needs numpy when it is first used: a command checks its configuration without it."""
    if name in {"ConcatTexts", "TextWriter", "Texts", "select_texts", "text_hash"}:
        from babelbatch.storage import texts

        return getattr(texts, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Files that survive: atomic writes, cache entries, locks, and texts on disk.

Start at `durable.py`. `folder` keeps a cache entry, built once and memory-mapped by every run; `lock` lets one process
build it while others wait; `texts` holds more texts than fit in memory.
"""

from babelbatch.storage.cache import cache_folder
from babelbatch.storage.durable import flush_folder, write_atomically
from babelbatch.storage.folder import described, discard, signature_of, stored_folder
from babelbatch.storage.lock import acquired, if_free
from babelbatch.storage.texts import Joined, Texts, TextWriter, choose_texts, text_hash

__all__ = [
    "Joined",
    "TextWriter",
    "Texts",
    "acquired",
    "cache_folder",
    "choose_texts",
    "described",
    "discard",
    "flush_folder",
    "if_free",
    "signature_of",
    "stored_folder",
    "text_hash",
    "write_atomically",
]

"""Where the cache folder is."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(part: str) -> Path:
    """The folder of one part of the cache, such as `tokens`: in BABELBATCH_CACHE, or in the system's cache folder."""
    if not (folder := os.environ.get("BABELBATCH_CACHE")):  # an empty value means unset, not the working folder
        import pooch  # imports requests, which nothing else here needs

        folder = pooch.os_cache("babelbatch")
    return Path(folder).expanduser() / part

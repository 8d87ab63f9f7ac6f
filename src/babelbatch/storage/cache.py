"""Where downloads and token ids are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(part: str) -> Path:
    """The folder of one part of the cache: below BABELBATCH_CACHE, or below the system's folder for caches."""
    if not (folder := os.environ.get("BABELBATCH_CACHE")):  # empty is not set, and not the working folder
        import pooch  # brings requests, for nothing more than this

        folder = pooch.os_cache("babelbatch")
    return Path(folder).expanduser() / part

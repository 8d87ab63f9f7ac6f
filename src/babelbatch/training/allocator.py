"""How the C library reuses the memory that torch frees on a CPU."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# Numbers and defaults of glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_DEFAULT_TRIM_THRESHOLD, _DEFAULT_TOP_PAD, _DEFAULT_MMAP_MAX = 128 << 10, 128 << 10, 1 << 16


@contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Within the context, freed memory stays with the process; at its end it is returned to the system.

    Each training step allocates and frees the same gigabytes of activations. By default glibc returns large blocks at
    once, and the system zeroes each page before it hands it out again, which takes a quarter of a step on a CPU
    (docs/performance.md). Does nothing without glibc, or if the user has set one of its variables (MALLOC_MMAP_MAX_
    and others).
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, -1)
    libc.mallopt(_TOP_PAD, 64 << 20)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_MAX, _DEFAULT_MMAP_MAX)
        libc.mallopt(_TRIM_THRESHOLD, _DEFAULT_TRIM_THRESHOLD)
        libc.mallopt(_TOP_PAD, _DEFAULT_TOP_PAD)
        libc.malloc_trim(0)

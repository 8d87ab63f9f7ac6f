"""What the C library does with the memory that torch frees on a CPU."""

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
    """Inside, blocks that are freed stay with the process; at the end, all that is free goes back to the system.

    Every training step takes and frees the same gigabytes of activations. glibc hands large blocks back at once, and
    the system clears each page before it gives it out again: a quarter of the time of a step on a CPU
    (docs/performance.md). Does nothing where the C library is not glibc, or where the user has set one of its variables
    (MALLOC_MMAP_MAX_ and others).
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

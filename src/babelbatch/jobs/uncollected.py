"""Imports without garbage collection, which would go through everything imported so far again and again."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected_imports() -> Iterator[None]:
    """What its block imports is neither collected meanwhile nor looked at by later collections (`gc.freeze`).

    So torch, Lightning and Transformers are imported in three quarters of the time, and 8 MiB of the garbage that this
    makes stay in memory. A block that imports nothing new freezes nothing: what a job leaves must be collected before
    the next.
    """
    imported, was_enabled = len(sys.modules), gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > imported:
            gc.freeze()
        if was_enabled:
            gc.enable()

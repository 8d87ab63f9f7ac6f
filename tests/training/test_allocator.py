"""Freed memory stays with the process while it trains, and goes back after that."""

from __future__ import annotations

import os
import platform

import pytest

from babelbatch.training import allocator
from processes import python

PROBE = """
import resource, runpy, sys
import numpy as np
keep_freed_memory = runpy.run_path(sys.argv[1])["keep_freed_memory"]  # without all that its wing imports

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(2**22)  # 32 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))

outside, before = faults(), resident()
with keep_freed_memory():
    np.ones(2**22)
    inside, kept = faults(), resident() - before
print(outside, inside, kept, resident() - before)
"""


def probe(**variables: str) -> list[int]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    return [int(word) for word in python(PROBE, allocator.__file__, env=clean | variables).stdout.split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to")
def test_blocks_come_back_without_page_faults() -> None:
    outside, inside, kept, after = probe()
    pages = 20 * 2**25 // os.sysconf("SC_PAGESIZE")
    assert outside > pages / 1024  # pages may be huge ones
    assert inside < outside / 10
    assert kept > 2**14  # KiB
    assert after < 2**14


def test_what_the_user_has_set_stays() -> None:
    _, inside, kept, _ = probe(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072")
    assert inside > 20
    assert kept < 2**14

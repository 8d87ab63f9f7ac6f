"""Imports that garbage collection does not interrupt."""

import gc

import pytest

from babelbatch.jobs.uncollected import uncollected_imports
from processes import python


def test_imports_of_a_job_are_neither_collected_nor_looked_at_again() -> None:
    script = """
import gc
from babelbatch.jobs.job import _entry
begun = []
gc.callbacks.append(lambda phase, info: begun.append(info["generation"]))
_entry("train")
print(len(begun), gc.isenabled(), gc.get_freeze_count() > 100_000)
frozen = gc.get_freeze_count()
cycle = []
cycle.append(cycle)
_entry("train")
print(gc.get_freeze_count() == frozen, gc.is_tracked(cycle))
"""
    assert python(script).stdout.splitlines()[-2:] == ["0 True True", "True True"]


def test_a_block_without_imports_freezes_nothing_and_collection_stays_as_it_was() -> None:
    frozen = gc.get_freeze_count()
    try:
        for enable, expected in ((gc.enable, True), (gc.disable, False)):
            enable()
            with uncollected_imports():
                assert not gc.isenabled()
            assert gc.isenabled() is expected
    finally:
        gc.enable()
    assert gc.get_freeze_count() == frozen


def test_a_failing_import_leaves_collection_on() -> None:
    with pytest.raises(ModuleNotFoundError), uncollected_imports():
        import no_such_module  # noqa: F401
    assert gc.isenabled()

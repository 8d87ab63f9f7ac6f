"""The benches can be imported: what they measure has not moved away."""

import importlib
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
SCRIPTS = sorted(path.stem for path in BENCH.glob("*.py"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_bench_can_be_imported(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)
    try:
        assert importlib.import_module(name).__doc__
    finally:
        for script in SCRIPTS:
            sys.modules.pop(script, None)


def test_there_are_benches() -> None:
    assert len(SCRIPTS) > 10

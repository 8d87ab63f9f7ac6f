"""What a run writes last says that it is complete, so everything else is on the disk before."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from babelbatch.evaluation.scoring import Result
from babelbatch.runs.results import write_results


def test_scores_are_on_the_disk_before_the_run_counts_as_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        events.append(("flushed", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        fsync(descriptor)

    def replaced(source: Path, target: Path) -> None:
        events.append(("named", target.name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    result = Result(
        benchmark="facts", metric="map", languages=("de",), metrics={"facts/monolingual/map": 0.5}, facts={},
        matrices={"map": np.array([[0.5]])}, per_query=pa.table({"map": [0.5]}),
    )  # fmt: skip
    write_results(tmp_path, [result], {"name": "x"})
    kinds = [(kind, name.split(".parquet")[0].split(".json")[0].lstrip(".")) for kind, name in events]
    assert kinds == [
        ("flushed", "per_query"), ("named", "per_query"), ("flushed", tmp_path.name),
        ("flushed", "metrics"), ("named", "metrics"), ("flushed", tmp_path.name),
    ]  # fmt: skip

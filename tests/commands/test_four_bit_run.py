"""A run whose frozen weights are in four bits: trained, stopped, resumed, evaluated and saved as any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import BIN, SMALL_TRANSFORMER, metrics, run_forked, weights
from preloaded import started_preloaded
from processes import ended, until

pytest.importorskip("bitsandbytes", reason="the extra `qlora` is not installed")
pytestmark = pytest.mark.slow

RUN = [
    *SMALL_TRANSFORMER,
    "tuning=qlora",
    "logger=none",
    "callbacks.checkpoint.every_n_steps=2",
    "encoder.hidden_size=64",
]


def test_stopped_resumed_and_evaluated(tmp_path: Path) -> None:
    done = run_forked("babelbatch-train", *RUN, "output_dir=whole", cwd=tmp_path)
    assert "linear maps in four bits; training starts " in done.stderr + done.stdout
    found = metrics(tmp_path / "whole")
    assert found["parameters_trained"] < found["parameters"] / 2
    with started_preloaded(BIN / "babelbatch-train", *RUN, "output_dir=cut", cwd=tmp_path) as process:
        until(lambda: any((tmp_path / "cut" / "checkpoints").glob("step-*")), process)
        process.kill()
        ended(process)
    (checkpoint,) = (tmp_path / "cut" / "checkpoints").glob("step-*")
    how = ["benchmarks.world_facts.languages=[en,de,zh]", "logger=none"]
    early = run_forked("babelbatch-evaluate", f"checkpoint={checkpoint}", *how, "output_dir=early", cwd=tmp_path)
    assert "in four bits" not in early.stderr + early.stdout  # measured on weights that the checkpoint replaces
    again = run_forked("babelbatch-train", *RUN, "output_dir=cut", cwd=tmp_path)
    assert "resuming from " in again.stdout + again.stderr
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    key = "world_facts/multilingual/map"
    assert 0 < metrics(tmp_path / "early")[key] != found[key]

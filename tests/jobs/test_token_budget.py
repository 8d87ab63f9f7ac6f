"""Runs that end by tokens: whoever computes them, and however often they are killed, they have the same steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import BIN, SMALL_TRANSFORMER, metrics, run_forked, weights
from preloaded import started_preloaded
from processes import ended, until

pytestmark = pytest.mark.slow

BUDGET = 30_000
RUN = [
    *SMALL_TRANSFORMER, "sampling=schedule", "trainer.max_steps=-1", f"trainer.max_tokens={BUDGET}", "logger=csv",
    "trainer.log_every_n_steps=1", "callbacks.checkpoint.every_n_steps=1", "output_dir=out",
]  # fmt: skip
TWO = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whole")
    output = run_forked("babelbatch-train", *RUN, cwd=place)
    assert f"{BUDGET:,} tokens are {metrics(place / 'out')['steps']} steps" in output.stdout + output.stderr
    return place / "out"


def test_the_budget_is_what_was_encoded(whole: Path) -> None:
    """Within a step above it; and the learning rate falls to nothing at the end, as the schedule has it."""
    found = metrics(whole)
    assert 0 <= found["tokens/encoded"] - BUDGET < 2 * BUDGET / found["steps"]
    header, *rows = (line.split(",") for line in (whole / "csv" / "metrics.csv").read_text().splitlines())
    rates = [
        float(row[header.index("train/learning_rate")]) for row in rows if row[header.index("train/learning_rate")]
    ]
    assert len(rates) == found["steps"]
    assert rates[-1] < 0.1 * max(rates)


def test_killed_and_typed_again(whole: Path, tmp_path: Path) -> None:
    with started_preloaded(BIN / "babelbatch-train", *RUN, cwd=tmp_path) as process:
        until(lambda: any((tmp_path / "out" / "checkpoints").glob("step-*")), process)
        process.kill()
        ended(process)
    again = run_forked("babelbatch-train", *RUN, cwd=tmp_path)
    assert "resuming from " in again.stdout + again.stderr
    found, expected = metrics(tmp_path / "out"), metrics(whole)
    assert weights(tmp_path / "out") == weights(whole)
    for name in ("steps", "tokens/encoded", "tokens/padded", "flops/train"):
        assert found[name] == expected[name], name


def test_two_ranks_take_as_many_steps(whole: Path, tmp_path: Path) -> None:
    run_forked("babelbatch-train", *RUN, *TWO, cwd=tmp_path)
    assert metrics(tmp_path / "out")["steps"] == metrics(whole)["steps"]
    assert metrics(tmp_path / "out")["tokens/encoded"] >= metrics(whole)["tokens/encoded"]

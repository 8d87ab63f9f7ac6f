"""Real processes, really killed: the same command typed again ends in the same bits as if nothing had happened."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
RUN = [  # a minute of nothing but training, if it were let: dropout, accumulation, a worker, a watched benchmark
    "corpus.languages=[en,de,zh]",
    "benchmarks.world_facts.languages=[en,de,zh]",
    "encoder=tiny",
    "encoder.hidden_size=32",
    "encoder.vocab_size=2000",
    "sampling.batch_size=17",
    "trainer.max_steps=40",
    "trainer.val_check_interval=20",
    "trainer.accumulate_grad_batches=2",
    "trainer.log_every_n_steps=4",
    "data.validation_steps=2",
    "data.num_workers=1",
    "callbacks=early_stopping",
    "monitor=world_facts/multilingual/map",
    "callbacks.evaluate.during_training=true",
    "callbacks.checkpoint.every_n_steps=1",
    "logger=csv",
    "threads=1",
    "output_dir=run",
]
TWO_RANKS = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
UNEQUAL = ("seconds/", "versions/", "commit", "memory/")  # what may differ between two equal runs


def command(place: Path, *more: str) -> subprocess.Popen[str]:
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # background jobs inherit a deaf ear
    return subprocess.Popen(
        [BIN / "babelbatch-train", *RUN, *more], cwd=place, preexec_fn=heeding, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(place: Path, *more: str) -> str:
    with command(place, *more) as started:
        output, _ = started.communicate(timeout=300)
    assert started.returncode == 0, output
    return output


def wait_for(path: Path, pattern: str, started: subprocess.Popen[str]) -> Path:
    for _ in range(3_000):
        found = sorted(path.glob(pattern))
        if found:
            return found[0]
        assert started.poll() is None, started.communicate()[0]
        time.sleep(0.05)
    raise AssertionError(f"no {pattern} in {path}")


def outcome(folder: Path) -> tuple[bytes, dict, list[list[str]]]:
    """Weights, metrics and curve of a run, without what time and machine decide."""
    metrics = json.loads((folder / "metrics.json").read_text())
    rows = [line.split(",") for line in (folder / "csv" / "metrics.csv").read_text().splitlines()]
    timed = [place for place, name in enumerate(rows[0]) if name == "train/tokens_per_second"]
    curve = [[cell for place, cell in enumerate(row) if place not in timed] for row in rows]
    return (
        (folder / "encoder" / "model.safetensors").read_bytes(),
        {key: value for key, value in metrics.items() if not key.startswith(UNEQUAL)},
        curve,
    )


@pytest.fixture(scope="module", params=["one process", "two ranks"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """A run that nobody disturbs, and the arguments that make it what it is."""
    more = TWO_RANKS if request.param == "two ranks" else []
    place = tmp_path_factory.mktemp("whole")
    finish(place, *more)
    return more, place / "run"


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGINT", "power cut"])
def test_killed_and_typed_again(whole: tuple[list[str], Path], tmp_path: Path, how: str) -> None:
    more, expected = whole
    folder = tmp_path / "run"
    with command(tmp_path, *more) as started:
        try:
            wait_for(folder / "checkpoints", "step-0000000[5-9].ckpt", started)
            signum = signal.SIGKILL if how == "power cut" else getattr(signal, how)
            started.send_signal(signum)
            output, _ = started.communicate(timeout=120)
        finally:
            started.kill()
    codes = {"SIGTERM": 143, "SIGINT": 130}
    assert started.returncode == codes.get(how, -signal.SIGKILL), output
    assert not (folder / "metrics.json").exists()
    if how == "power cut":
        time.sleep(2)  # ranks that lost their parent
        newest = max((folder / "checkpoints").glob("step-*"))
        os.truncate(newest, newest.stat().st_size // 3)
    output = finish(tmp_path, *more)
    assert "going on from " in output
    if how == "power cut":
        assert f"{newest} cannot be read (" in output
    weights, metrics, curve = outcome(folder)
    assert weights == outcome(expected)[0]
    assert metrics == outcome(expected)[1]
    assert curve == outcome(expected)[2]
    assert len(list((folder / "checkpoints").glob("step-*"))) == 1


def test_killed_in_the_final_evaluation(whole: tuple[list[str], Path], tmp_path: Path) -> None:
    """All that is left to do is to evaluate: no step is trained twice."""
    more, expected = whole
    folder = tmp_path / "run"
    with command(tmp_path, *more) as started:
        try:
            wait_for(folder / "checkpoints", "step-00000040.ckpt", started)
            started.kill()
            started.communicate(timeout=60)
        finally:
            started.kill()
    if not (folder / "metrics.json").exists():  # it may have been faster
        assert "going on from " in finish(tmp_path, *more)
    assert outcome(folder)[:2] == outcome(expected)[:2]


def test_a_checkpoint_of_another_configuration(tmp_path: Path) -> None:
    with command(tmp_path) as started:
        try:
            wait_for(tmp_path / "run" / "checkpoints", "step-0000000[3-9].ckpt", started)
        finally:
            started.kill()
    with command(tmp_path, "sampling.alpha=0.25", "optimizer.lr=0.01") as again:
        output, _ = again.communicate(timeout=120)
    assert again.returncode == 2
    assert "sampling.alpha: 0.5 there, 0.25 here" in output
    assert "optimizer.lr: 0.001 there, 0.01 here" in output
    assert "Traceback" not in output


def test_a_disk_without_room_for_checkpoints(tmp_path: Path) -> None:
    """The operating system refuses files as large as a checkpoint: each time it is told, and the run ends as it would
    have."""
    small = resource.RLIMIT_FSIZE
    for place, limit in (("room", None), ("none", 600_000)):
        folder = tmp_path / place
        folder.mkdir()
        starved = None if limit is None else partial(resource.setrlimit, small, (limit, limit))
        done = subprocess.run(
            [BIN / "babelbatch-train", *RUN, "data.num_workers=0", "callbacks.checkpoint.every_n_steps=10"],
            cwd=folder, preexec_fn=starved, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("no checkpoint could be saved (" in done.stdout + done.stderr) == (limit is not None)
    assert not list((tmp_path / "none" / "run" / "checkpoints").glob("*step*"))
    assert outcome(tmp_path / "none" / "run") == outcome(tmp_path / "room" / "run")

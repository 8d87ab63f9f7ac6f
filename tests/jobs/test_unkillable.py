"""Real processes, really killed: the same command typed again ends in the same bits as if nothing had happened."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

import pytest

from commands import BIN, run_forked
from preloaded import Preloaded, started_preloaded
from processes import alive, descendants, ended, finished, until

pytestmark = pytest.mark.slow

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
MORE = {"one process": [], "two ranks": ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]}
EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGKILL": -9, "power cut": -9}
NO_ROOM = "no checkpoint could be saved ("
UNEQUAL = ("seconds/", "versions/", "commit", "memory/")  # what may differ between two equal runs


def command(place: Path, *more: str) -> AbstractContextManager[Preloaded]:
    return started_preloaded(BIN / "babelbatch-train", *RUN, *more, cwd=place, merged=True)


def finish(place: Path, *more: str) -> str:
    """What the same command prints that is let finish."""
    done = run_forked("babelbatch-train", *RUN, *more, cwd=place)
    return done.stdout + done.stderr


def until_saved(folder: Path, step: int, process: Preloaded) -> None:
    """Or a later one: who looks may be slower than who saves."""
    first = f"step-{step:08}.ckpt"
    until(lambda: any(path.name >= first for path in (folder / "checkpoints").glob("step-*.ckpt")), process)


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


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A run that nobody disturbs, one for each of MORE. That of one process is in an interpreter of its own."""

    @cache
    def run(processes: str) -> Path:
        place = tmp_path_factory.mktemp("whole")
        if processes == "one process":
            done = finished(BIN / "babelbatch-train", *RUN, cwd=place)
            output = done.stdout + done.stderr
        else:
            output = finish(place, *MORE[processes])
        assert NO_ROOM not in output
        return place / "run"

    return run


@pytest.mark.parametrize(
    ("processes", "ends"),
    [("one process", ["SIGINT", "SIGTERM", "SIGKILL", "power cut"]), ("two ranks", ["SIGTERM", "power cut"])],
)
def test_ended_and_typed_again(whole: Callable[[str], Path], tmp_path: Path, processes: str, ends: list[str]) -> None:
    """One run that is ended again and again, each time some steps later, and at last in the final evaluation, when no
    step is left to train."""
    more, expected = MORE[processes], whole(processes)
    folder = tmp_path / "run"
    known: list[str] = []  # what the next command must print
    for step, how in zip(range(5, 40, 8), ends, strict=False):
        with command(tmp_path, *more) as process:
            until_saved(folder, step, process)
            all_of_it = descendants(process.pid)
            signum = signal.SIGKILL if how == "power cut" else getattr(signal, how)
            process.send_signal(signum)
            output, _ = ended(process)
        assert process.returncode == EXIT_CODES[how], output
        assert all(line in output for line in known), output
        assert not (folder / "metrics.json").exists()
        known = ["resuming from "]
        if how == "power cut":
            until(lambda: not any(map(alive, all_of_it)))  # noqa: B023  # ranks that lost their parent, and workers
            newest = max((folder / "checkpoints").glob("step-*"))
            os.truncate(newest, newest.stat().st_size // 3)
            known.append(f"{newest} cannot be read (")
    with command(tmp_path, *more) as process:
        until_saved(folder, 40, process)
        process.kill()
        output, _ = ended(process)
    assert all(line in output for line in known), output
    if not (folder / "metrics.json").exists():  # it may have been faster
        assert "resuming from " in finish(tmp_path, *more)
    for part, undisturbed in zip(outcome(folder), outcome(expected), strict=True):
        assert part == undisturbed
    assert len(list((folder / "checkpoints").glob("step-*"))) == 1


def test_a_checkpoint_of_another_configuration(tmp_path: Path) -> None:
    with command(tmp_path) as process:
        until_saved(tmp_path / "run", 3, process)
    with command(tmp_path, "sampling.alpha=0.25", "optimizer.lr=0.01") as again:
        output, _ = ended(again)
    assert again.returncode == 2
    assert "sampling.alpha: 0.5 there, 0.25 here" in output
    assert "optimizer.lr: 0.001 there, 0.01 here" in output
    assert "Traceback" not in output


def test_a_disk_without_room_for_checkpoints(whole: Callable[[str], Path], tmp_path: Path) -> None:
    """The operating system refuses files as large as a checkpoint: each time it is told, and the run ends as it would
    have, with a worker or without."""
    limit = 600_000
    with command(tmp_path, "data.num_workers=0", "callbacks.checkpoint.every_n_steps=10") as process:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        output, _ = ended(process)
    assert process.returncode == 0, output
    assert NO_ROOM in output
    assert not list((tmp_path / "run" / "checkpoints").glob("*step*"))
    assert outcome(tmp_path / "run") == outcome(whole("one process"))

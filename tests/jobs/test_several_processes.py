"""One run on two processes: the same weights whoever starts them, and those of one process up to rounding."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from commands import BIN, SMALL_TRANSFORMER, metrics, run, run_forked, weights
from preloaded import started_preloaded
from processes import alive, descendants, ended, finished, free_port, until

pytestmark = pytest.mark.slow

# Seventeen pairs do not divide by two. Without dropout, which each rank draws for itself.
PAIRS = [*SMALL_TRANSFORMER, "sampling.batch_size=17", "corpus.negatives=1", "encoder.dropout=0", "logger=csv"]
TWO = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
SHARDED = ["trainer=fsdp", "trainer.devices=2", "trainer.accelerator=cpu"]
ALONE = ["trainer.accelerator=cpu"]


@pytest.fixture(scope="module")
def supervised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("supervised")
    run("babelbatch-train", *PAIRS, *TWO, "output_dir=out", cwd=place)
    return place / "out"


def scores(folder: Path) -> dict[str, float]:
    return {key: value for key, value in metrics(folder).items() if key.startswith("world_facts/")}


def curve(folder: Path, name: str) -> list[float]:
    header, *rows = (line.split(",") for line in (folder / "csv" / "metrics.csv").read_text().splitlines())
    return [float(row[header.index(name)]) for row in rows if row[header.index(name)]]


def assert_close_weights(found: Path, expected: Path) -> None:
    one, other = (load_file(folder / "encoder" / "model.safetensors") for folder in (expected, found))
    for name, tensor in one.items():
        if not name.endswith("key.bias"):  # has no gradient but rounding
            torch.testing.assert_close(other[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


def test_one_process_finds_the_same(supervised: Path, tmp_path: Path) -> None:
    """Twelve steps of AdamW, which makes a unit step of a rounding error where a gradient is nothing else."""
    run_forked("babelbatch-train", *PAIRS, "output_dir=out", cwd=tmp_path)
    assert_close_weights(supervised, tmp_path / "out")
    for name in ("train/loss", "train/loss/x_x", "train/loss/x_y", "validation/loss", "train/gradient_norm"):
        assert curve(supervised, name) == pytest.approx(curve(tmp_path / "out", name), rel=1e-4), name
    for name in ("train/negatives", "train/alpha", "train/languages", "train/masked_rate/x_y"):
        assert curve(supervised, name) == curve(tmp_path / "out", name), name
    alone, together = scores(tmp_path / "out"), scores(supervised)
    assert alone.keys() == together.keys()
    key = "world_facts/multilingual/map"
    assert together[key] == pytest.approx(alone[key], abs=2e-3)
    assert metrics(supervised)["ranks"] == 2


def test_grad_cache_on_two_processes_finds_the_same(supervised: Path, tmp_path: Path) -> None:
    cached = ["grad_cache=true", "data.chunk_tokens=200", "data.forward_overhead=1000000"]
    run_forked("babelbatch-train", *PAIRS, *TWO, *cached, "output_dir=out", cwd=tmp_path)
    assert curve(tmp_path / "out", "train/loss") == pytest.approx(curve(supervised, "train/loss"), rel=1e-4)


def test_mimo_on_two_processes(supervised: Path, tmp_path: Path) -> None:
    """Each asks the teacher about its own share. The first three of twelve steps, one log, are distillation alone; what
    is logged is of the global batch, so that the parts make up the loss. (`test_sameness.py` compares gradients.)"""
    mimo = ["loss=mimo", "loss.warmup=0.25", f"teacher={supervised / 'encoder'}"]
    run_forked("babelbatch-train", *PAIRS, *TWO, *mimo, "output_dir=out", cwd=tmp_path)
    names = ("train/loss", "train/loss/contrastive", "train/loss/distillation")
    whole, contrastive, distillation = (curve(tmp_path / "out", name) for name in names)
    assert whole[0] == pytest.approx(distillation[0], rel=1e-6)
    assert whole[1:] == pytest.approx(
        [0.2 * c + 0.8 * t for c, t in zip(contrastive[1:], distillation[1:], strict=True)], rel=1e-6
    )
    assert distillation[-1] < distillation[0]


def test_sharded_weights_find_the_same_and_survive_a_kill(supervised: Path, tmp_path: Path) -> None:
    """A checkpoint has whole weights and whole states of the optimiser: the same ranks go on from it to the bit, and
    one process, or ranks without shards, to the numbers that they find alone."""
    watched = ["callbacks=early_stopping", "callbacks.evaluate.during_training=true", "trainer.val_check_interval=12"]
    command = [*PAIRS, *watched, "callbacks.checkpoint.every_n_steps=1"]
    run_forked("babelbatch-train", *command, *SHARDED, "output_dir=whole", cwd=tmp_path)
    whole, cut, moved = (tmp_path / name for name in ("whole", "cut", "moved"))
    assert curve(whole, "train/loss") == pytest.approx(curve(supervised, "train/loss"), rel=1e-4)
    assert curve(whole, "train/gradient_norm") == pytest.approx(curve(supervised, "train/gradient_norm"), rel=1e-4)
    assert curve(whole, "validation/loss") == pytest.approx(curve(supervised, "validation/loss")[-1:], rel=1e-4)
    during = curve(whole, "world_facts/multilingual/map")[0]
    assert during == pytest.approx(scores(whole)["world_facts/multilingual/map"], rel=1e-6)  # logged in float32
    assert scores(whole).keys() == scores(supervised).keys()
    assert metrics(whole)["parameters"] == metrics(supervised)["parameters"]

    end(command, SHARDED, cut, after=4)
    shutil.copytree(cut, moved)
    assert "resuming from " in resumed(command, SHARDED, cut)
    assert weights(cut) == weights(whole)
    assert scores(cut) == scores(whole)

    end(command, ALONE, moved, after=8)  # one process goes on
    assert "is resumed on other devices (trainer.devices: 1 there, 2 here" in resumed(command, SHARDED, moved)
    assert_close_weights(moved, whole)
    refused = run_forked("babelbatch-train", *command, *ALONE, "output_dir=moved", cwd=tmp_path, code=2)
    assert "trainer.strategy: fsdp there, not set here" in refused.stdout + refused.stderr  # it is finished
    assert (moved / "metrics.json").exists()


def end(command: list[str], layout: list[str], folder: Path, after: int) -> None:
    """Runs a command, and kills it after some steps."""
    typed = [BIN / "babelbatch-train", *command, *layout, f"output_dir={folder}"]
    with started_preloaded(*typed, cwd=folder.parent, merged=True) as process:
        first = f"step-{after:08}.ckpt"
        until(lambda: any(path.name >= first for path in (folder / "checkpoints").glob("step-*")), process)
        ranks = descendants(process.pid)
        process.kill()
        ended(process)
    until(lambda: not any(map(alive, ranks)))
    assert not (folder / "metrics.json").exists()


def resumed(command: list[str], layout: list[str], folder: Path) -> str:
    done = run_forked("babelbatch-train", *command, *layout, f"output_dir={folder}", cwd=folder.parent)
    return done.stdout + done.stderr


def test_started_by_torchrun(supervised: Path, tmp_path: Path) -> None:
    command = [BIN / "torchrun", "--nproc-per-node", "2", "--master-port", str(free_port()), BIN / "babelbatch-train"]
    finished(*command, *PAIRS, *TWO, "output_dir=out", cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert weights(tmp_path / "out") == weights(supervised)


def test_started_as_srun_does(supervised: Path, tmp_path: Path) -> None:
    """With the variables that Slurm sets for each task."""
    environment = os.environ | {
        "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NODEID": "0", "SLURM_NODELIST": "localhost", "MASTER_PORT": str(free_port()),
    }  # fmt: skip
    with ExitStack() as stack:
        tasks = [
            stack.enter_context(
                started_preloaded(
                    BIN / "babelbatch-train", *PAIRS, *TWO, "output_dir=out", cwd=tmp_path,
                    env=environment | {"SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)},
                )
            )
            for task in range(2)
        ]  # fmt: skip
        outputs = [ended(process) for process in tasks]
    assert [process.returncode for process in tasks] == [0, 0], outputs
    assert weights(tmp_path / "out") == weights(supervised)
    assert sum("Results: " in output for output, _ in outputs) == 1
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["ranks"] == 2

"""What a launcher needs, and whether it fits the jobs."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

from configurations import problems

TWO = ["trainer=ddp", "trainer.devices=2"]
SLURM = ["seed=0,1", "hydra/launcher=submitit_slurm"]


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every extra and sbatch are there."""
    found = importlib.util.find_spec
    extras = {"submitit", "ray"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: found("json" if name in extras else name, *rest)
    )
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (SLURM, []),
        (["seed=0,1", "hydra/launcher=submitit_local"], []),
        (["seed=0,1", "hydra/launcher=ray"], []),
        (["seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], []),
        ([*SLURM, *TWO, "hydra.launcher.gpus_per_node=2"], []),  # babelbatch starts the ranks
        ([*SLURM, *TWO, "hydra.launcher.gpus_per_node=2", "hydra.launcher.tasks_per_node=2"], []),
        ([*SLURM, *TWO, "hydra.launcher.gpus_per_node=null"], []),
        (
            [*SLURM, *TWO],
            [
                "hydra.launcher.gpus_per_node: a job has 1 GPUs for trainer.devices=2; "
                "set hydra.launcher.gpus_per_node=2, or null without GPUs"
            ],
        ),
        (
            [*SLURM, "hydra.launcher.tasks_per_node=2"],
            [
                "hydra.launcher.tasks_per_node: Slurm would start 2 processes on each of 1 nodes, and a job has "
                "trainer.devices=1 on trainer.num_nodes=1; set hydra.launcher.nodes=1 hydra.launcher.tasks_per_node=1"
            ],
        ),
        (
            [*SLURM, *TWO, "trainer.num_nodes=2", "hydra.launcher.gpus_per_node=2"],
            [
                "hydra.launcher.tasks_per_node: Slurm would start 1 processes on each of 1 nodes, and a job has "
                "trainer.devices=2 on trainer.num_nodes=2; set hydra.launcher.nodes=2 hydra.launcher.tasks_per_node=2"
            ],
        ),
        (
            [*SLURM, "hydra.launcher.timeout_min=2"],
            [
                "hydra.launcher.signal_delay_s: a job of 2 minutes is told 120 seconds before its end to save, that is "
                "at its start; lower it"
            ],
        ),
        ([*SLURM, "hydra.launcher.nodes=two"], ["hydra.launcher.nodes: 'two' is not int"]),
        (
            ["seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=0"],
            ["hydra.launcher.n_jobs: 0 jobs at once; set a number, or -1 for one for each core"],
        ),
        (
            ["seed=0,1", "hydra/launcher=ray", *TWO, "hydra.launcher.num_gpus=1"],
            ["hydra.launcher.num_gpus: 1 for trainer.devices=2; set it to 2, or null"],
        ),
        (
            ["seed=0,1", "hydra/launcher=submitit_local", "hydra.launcher.array_parallelism=0"],
            ["hydra.launcher.array_parallelism: no job at once; set at least 1"],
        ),
        (
            ["seed=0,1", "hydra/launcher=joblib", *TWO, "trainer.num_nodes=2"],
            [
                "trainer.num_nodes: nothing has started the processes on 2 machines; "
                "use srun, torchrun or a launcher such as submitit_slurm"
            ],
        ),
    ],
)  # fmt: skip
def test_what_fits_the_jobs(overrides: list[str], expected: list[str]) -> None:
    assert problems(*overrides, multirun=True) == expected


def test_what_a_launcher_needs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    extras = {"submitit", "ray"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in extras else found(name, *rest))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert problems(*SLURM, multirun=True) == [
        "hydra/launcher: submitit_slurm needs submitit; pip install 'babelbatch[slurm]'",
        "hydra/launcher: there is no sbatch on this machine; type the command on a node of the cluster, or try it here "
        "with hydra/launcher=submitit_local",
    ]
    assert problems("seed=0,1", "hydra/launcher=ray", multirun=True) == [
        "hydra/launcher: ray needs ray; pip install 'babelbatch[ray]'"
    ]

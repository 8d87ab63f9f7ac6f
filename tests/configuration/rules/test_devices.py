"""Devices and processes, and how they must have been started."""

import pytest

from babelbatch.configuration.rules import devices
from babelbatch.distributed.gpus import has_no_gpu
from configurations import problems

DDP = ["trainer=ddp", "trainer.devices=2"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (DDP, []),
        (["trainer.devices=[1]"], []),
        (["trainer.devices=[0,1]", "trainer.strategy=ddp"], []),
        (
            ["trainer.devices=2"],
            ["trainer.strategy: 2 devices need the strategy ddp or fsdp, not 'auto'; set trainer=ddp"],
        ),
        (
            ["trainer.devices=2", "trainer.strategy=ddp_spawn"],
            ["trainer.strategy: 2 devices need the strategy ddp or fsdp, not 'ddp_spawn'; set trainer=ddp"],
        ),
        (
            ["trainer.devices=-1"],
            ["trainer.devices: -1 gives no number of devices; set a number, or a list such as [0,2]"],
        ),
        (
            [*DDP, "trainer.devices=4", "sampling.batch_size=3"],
            ["sampling.batch_size: 3 pairs do not give each of 4 devices one; raise it"],
        ),
        (
            [*DDP, "trainer.num_nodes=2"],
            [
                "trainer.num_nodes: nothing has started the processes on 2 machines; "
                "use srun, torchrun or a launcher such as submitit_slurm"
            ],
        ),
    ],
)
def test_several_devices(overrides: list[str], expected: list[str]) -> None:
    assert problems(*overrides) == expected


def test_several_devices_in_a_sweep_need_fresh_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = [*DDP, "seed=0,1"]
    assert problems(*sweep, multirun=True) == [
        "trainer.devices: in a sweep, 2 devices need fresh processes; set hydra/launcher=fresh"
    ]
    assert problems(*sweep, "hydra/launcher=fresh", multirun=True) == []
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert problems(*DDP) == []
    assert problems(*sweep, "hydra/launcher=fresh", multirun=True) == [
        "hydra/launcher: a sweep starts the processes of its jobs itself; type it without torchrun or srun"
    ]
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert problems(*DDP) == ["trainer.devices: 3 processes were started, but trainer.devices times num_nodes is 2"]


def test_srun_must_count_by_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_NTASKS_PER_NODE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_JOB_NAME": "train"}.items():
        monkeypatch.setenv(name, value)
    assert problems(*DDP) == [
        "trainer.devices: srun has the total number of processes only; type srun --nodes=1 --ntasks-per-node=2"
    ]
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    assert problems(*DDP) == []


def test_what_needs_a_gpu_is_refused_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_no_gpu", lambda: True)
    no_gpu = "trainer.accelerator: gpu, but this machine has no GPU; set trainer=default"
    assert problems("trainer=gpu") == [no_gpu]
    assert problems("trainer=gpu", "seed=0,1", multirun=True) == [no_gpu]
    assert problems("trainer.precision=16-mixed") == [
        "trainer.precision: 16-mixed needs a GPU; set trainer.precision=bf16-mixed"
    ]
    device = "device: cuda:1, but this machine has no GPU; set device=auto"
    assert problems("encoder=labse", "device=cuda:1", root="evaluate") == [device]
    assert problems("trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu") == []


def test_the_jobs_of_a_cluster_run_where_there_may_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_no_gpu", lambda: True)
    cfg = {"trainer": {"accelerator": "gpu"}}
    assert list(devices.problems_of_gpu(cfg, "hydra_plugins.hydra_submitit_launcher.SlurmLauncher")) == []
    monkeypatch.setattr(devices, "has_no_gpu", lambda: False)
    assert list(devices.problems_of_gpu(cfg, None)) == []


def test_hidden_gpus_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathlib.Path.exists", lambda path: str(path) == "/dev/nvidiactl")
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    assert not has_no_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert not has_no_gpu()
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert has_no_gpu()

"""Ranks as the environment tells them."""

import pytest

from babelbatch.distributed.ranks import devices_per_node, global_rank, local_rank, ranks_of_step, world_size

VARIABLES = (
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "SLURM_PROCID",
    "SLURM_LOCALID",
    "SLURM_NTASKS",
    "SLURM_STEP_NUM_TASKS",
    "SLURM_JOB_NAME",
)


@pytest.mark.parametrize(
    ("environment", "rank", "size"),
    [
        ({}, 0, None),
        ({"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}, 3, 4),
        ({"LOCAL_RANK": "1"}, 1, None),
        ({"SLURM_PROCID": "2", "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train"}, 2, 4),
        ({"SLURM_PROCID": "2", "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "bash"}, 0, None),
        ({"SLURM_PROCID": "2", "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "interactive"}, 0, None),
        ({"RANK": "1", "WORLD_SIZE": "2", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, 1, 2),
    ],
)
def test_ranks(environment: dict[str, str], rank: int, size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (global_rank(), world_size()) == (rank, size)


def test_the_rank_on_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_LOCALID", "1")
    assert local_rank() == 0  # an allocation without tasks
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_PROCID", "3")
    assert local_rank() == 1
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert local_rank() == 2


def test_the_ranks_of_a_command_in_a_batch_script(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert ranks_of_step() == 1
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_JOB_NAME", "script")
    assert ranks_of_step() == 1  # typed without srun
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    assert ranks_of_step() == 2
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert ranks_of_step() == 3


@pytest.mark.parametrize(
    ("devices", "count"),
    [
        (1, 1), (4, 4), ([0], 1), ([1, 3], 2), ("2", 2), ("0,3", 2), ("1,", 1),
        ("auto", None), (-1, None), (0, None), ("-1", None), ([], None), (True, None), (None, None),
    ],
)  # fmt: skip
def test_devices(devices: object, count: int | None) -> None:
    assert devices_per_node(devices) == count

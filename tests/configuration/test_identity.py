"""What makes two configurations the same run."""

from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.identity import config_hash, differences, group_of, identity, resolved_yaml


def config(**changes: object) -> DictConfig:
    plain = {
        "sampling": {"alpha": 0.5, "languages": ["en", "de"]},
        "trainer": {"max_steps": 5, "log_every_n_steps": 10},
        "callbacks": {"last": {"dirpath": "${output_dir}/checkpoints"}, "progress_bar": {"refresh_rate": 20}},
        "data": {"num_workers": 0},
        "logger": {},
        "name": "mine",
        "seed": 0,
        "output_dir": None,
    }
    cfg = OmegaConf.create(plain)
    for path, value in changes.items():
        OmegaConf.update(cfg, path.replace("__", "."), value, force_add=True)
    return cfg


def test_identity_is_flat_and_resolved() -> None:
    assert identity(config()) == {
        "callbacks.last.dirpath": "<output_dir>/checkpoints",
        "sampling.alpha": 0.5,
        "sampling.languages": ["en", "de"],
        "seed": 0,
        "trainer.max_steps": 5,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"output_dir": "elsewhere"},
        {"output_dir": "/somewhere/else"},
        {"logger__wandb": {"project": "p"}},
        {"name": "yours"},
        {"data__num_workers": 4},
        {"trainer__log_every_n_steps": 1},
        {"callbacks__progress_bar__refresh_rate": 1},
        {"hydra": {"job": {"num": 3}}},
        {"trainer__max_steps": 5.0},
    ],
)
def test_what_cannot_change_the_result_does_not_change_the_hash(changes: dict) -> None:
    assert config_hash(config(**changes)) == config_hash(config())


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"sampling__alpha": 0.25},
        {"sampling__languages": ["de", "en"]},
        {"threads": None},
        {"trainer__max_steps": "5"},
        {"callbacks__last__dirpath": "${output_dir}/elsewhere"},
    ],
)
def test_what_can_change_the_result_changes_the_hash(changes: dict) -> None:
    assert config_hash(config(**changes)) != config_hash(config())


def test_a_settled_configuration_read_back_from_disk_is_the_same_run(tmp_path: Path) -> None:
    settled = config(output_dir=str(tmp_path / "a"))
    (tmp_path / "config.yaml").write_text(resolved_yaml(settled))
    read = OmegaConf.load(tmp_path / "config.yaml")
    assert read.callbacks.last.dirpath == f"{tmp_path}/a/checkpoints"
    assert identity(read) == identity(config())


def test_a_path_that_was_typed_counts_as_typed(tmp_path: Path) -> None:
    """An encoder that lies where the sweep lands, before its jobs have folders and after."""
    sweep = config(output_dir="/runs", encoder={"name_or_path": "/runs/base/encoder"})
    job = config(output_dir="/runs/job", encoder={"name_or_path": "/runs/base/encoder"})
    assert identity(sweep)["encoder.name_or_path"] == "/runs/base/encoder"
    assert identity(sweep) == identity(job) == identity(OmegaConf.create(resolved_yaml(job)))


def test_the_hash_is_pinned() -> None:
    """Finished runs would be run again if it changed."""
    assert config_hash(config()) == "31b371828e61d39475a7d278f3752aaa759d342bd184639d4a1511184260e81d"


def test_differences_name_path_and_both_values() -> None:
    there, here = identity(config()), identity(config(sampling__alpha=0.25, threads=2))
    del here["seed"]
    assert differences(there, here) == [
        "sampling.alpha: 0.5 there, 0.25 here",
        "seed: 0 there, not set here",
        "threads: not set there, 2 here",
    ]
    assert differences(there, there) == []


def test_the_group_of_a_run_is_its_sweep_or_its_experiment(tmp_path: Path) -> None:
    cfg = config()
    assert group_of(cfg, tmp_path / "my_sweep" / f"alpha-0.5_{config_hash(cfg)[:8]}") == "my_sweep"
    assert group_of(cfg, tmp_path / "my_runs" / "first") == "mine"

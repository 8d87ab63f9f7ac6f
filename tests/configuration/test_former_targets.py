"""Runs made by earlier versions: their targets are found where they are today."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from babelbatch.configuration.former_targets import FORMER_TARGETS, load_config
from babelbatch.configuration.identity import config_hash, differences, identity
from babelbatch.configuration.signatures import parameters


@pytest.mark.parametrize(("former", "current"), FORMER_TARGETS.items())
def test_each_former_target_has_a_current_one(former: str, current: str) -> None:
    assert former not in FORMER_TARGETS.values()
    parameters(current)  # raises where there is no such name


def test_the_configuration_of_an_old_run_is_read_as_written_today(tmp_path: Path) -> None:
    old = {
        "data": {"_target_": "babelbatch.data.PairData", "num_workers": 0},
        "encoder": {"_target_": "babelbatch.encoder.tiny"},
        "callbacks": [{"_target_": "babelbatch.telemetry.BatchTelemetry"}],
        "output_dir": "here",
        "place": "${output_dir}",
    }
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(old)))
    cfg = load_config(tmp_path / "config.yaml")
    assert cfg.data == {"_target_": "babelbatch.batches.data_module.PairData", "num_workers": 0}
    assert cfg.encoder._target_ == "babelbatch.encoder.tiny"
    assert cfg.callbacks[0]._target_ == "babelbatch.training.telemetry.BatchTelemetry"
    assert OmegaConf.is_interpolation(cfg, "place")


def test_an_old_run_is_the_run_that_the_same_configuration_is_today() -> None:
    old = OmegaConf.create({"tuning": {"_target_": "babelbatch.tuning.full"}})
    new = OmegaConf.create({"tuning": {"_target_": "babelbatch.training.tuning.full"}})
    assert identity(old) == identity(new)
    assert config_hash(old) == config_hash(new)
    origin = {"tuning._target_": "babelbatch.tuning.full", "the corpus": "abc"}  # as a checkpoint holds it
    assert differences(origin, identity(new) | {"the corpus": "abc"}) == []

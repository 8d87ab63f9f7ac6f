"""Runs made by earlier versions: their targets are found where they are today."""

from pathlib import Path

import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

from babelbatch.configuration.former_targets import FORMER_TARGETS, current_setting
from babelbatch.configuration.identity import config_hash, differences, identity
from babelbatch.configuration.saved import load_config
from babelbatch.configuration.signatures import parameters
from hydra_plugins.babelbatch_launcher.fresh import FreshLauncher

SHIPPED_IN_0_1 = [
    "babelbatch.benchmarks.belebele.load_benchmark",
    "babelbatch.benchmarks.lareqa.load_benchmark",
    "babelbatch.benchmarks.mewsli_x.load_benchmark",
    "babelbatch.benchmarks.miracl.load_benchmark",
    "babelbatch.benchmarks.miracl_hard_negatives.load_benchmark",
    "babelbatch.benchmarks.mlqa.load_benchmark",
    "babelbatch.benchmarks.mr_tydi.load_benchmark",
    "babelbatch.benchmarks.neuclir.load_benchmark",
    "babelbatch.benchmarks.table.load_benchmark",
    "babelbatch.benchmarks.tatoeba.load_benchmark",
    "babelbatch.benchmarks.tydiqa_goldp.load_benchmark",
    "babelbatch.benchmarks.world_facts.load_benchmark",
    "babelbatch.benchmarks.xquad.load_benchmark",
    "babelbatch.callbacks.EvaluateRetrieval",
    "babelbatch.callbacks.ProgressBar",
    "babelbatch.checkpoints.Best",
    "babelbatch.checkpoints.Checkpoint",
    "babelbatch.code_switching.CodeSwitching",
    "babelbatch.corpora.bitext.load_corpus",
    "babelbatch.corpora.lareqa.load_corpus",
    "babelbatch.corpora.mintaka.load_corpus",
    "babelbatch.corpora.miracl.load_corpus",
    "babelbatch.corpora.mixture.load_corpus",
    "babelbatch.corpora.mkqa.load_corpus",
    "babelbatch.corpora.mmarco.load_corpus",
    "babelbatch.corpora.mr_tydi.load_corpus",
    "babelbatch.corpora.pairs.load_corpus",
    "babelbatch.corpora.squad.load_corpus",
    "babelbatch.corpora.squad_shifts.load_corpus",
    "babelbatch.corpora.table.load_corpus",
    "babelbatch.corpora.world_facts.load_corpus",
    "babelbatch.data.PairData",
    "babelbatch.encoder.pretrained",
    "babelbatch.encoder.static",
    "babelbatch.encoder.tiny",
    "babelbatch.evaluation.Evaluation",
    "babelbatch.lexical.BM25",
    "babelbatch.lexical.CharNgrams",
    "babelbatch.loggers.csv_logger",
    "babelbatch.loggers.wandb_logger",
    "babelbatch.loss.Alignment",
    "babelbatch.loss.Contrastive",
    "babelbatch.loss.LanguageKL",
    "babelbatch.loss.Mimo",
    "babelbatch.mining.Mining",
    "babelbatch.sampling.Sampling",
    "babelbatch.scheduler.constant",
    "babelbatch.scheduler.cosine",
    "babelbatch.scheduler.linear",
    "babelbatch.search.Exact",
    "babelbatch.search.HNSW",
    "babelbatch.search.IVF",
    "babelbatch.telemetry.BatchTelemetry",
    "babelbatch.tuning.full",
    "babelbatch.tuning.lora",
    "pytorch_lightning.Trainer",
    "pytorch_lightning.callbacks.EarlyStopping",
    "torch.optim.AdamW",
]
"""Every `_target_` of the configuration files of version 0.1 except Hydra's launcher, below: runs have them in their
config.yaml."""


@pytest.mark.parametrize("target", SHIPPED_IN_0_1)
def test_what_0_1_wrote_is_found_today(target: str) -> None:
    """Whoever renames a class or a module of the configuration adds the former name to the table."""
    _, current = current_setting("_target_", target)
    parameters(str(current))  # raises where there is no such name


def test_the_launcher_of_0_1_is_found_today() -> None:
    """Hydra imports it, from a package whose source several projects share."""
    found = get_class("hydra_plugins.babelbatch_launcher.fresh.FreshLauncher")
    # Not the same object: Hydra's search for plugins may have loaded the module anew.
    assert (found.__module__, found.__qualname__) == (FreshLauncher.__module__, FreshLauncher.__qualname__)


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

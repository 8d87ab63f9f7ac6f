"""What a training run refuses before it loads an encoder, in the line that babelbatch-data prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import nn

from babelbatch.commands import train as training
from babelbatch.commands.refusals import refuse_trained_objective
from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.describe.command import main
from babelbatch.jobs.overrides import force_overrides
from babelbatch.loss import Contrastive
from babelbatch.training.checkpoints import Best

FACTS = ["corpus.languages=[en,de]", "sampling=x_x"]


def run(*typed: str) -> DictConfig:
    register()
    more = ["benchmarks.world_facts.languages=[en,de]", "encoder=static", "logger=csv"]
    overrides = force_overrides([*more, *typed])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides)


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def build_encoder(*_: object) -> None:
        raise AssertionError("an encoder was built")

    monkeypatch.setattr(training, "build_encoder", build_encoder)


@pytest.mark.usefixtures("unloaded")
def test_a_batch_larger_than_a_language_s_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"^corpus: an X-X batch in 'en' needs 100000 items, there are ") as refused:
        training.train(run(*FACTS, "sampling.batch_size=100000"), tmp_path / "run")
    assert str(refused.value).endswith("lower sampling.batch_size or leave the language out of sampling.languages")
    assert main(["corpus=world_facts", *FACTS, "sampling.batch_size=100000"]) == 2
    assert f"  - {refused.value}\n" in capsys.readouterr().out


@pytest.mark.usefixtures("unloaded")
def test_validation_items_that_are_too_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = "data.validation_fraction=0.01"
    rows = [f"{number},{code},Question {number}?,Answer {number}." for number in range(40) for code in ("en", "de")]
    (tmp_path / "pairs.csv").write_text("\n".join(["id,language,question,passage", *rows]))
    table = ["corpus=table", f"corpus.path={tmp_path / 'pairs.csv'}", "sampling=x_x", "sampling.batch_size=4", few]
    benchmark = "benchmarks.world_facts.languages=[en,de]"
    with pytest.raises(ValueError, match=r"^data\.validation_fraction holds out 1 of 40 items, too few ") as refused:
        training.train(run(*table), tmp_path / "run")
    assert main(["experiment=demo", *table, benchmark]) == 2
    assert f"  - {refused.value}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "acting"),
    [
        (["callbacks=early_stopping"], "callbacks.best, callbacks.early_stopping never act"),
        (["callbacks.evaluate.during_training=true"], "callbacks.evaluate.during_training never acts"),
    ],
)
def test_what_acts_at_validations_where_no_item_is_held_out(tmp_path: Path, typed: list[str], acting: str) -> None:
    """A hundredth of a percent of these passages is no item. Until training was over, nothing said so."""
    rows = [f"{number},{code},Question {number}?,Answer {number}." for number in range(8) for code in ("en", "de")]
    (tmp_path / "pairs.csv").write_text("\n".join(["id,language,question,passage", *rows]))
    table = ["corpus=table", f"corpus.path={tmp_path / 'pairs.csv'}", "sampling=x_x", "sampling.batch_size=2"]
    table += ["data.validation_fraction=0.0001", "train_on_test=true", f"output_dir={tmp_path / 'run'}"]
    message = (
        f"data.validation_fraction: it holds no item out of this corpus, so nothing is validated, and {acting}; raise "
        "it, or set callbacks=default without during_training"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        training.train(run(*table, *typed), tmp_path / "run")


def test_best_weights_that_nothing_chose(tmp_path: Path) -> None:
    """As with a callback of one's own: their folder, or the current one, is not called damaged."""
    best = Best(str(tmp_path), "validation/loss", "min")
    message = (
        "callbacks.best: no validation measured validation/loss, so no weights are the best and none were evaluated; "
        f"the last ones are in {tmp_path}: evaluate them with babelbatch-evaluate checkpoint="
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        training.load_best(nn.Identity(), pl.Trainer(logger=False, enable_checkpointing=False), best)


class _OwnObjective(Contrastive):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))


def test_an_own_objective_with_weights_is_not_trained_by_fsdp() -> None:
    line = "loss: _OwnObjective trains weights of its own, and fsdp only those of the encoder; set trainer=ddp"
    sharded = run("trainer=fsdp")
    with pytest.raises(ValueError, match=line):
        refuse_trained_objective(sharded, _OwnObjective())
    refuse_trained_objective(sharded, Contrastive())
    refuse_trained_objective(run("trainer=ddp"), _OwnObjective())

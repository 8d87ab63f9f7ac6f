"""A configuration's problems: all at once, with path and remedy, before torch is imported."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from babelbatch.configuration.check import check
from babelbatch.configuration.schema import (
    ConfigError,
    register,
)
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.plan import check_jobs
from configurations import problems
from processes import python


def test_reports_every_problem_at_once() -> None:
    found = problems(
        "sampling=hybird",
        "seed=x",
        "sampling.alhpa=0.5",
        "samplign.alpha=0.5",
        "encoder.pooling=maxx",
        "optimizer.lr=fast",
        "loss._target_=babelbatch.loss.Contrastiv",
        "callbacks.evalute.during_training=true",
        "trainer.devices=auto",
    )
    assert found == [
        "sampling: no option 'hybird', did you mean 'hybrid'? "
        "(there are: en_x, english, hybrid, mixed, schedule, sequential, sequential_reversed, steps, x_en, x_x, x_y)",
        "seed: Value 'x' of type 'str' could not be converted to Integer",
        "samplign: no such key, did you mean 'sampling'?",
        "callbacks.evalute: not among the chosen callbacks (evaluate, telemetry, checkpoint, progress_bar), "
        "did you mean 'callbacks.evaluate'?",
        "sampling.alhpa: Sampling takes no such argument, did you mean 'sampling.alpha'?",
        "encoder.pooling: 'maxx' is not one of 'cls', 'mean', 'pooler', 'max', 'last', 'weighted_mean', "
        "'mean_sqrt_length'",
        "loss._target_: 'babelbatch.loss' has no 'Contrastiv', did you mean 'Contrastive'?",
        "optimizer.lr: 'fast' is not float or Tensor",
        "trainer.devices: 'auto' gives no number of devices; set a number, or a list such as [0,2]",
    ]


def test_a_key_without_its_group_gets_the_whole_path_as_suggestion() -> None:
    assert problems("alpha=0.3", "batch_size=3", "lr=1e-3", "temperature=", "languages=[en]", "temprature=1") == [
        "alpha: no such key, did you mean 'sampling.alpha'?",
        "batch_size: no such key, did you mean 'sampling.batch_size'?",
        "lr: no such key, did you mean 'optimizer.lr'?",
        "temperature: no such key, did you mean 'loss.temperature'?",
        "languages: no such key, did you mean 'corpus.languages' or 'sampling.languages' or "
        "'benchmarks.world_facts.languages'?",
        "temprature: no such key, did you mean 'loss.temperature'?",
    ]
    assert problems("sampling.lr=1", "model.name_or_path=x", "seeds=1", "zebra=x", "encoder=xlmr_base") == [
        "model: no such key, did you mean 'encoder.name_or_path'?",
        "seeds: no such key, did you mean 'seed'?",
        "zebra: no such key",
        "sampling.lr: Sampling takes no such argument, did you mean 'optimizer.lr'?",
    ]


def test_a_typo_in_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nsead: 7\nloss:\n  temprature: 0.1\n")
    register()
    with pytest.raises(ConfigError) as caught:
        check_jobs("train", ["experiment=mine"], multirun=False, config_dir=str(tmp_path))
    assert caught.value.problems == [
        "experiment: In 'experiment/mine': ConfigKeyError raised while composing config: "
        "Key 'sead' not in 'TrainConfig'"
    ]


def test_missing_argument() -> None:
    cfg = OmegaConf.create({"sampling": {"_target_": "babelbatch.sampling.Sampling", "alpha": 1.0}})
    with pytest.raises(ConfigError, match=r"sampling\.name: missing; Sampling needs it"):
        _check_partial(cfg)


def _check_partial(cfg: object) -> None:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        whole = compose("train")
    OmegaConf.set_struct(whole, False)
    whole.sampling = cfg.sampling
    check(whole, "train")


@pytest.mark.parametrize("typed", ["sampling.alhpa=1", "--help"])
def test_neither_help_nor_an_error_waits_for_slow_imports(typed: str) -> None:
    slow = {"torch", "pytorch_lightning", "transformers", "numpy", "babel", "lightning_utilities"}
    script = (
        f"import sys\nfrom babelbatch.cli import train\nsys.argv = ['babelbatch-train', {typed!r}]\n"
        f"try:\n    train()\nexcept SystemExit:\n    pass\nprint({slow} & sys.modules.keys())"
    )
    assert python(script).stdout.splitlines()[-1] == "set()"


def test_an_error_has_its_code_and_its_lines() -> None:
    script = (
        "import sys\n"
        "from babelbatch.cli import train\n"
        "sys.argv = ['babelbatch-train', 'sampling.alhpa=1']\n"
        "try:\n    train()\n"
        "except SystemExit as stop:\n    print(stop.code)\n"
    )
    done = python(script)
    assert done.stdout.strip() == "2"
    assert done.stderr == (
        "babelbatch: checking the configuration\n"
        "babelbatch: the configuration cannot be run:\n"
        "  - sampling.alhpa: Sampling takes no such argument, did you mean 'sampling.alpha'?\n"
    )


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["trainer.precision=bf"], None),
        (["name=${sampling.nmae}"], "Interpolation key 'sampling.nmae' not found"),
        (
            ["encoder=local"],
            "encoder.name_or_path: missing; set it to a folder or hub name (to evaluate a run: set checkpoint)",
        ),
        (
            ["loss=mimo"],
            "loss.teacher.name_or_path: missing; set teacher to the folder or hub name of an encoder to learn from",
        ),
        (["loss=alignment", "loss.sides=all"], "loss.sides: 'all' is not one of 'queries', 'passages', 'both'"),
        (["evaluation.index=ivf"], "evaluation.index: 'ivf' is not Exact or IVF or HNSW or None"),
        (["seed=[1"], None),
        (["evaluation.debias=center"], "evaluation.debias: 'center' is not one of 'none', 'centre', 'lir'"),
    ],
)
def test_one_problem(overrides: list[str], expected: str | None) -> None:
    found = problems(*overrides)
    assert len(found) >= 1
    if expected is not None:
        assert expected in found


def test_what_may_be_said() -> None:
    watched = ["callbacks=early_stopping", "callbacks.evaluate.during_training=true"]
    for metric in (
        "multilingual/map@20/de",
        "crosslingual/recall@1/de-zh",
        "multilingual/rank_distance",
        "monolingual/map",
        "monolingual/ndcg@10",
        "multilingual/mrc@10/de",
    ):
        assert problems(*watched, f"monitor=world_facts/{metric}") == []
    assert problems("evaluation.debias=lir", "evaluation.components=3", "evaluation.vector_cache=true") == []
    assert problems("evaluation.trec_files=true", "evaluation.trec_depth=10") == []
    assert problems("evaluation=search", "index@evaluation.index=hnsw", "evaluation.index.search=200") == []
    assert problems(*watched, "evaluation=search", "monitor=world_facts/multilingual/ndcg@10") == []
    assert problems(*watched[1:], "evaluation.sample_queries=50") == []
    assert problems("trainer.devices=[1]", "data.validation_fraction=0", "output_dir=x/${hydra:job.num}") == []
    assert problems("sampling.alpha=range(0,1.1,0.5)", "sampling=glob(h*)", multirun=True) == []

"""All jobs of a command, checked before the first one starts."""

from pathlib import Path

import pytest

from babelbatch.configuration.schema import (
    ConfigError,
    register,
)
from babelbatch.jobs import plan
from babelbatch.jobs.overrides import force_overrides
from babelbatch.jobs.plan import check_jobs, experiment_sweep
from babelbatch.progress import Work
from configurations import problems


def test_composition_and_objective_are_crossed(tmp_path: Path) -> None:
    register()
    (tmp_path / "config.json").write_text("{}")  # as a teacher's folder has it
    crossed = ["sampling=x_x,x_y,hybrid", "loss=contrastive,language_kl,alignment,mimo", f"teacher={tmp_path}"]
    assert len(check_jobs("train", force_overrides(crossed), multirun=True)) == 12
    assert problems(*crossed, multirun=True) == []


@pytest.mark.parametrize(
    ("params", "typed", "left"),
    [
        ({"corpus": "world_facts,lareqa", "seed": "0,1"}, ["corpus@validation=squad_shifts"], ["corpus", "++seed"]),
        ({"corpus@validation": "squad_shifts,lareqa"}, ["corpus=lareqa"], ["corpus@validation"]),
        ({"corpus@validation": "squad_shifts,lareqa"}, ["corpus@validation=mkqa"], []),
        ({"language_fraction.id": "1.0,0.1"}, ["language_fraction={id: 0.5}"], []),
        ({"language_fraction.id": "1.0,0.1"}, ["language_fraction={id: 0.5},{id: 0.3}"], []),
        ({"language_fraction.id": "1.0,0.1"}, ["++language_fraction.id=0.5"], []),
        ({"language_fraction.id": "1.0,0.1"}, ["language_fraction.vi=0.5"], ["++language_fraction.id"]),
        ({"language_fraction": "{id: 1},{id: 0.1}"}, ["language_fraction.vi=0.5"], ["++language_fraction"]),
        ({"language_fraction.id": "1.0,0.1"}, ["language_fraction={vi: 0.5}"], ["++language_fraction.id"]),
        ({"a.b.c": "1,2"}, ["a={b: {d: 1}}"], ["++a.b.c"]),
        ({"a.b.c": "1,2"}, ["a={b: {c: 3}}"], []),
        ({"sampling.alpha": "0,0.5"}, ["sampling=hybrid"], ["++sampling.alpha"]),
        ({"sampling.alpha": "0,0.5"}, ["sampling.alpha_end=1"], ["++sampling.alpha"]),
        ({"sampling": "x_x,x_y"}, ["sampling.batch_size=8"], ["sampling"]),
        ({"transform.probability": "0.1,0.5"}, ["transform=null"], []),
        ({"transform.probability": "0.1,0.5"}, ["~transform"], []),
    ],
)
def test_what_is_left_of_an_experiments_sweep(
    monkeypatch: pytest.MonkeyPatch, params: dict[str, str], typed: list[str], left: list[str]
) -> None:
    """A typed key wins over the same key, in whatever form; another one leaves the sweep alone."""
    register()
    monkeypatch.setattr(plan, "_sweeper_params", lambda root, overrides: params)
    *added, last = experiment_sweep("train", typed)
    assert last == "hydra.sweeper.params=null"
    assert [each.partition("=")[0] for each in added] == left


def test_a_typed_key_that_an_experiments_sweep_would_overwrite(monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    swept = {"language_fraction": "{id: 1.0},{id: 0.1}"}
    monkeypatch.setattr(plan, "_sweeper_params", lambda root, overrides: swept)
    with pytest.raises(ConfigError) as refused:
        experiment_sweep("train", ["language_fraction.id=0.5", "seed=1"])
    assert refused.value.problems == [
        "language_fraction.id: the experiment sweeps over language_fraction, which has this key; set language_fraction "
        "whole, or leave it out"
    ]


def test_the_check_of_many_jobs_is_shown(works: list[Work]) -> None:
    register()
    check_jobs("train", force_overrides(["sampling=x_x,x_y", "seed=0,1"]), multirun=True)
    assert [(work.description, work.done, work.total) for work in works] == [("checking the configuration", 4, 4)]


def test_a_sweep_is_checked_whole() -> None:
    assert problems("sampling.alpha=0,2,3", "seed=0,1", multirun=True) == [
        "sampling.alpha: 2 is not between 0 and 1",
        "sampling.alpha: 3 is not between 0 and 1",
    ]


def test_an_experiments_own_sweep_is_checked_whole(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    file = tmp_path / "experiment" / "question.yaml"
    lines = ["# @package _global_", "hydra:", "  sweeper:", "    params:", "      sampling: x_x,x_y", "      seed: 0,1"]
    file.write_text("\n".join(lines))
    planned = check_jobs("train", ["experiment=question"], multirun=True, config_dir=str(tmp_path))
    assert len(planned) == 4
    typed = ["experiment=question", "++seed=1,2,3"]
    assert experiment_sweep("train", typed, str(tmp_path)) == ["sampling=x_x,x_y", "hydra.sweeper.params=null"]
    other = check_jobs("train", typed, multirun=True, config_dir=str(tmp_path))
    assert len(other) == 6
    assert len(set(other) & set(planned)) == 2  # seed 1 of both
    assert experiment_sweep("train", ["++seed=0,1"]) == []
    with pytest.raises(ConfigError, match="experiment: question defines a sweep; run it in a command of its own"):
        experiment_sweep("train", ["experiment=question,demo"], str(tmp_path))
    file.write_text("\n".join([*lines, "      sampling.alpha: 1"]))
    with pytest.raises(ConfigError, match=r"sampling\.alpha: x_y means alpha 0; to mix, set sampling=hybrid"):
        check_jobs("train", ["experiment=question"], multirun=True, config_dir=str(tmp_path))

"""`--cfg full`: every default, as YAML that can be typed back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from babelbatch.configuration.schema import ConfigError, register
from babelbatch.jobs.full import full_yaml, is_full, print_full
from babelbatch.jobs.offered import groups_of, offering, without_shared
from babelbatch.jobs.overrides import force_overrides


@pytest.fixture(autouse=True)
def registered() -> None:
    register()


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path, node


def full(*typed: str, root: str = "train") -> dict[str, Any]:
    values = yaml.safe_load(full_yaml(root, ["--cfg", "full", *typed]))
    values.pop("defaults", None)
    return values


def test_defaults_of_the_arguments_are_shown() -> None:
    found = dict(leaves(full("experiment=demo", "loss.temperature=0.02")))
    expected = {
        "sampling.batch_size": 128, "sampling.pair_exponent": 0.0, "sampling.languages": None, "loss.symmetric": False,
        "loss.temperature": 0.02, "data.validation_fraction": 0.05, "corpus.negatives": 0, "trainer.max_tokens": None,
        "optimizer.betas": [0.9, 0.999], "callbacks.checkpoint.every_minutes": 10.0, "evaluation.debias": "none",
        "benchmarks.world_facts.held_out": 0.2,
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected
    assert "evaluation.trec_depth" not in found  # nothing is written that it could apply to
    assert "trainer.callbacks" not in found  # the run gives them


@pytest.mark.parametrize(
    "typed",
    [
        ["experiment=demo"],
        ["experiment=mlqa_r", "encoder=xlmr_base", "sampling=x_y", "trainer=ddp", "trainer.devices=2"],
        ["corpus=mixture", "+corpus@corpus.parts.a=nq", "+corpus@corpus.parts.b=world_facts", "sampling=x_x"],
        ["experiment=study/hybrid", "benchmarks=[tatoeba,miracl_hard_negatives]", "corpus@validation=squad_shifts",
         "data.validation_fraction=0"],
    ],
)  # fmt: skip
def test_an_experiment_of_it_is_the_same_run(typed: list[str], tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    text = full_yaml("train", ["--cfg", "full", *typed])
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    assert full("--config-dir", str(tmp_path), "experiment=mine") == full(*typed)


def test_each_line_can_be_typed() -> None:
    found = full("experiment=demo")
    typed = [
        f"{path}={json.dumps(value)}" if not isinstance(value, dict) else f"{path}={{}}"
        for path, value in leaves(found)
        if not path.endswith(("_target_", "_partial_")) and path not in ("transform", "corpus", "validation")
    ]
    assert full("experiment=demo", *typed) == found


def test_other_commands() -> None:
    found = dict(leaves(full("encoder.name_or_path=m", "benchmarks=xquad_r", root="evaluate")))
    assert (found["device"], found["encoder.pooling"], found["benchmarks.xquad_r.data_dir"]) == ("auto", None, None)
    assert dict(leaves(full("encoder.name_or_path=m", "corpus=nq", root="mine")))["mining.last_rank"] == 100


def test_how_it_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    for typed in (["--cfg", "full"], ["--cfg=full"], ["-c", "full"], ["a=1", "-c", "full"]):
        assert is_full(typed)
    assert not is_full(["--cfg", "job", "full"])
    assert not is_full(["name=full"])
    assert print_full("train", ["--cfg", "full", "sampling.alpha=2"]) == 2
    assert capsys.readouterr().err.endswith("  - sampling.alpha: 2 is not between 0 and 1\n")
    with pytest.raises(ConfigError, match="encodr: no such key, did you mean 'encoder'"):
        full_yaml("train", ["--cfg=full", "encodr=labse"])


def test_the_groups_of_a_command() -> None:
    assert "sampling" in groups_of("train")
    assert groups_of("mine") == {"encoder", "corpus", "mining", "index", "hydra"}
    assert groups_of("evaluate") == {"encoder", "benchmarks", "evaluation", "logger", "index", "hydra"}


def test_files_that_experiments_begin_with_are_no_experiments() -> None:
    assert without_shared("experiment/paper", ["settings", "xlmr_x_x"]) == ["xlmr_x_x"]
    assert without_shared("experiment", ["demo", "paper/settings", "paper/x"]) == ["demo", "paper/x"]
    assert without_shared("corpus", ["settings"]) == ["settings"]


def test_hydras_lists_are_whole_again_afterwards() -> None:
    """In one process a later command has its own groups."""
    typed = ["sampling=x_x", "corpus=nq", "seed=1"]
    assert force_overrides(typed) == ["sampling=x_x", "corpus=nq", "++seed=1"]
    within = []
    with suppress(KeyError), offering("mine", helps=True):
        within = force_overrides(typed)
        raise KeyError
    assert within == ["++sampling=x_x", "corpus=nq", "++seed=1"]
    assert force_overrides(typed) == ["sampling=x_x", "corpus=nq", "++seed=1"]

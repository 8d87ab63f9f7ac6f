"""What a job of a sweep takes over from the job before, and when it must not."""

from __future__ import annotations

import json
import os
import weakref
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from babelbatch.commands.kept import Kept, description_of
from babelbatch.encoder import save, static
from commands import run_forked


class Value:
    """That something else can refer to weakly."""


def test_the_last_value_is_made_once() -> None:
    kept: Kept[Value] = Kept()
    first = kept.get("a", Value)
    assert kept.get("a", Value) is first
    assert kept.get("b", Value) is not first
    assert kept.get("a", Value) is not first


def test_what_nothing_describes_is_always_made() -> None:
    kept: Kept[Value] = Kept()
    assert kept.get(None, Value) is not kept.get(None, Value)


def test_the_last_value_is_released_before_another_is_made() -> None:
    kept: Kept[Value] = Kept()
    last = weakref.ref(kept.get("a", Value))

    def make() -> Value:
        assert last() is None
        return Value()

    assert isinstance(kept.get("b", make), Value)


def test_a_value_that_could_not_be_made_is_not_kept() -> None:
    kept: Kept[Value] = Kept()

    def fail() -> Value:
        raise ValueError("not there")

    for _ in range(2):
        with pytest.raises(ValueError, match="not there"):
            kept.get("a", fail)
    assert isinstance(kept.get("a", Value), Value)


def test_a_description_has_the_settings_and_the_files(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    weights = tmp_path / "model" / "weights"
    node = OmegaConf.create({"path": str(tmp_path / "model"), "prompts": {"a": "Instruct: " + 300 * "long "}, "k": 1})

    def written(content: str) -> object:
        weights.write_text(content)
        os.utime(weights, ns=(1, 1))
        return description_of(node)

    before = written("one")
    assert written("one") == before
    assert written("three") != before
    assert written("one") == before
    os.utime(weights, ns=(1, 2))
    assert description_of(node) != before
    written("one")
    (tmp_path / "model" / "more").touch()
    assert description_of(node) != before
    (tmp_path / "model" / "more").unlink()
    assert description_of(OmegaConf.merge(node, {"prompts": {"a": "Query:"}})) != before
    assert description_of(OmegaConf.merge(node, {"k": 2})) != before
    assert description_of(node) == before


def test_the_user_s_code_is_not_described() -> None:
    node = OmegaConf.create({"own": {"_target_": "letters.load"}, "facts": {"_target_": "babelbatch.benchmarks.table"}})
    assert description_of(node) is None
    assert description_of(node.facts) is not None


def test_a_sweep_reads_encoder_and_benchmark_once(tmp_path: Path) -> None:
    words = ["What is the currency of", "Welche Sprache", "Peru", "Euro", "query passage : ?"]
    save(static(words, vocab_size=60, hidden_size=8), tmp_path / "model")
    typed = ["encoder.name_or_path=model", "benchmarks.world_facts.languages=[en,de]", "logger=csv"]
    run_forked("babelbatch-evaluate", "-m", *typed, "evaluation.debias=centre,none", cwd=tmp_path)
    logs = [file.read_text() for file in tmp_path.glob("multirun/*/*/evaluate.log")]
    assert len(logs) == 2
    assert sum(log.count("reading benchmark world_facts") for log in logs) == 1
    assert sum(log.count("loading the encoder model") for log in logs) == 1

    run_forked("babelbatch-evaluate", *typed, "evaluation.debias=none", "output_dir=alone", cwd=tmp_path)
    jobs = {_metrics(file.parent)["evaluation"]: file for file in tmp_path.glob("multirun/*/*/metrics.json")}
    assert jobs.keys() == {"centre", "none"}
    alone, second = _metrics(tmp_path / "alone"), _metrics(jobs["none"].parent)
    assert {key for key in alone.keys() | second.keys() if alone.get(key) != second.get(key)} <= {"name", "config_hash"}


def _metrics(folder: Path) -> dict[str, object]:
    """Of a run, without times; its kind of evaluation under "evaluation"."""
    found = json.loads((folder / "metrics.json").read_text())
    debias = OmegaConf.load(folder / "config.yaml").evaluation.debias
    return {key: value for key, value in found.items() if not key.startswith("seconds")} | {"evaluation": debias}

"""What a job of a sweep takes over from the job before, and when it must not."""

from __future__ import annotations

import copy
import gc
import json
import os
import weakref
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from transformers import Qwen3Config, Qwen3Model

from babelbatch.commands.evaluate import described_encoder, encoder_state
from babelbatch.commands.kept import Kept, description_of
from babelbatch.encoder import Encoder, save, static
from babelbatch.encoder.model import Settings
from babelbatch.lexical import Lexical
from babelbatch.records import Padded
from commands import run_forked


class Value:
    """Something that a weak reference can point to, and that only the collector of garbage releases."""

    def __init__(self) -> None:
        self.own = self


def test_the_last_value_is_made_once(caplog: pytest.LogCaptureFixture) -> None:
    kept: Kept[Value] = Kept("the value")
    with caplog.at_level("INFO"):
        first = kept.get("a", Value)
        assert not caplog.messages
        assert kept.get("a", Value) is first
    assert caplog.messages == ["the value is that of the job before, whose log has what there is to say about it"]
    assert kept.get("b", Value) is not first
    assert kept.get("a", Value) is not first


def test_what_nothing_describes_is_made_and_not_kept() -> None:
    kept: Kept[Value] = Kept("the value")
    first = weakref.ref(kept.get(None, Value))
    gc.collect()
    assert first() is None
    assert isinstance(kept.get(None, Value), Value)


def test_the_last_value_is_released_before_another_is_made() -> None:
    kept: Kept[Value] = Kept("the value")
    last = weakref.ref(kept.get("a", Value))

    def make() -> Value:
        assert last() is None
        return Value()

    gc.disable()
    try:
        assert isinstance(kept.get("b", make), Value)
    finally:
        gc.enable()


def test_a_value_that_has_changed_is_made_again() -> None:
    kept: Kept[list[int]] = Kept("the value", state=sum)
    first = kept.get("a", lambda: [1, 2])
    assert kept.get("a", list) is first
    first.append(3)
    assert kept.get("a", lambda: [1, 2]) == [1, 2]


def test_a_value_that_could_not_be_made_is_not_kept() -> None:
    kept: Kept[Value] = Kept("the value")

    def fail() -> Value:
        raise ValueError("not there")

    for _ in range(2):
        with pytest.raises(ValueError, match="not there"):
            kept.get("a", fail)
    assert isinstance(kept.get("a", Value), Value)


def written(file: Path, content: str, time: int = 1) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    os.utime(file, ns=(time, time))


def test_a_description_has_the_settings_and_the_files(tmp_path: Path) -> None:
    model = tmp_path / "model"
    weights, linked = model / "weights", tmp_path / "elsewhere" / "pooling"
    prompts = {"a": "Instruct: " + 300 * "long "}  # longer than a file name may be
    node = OmegaConf.create({"path": str(model), "prompts": prompts, "k": 1})
    written(weights, "one")
    written(linked, "mean")
    (model / "1_Pooling").symlink_to(linked.parent)
    (linked.parent / "back").symlink_to(model)
    before = description_of(node)
    assert description_of(node) == before

    for file, content, time in ((weights, "three", 1), (weights, "one", 2), (linked, "first", 1)):
        old = file.read_text()
        written(file, content, time)
        assert description_of(node) != before
        written(file, old)
        assert description_of(node) == before
    (model / "more").touch()
    assert description_of(node) != before
    (model / "more").unlink()
    for key, value in (("k", 2), ("prompts", {"a": "Query:"}), ("prompts", {}), ("prompts", None), ("other", {})):
        changed = node.copy()
        changed[key] = value
        assert description_of(changed) != before


def test_the_user_s_code_is_not_described() -> None:
    node = OmegaConf.create({"own": {"_target_": "letters.load"}, "facts": {"_target_": "babelbatch.benchmarks.table"}})
    assert description_of(node) is None
    assert description_of(node.facts) is not None


def run_folder(place: Path) -> Path:
    for name in ("config.yaml", "metrics.json", "encoder/config.json", "encoder/weights", "checkpoints/step-1.ckpt"):
        written(place / name, "{}")
    return place


@pytest.mark.parametrize(
    ("checkpoint", "read"),
    [
        ("run", ["encoder/weights", "encoder/config.json"]),
        ("run/encoder", ["encoder/weights", "encoder/config.json"]),
        ("run/checkpoints/step-1.ckpt", ["checkpoints/step-1.ckpt", "encoder/config.json", "config.yaml"]),
    ],
)
def test_a_checkpoint_is_described_by_what_is_read_of_it(checkpoint: str, read: list[str], tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    cfg = OmegaConf.create({"checkpoint": str(tmp_path / checkpoint), "device": None, "evaluation": {}})
    before = described_encoder(cfg)
    for file in read:
        written(run / file, "{ }")
        assert described_encoder(cfg) != before
        written(run / file, "{}")
        assert described_encoder(cfg) == before
    written(run / "evaluations" / "a" / "metrics.json", "{}")  # a job may write there
    assert described_encoder(cfg) == before
    assert described_encoder(OmegaConf.merge(cfg, {"device": "cpu"})) != before
    assert described_encoder(OmegaConf.merge(cfg, {"evaluation": {"_target_": "letters.Evaluation"}})) is None


def test_an_adapter_is_not_described(tmp_path: Path) -> None:
    """The model that it is for may be in another folder."""
    node = {"_target_": "babelbatch.encoder.pretrained", "name_or_path": str(tmp_path)}
    cfg = OmegaConf.create({"checkpoint": None, "encoder": node, "device": None, "evaluation": {}})
    assert described_encoder(cfg) is not None
    (tmp_path / "adapter_config.json").touch()
    assert described_encoder(cfg) is None


def test_a_file_that_is_no_checkpoint_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder above it, which may be the whole disk, is not gone through."""
    places: list[str] = []
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda place, **how: places.append(str(place)) or walk(place, **how))
    described_encoder(OmegaConf.create({"checkpoint": "/etc/hostname", "device": None, "evaluation": {}}))
    assert sorted(places) == ["/config.yaml", "/encoder", "/etc/hostname"]


def test_an_encoder_that_changes_while_it_runs_is_not_kept() -> None:
    """Positions that are scaled by the longest text so far."""
    scaled = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Qwen3Config(
        **sizes, head_dim=8, num_key_value_heads=1, vocab_size=20, max_position_embeddings=16, rope_parameters=scaled
    )
    encoder = Encoder(Qwen3Model(config), tokenizer=None, settings=Settings(pooling="last")).eval()
    kept: Kept[Encoder | Lexical] = Kept("the encoder", encoder_state)
    assert kept.get("model", lambda: encoder) is encoder
    for tokens, is_kept in ((12, True), (40, False)):
        ids = torch.ones((1, tokens), dtype=torch.int64)
        with torch.inference_mode():
            encoder(Padded(ids, torch.ones_like(ids)), "query")
        assert (kept.get("model", lambda: copy.deepcopy(encoder)) is encoder) == is_kept


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

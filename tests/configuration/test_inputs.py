"""Data that changed at a place that did not: what tells versions apart, and that no finished run hides a change."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from babelbatch.configuration import inputs
from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.inputs import changed_inputs, input_versions
from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.job import skip_finished
from babelbatch.jobs.outcome import FINISHED_EARLIER
from babelbatch.jobs.overrides import force_overrides
from commands import SMALL, metrics, run_forked


@pytest.fixture
def cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DictConfig:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.jsonl").write_text("one")
    (tmp_path / "muse").mkdir()
    (tmp_path / "muse" / "en-de.txt").write_text("dog Hund")
    (tmp_path / "squad" / "nested").mkdir(parents=True)
    (tmp_path / "squad" / "nested" / "en.json").write_text("{}")
    register()
    typed = [
        "corpus=table", "corpus.path=train.jsonl", "transform=code_switching", "transform.dictionaries=muse",
        "benchmarks=[lareqa]", "benchmarks.lareqa.data_dir=squad", "logger=none",
    ]  # fmt: skip
    overrides = force_overrides(typed)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides)


def finish(cfg: DictConfig, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps({"config_hash": config_hash(cfg)} | input_versions(cfg)))


def test_every_named_file_is_signed(cfg: DictConfig) -> None:
    assert set(input_versions(cfg)) == {
        "inputs/corpus.path/train.jsonl",
        "inputs/transform.dictionaries/en-de.txt",
        "inputs/benchmarks.lareqa.data_dir/nested/en.json",
    }


def test_a_change_is_named_and_refused(cfg: DictConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    finish(cfg, folder)
    assert skip_finished(cfg, folder) == FINISHED_EARLIER
    (tmp_path / "train.jsonl").write_text("two")  # as long as before
    (tmp_path / "muse" / "en-de.txt").unlink()
    (tmp_path / "squad" / "de.json").write_text("{}")
    before = config_hash(cfg)
    end = skip_finished(cfg, folder)
    taken = f"{folder} was finished with other data; to run it again, remove it or set another output_dir"
    assert (end.state, end.code, end.reason) == ("failed", 2, taken)
    assert capsys.readouterr().err.splitlines()[1:] == [
        f"  - {taken}",
        "  - benchmarks.lareqa.data_dir/de.json (new)",
        "  - corpus.path/train.jsonl (changed)",
        "  - transform.dictionaries/en-de.txt (gone)",
    ]
    assert config_hash(cfg) == before


def test_a_run_that_wrote_no_inputs_down_counts_as_before(cfg: DictConfig, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"config_hash": config_hash(cfg)}))
    assert changed_inputs(cfg, tmp_path) == []
    assert skip_finished(cfg, tmp_path) == FINISHED_EARLIER


def test_what_is_no_change_of_the_data(cfg: DictConfig, tmp_path: Path) -> None:
    """A checkout or a copy has new times; runs, notes and hidden files beside the data are none of them; and a link
    that leads back up ends."""
    finish(cfg, tmp_path / "run")
    os.utime(tmp_path / "train.jsonl", (1, 1))
    squad = tmp_path / "squad"
    for name in ("multirun/mine/a/config.yaml", "multirun/mine/a/metrics.json", "multirun/mine/a/csv/metrics.csv",
                 "multirun/mine/multirun.yaml", ".cache/x.json", ".DS_Store", "README.md"):  # fmt: skip
        (squad / name).parent.mkdir(parents=True, exist_ok=True)
        (squad / name).write_text("x")
    (squad / "nested" / "up").symlink_to(squad)
    assert changed_inputs(cfg, tmp_path / "run") == []


def test_large_files_are_not_read(cfg: DictConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "_HASHED", 2)
    monkeypatch.setattr(inputs, "sha256_of", lambda path: pytest.fail(path) if "train" in path else "")
    finish(cfg, tmp_path / "run")
    os.utime(tmp_path / "train.jsonl", (1, 1))
    assert changed_inputs(cfg, tmp_path / "run") == ["corpus.path/train.jsonl (changed)"]


@pytest.mark.slow
def test_trained_edited_and_typed_again(tmp_path: Path) -> None:
    rows = [
        {"id": f"q{n}", "language": language, "question": f"{language} asks {n}", "passage": f"{language} says {n}"}
        for n in range(60) for language in ("en", "de", "zh")
    ]  # fmt: skip
    table = tmp_path / "train.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    typed = ["corpus=table", "corpus.path=train.jsonl", *SMALL, "encoder.vocab_size=300", "logger=none"]
    run_forked("babelbatch-train", *typed, "output_dir=out", cwd=tmp_path)
    assert "inputs/corpus.path/train.jsonl" in metrics(tmp_path / "out")
    assert "was finished already" in run_forked("babelbatch-train", *typed, "output_dir=out", cwd=tmp_path).stdout
    table.write_text(table.read_text().replace("en asks 7", "en begs 7"))
    again = run_forked("babelbatch-train", *typed, "output_dir=out", cwd=tmp_path, code=2)
    assert "corpus.path/train.jsonl (changed)" in again.stderr
    run_forked("babelbatch-train", *typed, "output_dir=fresh", cwd=tmp_path)
    there, here = (metrics(tmp_path / name)["fingerprint/corpus"] for name in ("out", "fresh"))
    assert there != here

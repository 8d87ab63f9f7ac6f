"""A finished run of an own loader whose code or data have changed since."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from babelbatch.commands import own_records
from babelbatch.commands.data import build_benchmarks, build_corpus
from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.inputs import input_versions
from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.job import skip_finished
from babelbatch.jobs.outcome import FINISHED_EARLIER
from babelbatch.jobs.overrides import force_overrides

LOADER = """
import json
from pathlib import Path

from babelbatch.benchmarks.from_rows import Judgement, Text, benchmark_from_rows
from babelbatch.corpora.from_pairs import Pair, corpus_from_pairs


class Letters:
    def __new__(cls):
        return corpus_from_pairs("letters", [Pair(*row) for row in json.loads(Path("secret").read_text())])


def benchmark():
    rows = json.loads(Path("judged").read_text())
    return benchmark_from_rows(
        "letters",
        queries=[Text(f"q{id_}", language, query) for id_, language, query, _ in rows],
        candidates=[Text(f"c{id_}", language, passage) for id_, language, _, passage in rows],
        judgements=[Judgement(f"q{id_}", f"c{id_}") for id_, *_ in rows],
        protocol="letters",
    )
"""
ROWS = [
    [str(n), language, f"{language} asks {n}", f"{language} says {n}"] for n in range(3) for language in ("de", "en")
]
JUDGED = [[f"{row[0]}{row[1]}", *row[1:]] for row in ROWS]


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[DictConfig, Path]:
    """The configuration and the folder of a finished run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "letters_of_mine", raising=False)
    own_records._read.cache_clear()
    (tmp_path / "letters_of_mine.py").write_text(LOADER)
    (tmp_path / "secret").write_text(json.dumps(ROWS))
    (tmp_path / "judged").write_text(json.dumps(JUDGED))
    for group, text in {
        "corpus": "_target_: letters_of_mine.Letters",
        "benchmarks": "letters:\n  _target_: letters_of_mine.benchmark",
    }.items():
        (tmp_path / "conf" / group).mkdir(parents=True)
        (tmp_path / "conf" / group / "letters.yaml").write_text(text + "\n")
    register()
    overrides = force_overrides(["corpus=letters", "benchmarks=[letters]", "logger=none"])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [f"hydra.searchpath=[file://{tmp_path / 'conf'}]", *overrides])
    folder = tmp_path / "run"
    folder.mkdir()
    facts = {
        "config_hash": config_hash(cfg),
        "fingerprint/corpus": build_corpus(cfg.corpus).fingerprint,
        "fingerprint/letters": build_benchmarks(cfg.benchmarks)["letters"].fingerprint,
    }
    (folder / "metrics.json").write_text(json.dumps(facts | input_versions(cfg)))
    return cfg, folder


def problems(cfg: DictConfig, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    own_records._read.cache_clear()
    capsys.readouterr()
    assert skip_finished(cfg, folder).code == 2
    return capsys.readouterr().err.splitlines()[1:]


def test_unchanged_it_counts_as_finished(finished: tuple[DictConfig, Path]) -> None:
    assert skip_finished(*finished) == FINISHED_EARLIER


def test_a_changed_class_is_named(
    finished: tuple[DictConfig, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg, folder = finished
    (tmp_path / "letters_of_mine.py").write_text(LOADER + "# another rule\n")
    assert problems(cfg, folder, capsys) == [
        f"  - {folder} was finished with other data or code; to run it again, remove it or set another output_dir",
        "  - benchmarks.letters._target_/letters_of_mine.py (changed)",
        "  - corpus._target_/letters_of_mine.py (changed)",
    ]


@pytest.mark.parametrize(("file", "path"), [("secret", "corpus"), ("judged", "benchmarks.letters")])
def test_changed_data_that_only_the_loader_knows_are_named(
    finished: tuple[DictConfig, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, path: str
) -> None:
    cfg, folder = finished
    (tmp_path / file).write_text((tmp_path / file).read_text().replace("de asks 1", "de begs 1"))
    found = problems(cfg, folder, capsys)
    before = json.loads((folder / "metrics.json").read_text())[f"fingerprint/{path.split('.')[-1]}"]
    assert (
        found[0] == f"  - {folder} was finished with other data; to run it again, remove it or set another output_dir"
    )
    assert found[1].startswith(f"  - {path} (fingerprint ")
    assert found[1].endswith(f" instead of {before})")
    assert len(found) == 2


def test_a_run_of_an_earlier_version_recorded_no_code(finished: tuple[DictConfig, Path]) -> None:
    cfg, folder = finished
    saved = json.loads((folder / "metrics.json").read_text())
    kept = {key: value for key, value in saved.items() if "_target_" not in key} | {"inputs/x": "1 2"}
    (folder / "metrics.json").write_text(json.dumps(kept))
    assert skip_finished(cfg, folder).reason is not None  # x, which was a data file, is gone
    del kept["inputs/x"]
    (folder / "metrics.json").write_text(json.dumps(kept))
    assert skip_finished(cfg, folder) == FINISHED_EARLIER

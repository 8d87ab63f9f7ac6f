"""`~` in settings is the home."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from babelbatch.configuration.home import at_home, put_home, typed_at_home
from babelbatch.configuration.identity import config_hash, identity
from babelbatch.configuration.schema import register, sha256_of, sweep_folder
from babelbatch.jobs.overrides import force_overrides
from babelbatch.jobs.plan import check_jobs, compose_jobs, folders_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    register()
    return tmp_path


def test_paths_begin_at_home_and_texts_stay(home: Path) -> None:
    found = {path: at_home(path, "~/x") for path in ("output_dir", "corpus.path", "mine.place", "teacher", "queries")}
    assert set(found.values()) == {f"{home}/x"}
    for text in ("query", "encoder.query_prefix", "encoder.query_prompts.nq", "encoder.passage_prefix"):
        assert at_home(text, "~/x") == "~/x"
    for value in ("~", "~ 5", "a~/b", "~5", 3, None, "no/~/x"):
        assert at_home("output_dir", value) == value


def test_in_a_configuration_with_interpolations(home: Path) -> None:
    cfg = OmegaConf.create(
        {"a": {"path": "~/t.csv", "b": "${a.path}", "c": "???", "n": None, "l": ["~/one", {"d": "~/two"}]}}
    )
    hashed = config_hash(OmegaConf.create({"a": {"path": "~/t.csv"}, "output_dir": None}))
    OmegaConf.set_readonly(cfg, True)
    put_home(cfg)
    assert cfg.a.b == f"{home}/t.csv"
    assert cfg.a.l[1].d == f"{home}/two"
    assert OmegaConf.is_missing(cfg.a, "c")
    assert hashed == config_hash(OmegaConf.create({"a": {"path": f"{home}/t.csv"}, "output_dir": None}))
    assert identity(OmegaConf.create({"path": "~/t", "output_dir": None})) == {"path": f"{home}/t"}


def test_as_it_is_typed(home: Path) -> None:
    for typed, found in {
        "output_dir=~/out": f"output_dir={home}/out",
        "teacher=~/a,~/b": f"teacher={home}/a,{home}/b",
        "a.b=[~/a,b~/c]": f"a.b=[{home}/a,b~/c]",
        "a={d:~/x}": f"a={{d:{home}/x}}",
        "~callbacks.last": "~callbacks.last",
        "query=~/x": "query=~/x",
        'output_dir="~/out"': 'output_dir="~/out"',  # later, in the configuration
    }.items():
        assert typed_at_home(typed) == found


def test_of_a_run_and_its_data(home: Path) -> None:
    (home / "data").mkdir()
    (home / "data" / "pairs.csv").write_text("id,language,question,passage\n")
    typed = ["corpus=table", "corpus.path=~/data/pairs.csv", "output_dir=~/out", "negatives=~/data/pairs.csv"]
    composed = compose_jobs("train", force_overrides(typed), multirun=False)
    (folder,) = folders_of(composed, multirun=False)
    assert folder == home / "out"
    assert composed[0].corpus.path == f"{home}/data/pairs.csv"
    assert (
        composed[0].negatives_sha256 == sha256_of(f"{home}/data/pairs.csv") == sha256_of("~/data/pairs.csv") is not None
    )
    jobs = check_jobs("train", force_overrides([*typed, "seed=0,1"]), multirun=True)
    assert {job.parent for job in jobs} == {home / "out"}
    assert sweep_folder("~/out", "x") == f"{home}/out"

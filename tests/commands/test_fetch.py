"""babelbatch-fetch: the real clients, against a server on the loopback interface with files as they are published."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from babelbatch.encoder import tiny
from commands import BIN, metrics
from loopback_hub import serving

pytestmark = pytest.mark.slow

NQ = "sentence-transformers/natural-questions"
PARTS = ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]
SETTINGS = [
    "corpus=nq", "corpus.limit=200", "sampling=x_x", "sampling.batch_size=16", "benchmarks=[xquad_r]",
    "benchmarks.xquad_r.languages=[en,de]", "encoder=local", "encoder.name_or_path=team/bare", "encoder.pooling=mean",
    "encoder.query_length=64", "encoder.passage_length=64",
]  # fmt: skip
# Several commands of one user, one after the other. LAReQA's files are fetched from the address in WEB.
COMMANDS = """
import contextlib, io, json, os, pathlib, sys
from babelbatch import use_own_hub_cache
use_own_hub_cache(create=True)
from babelbatch.jobs.fetching import main
from babelbatch.sources.lareqa import Published
Published.url = lambda self, language: f"{os.environ['WEB']}/web/{self.folder}/{language}.json"

def run(*typed):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*sys.argv[1:], *typed])
    return [code, out.getvalue(), err.getvalue()]

cache = os.environ["BABELBATCH_CACHE"]
found = {"dry": run("--dry-run"), "before": sorted(os.listdir(cache)), "first": run(), "again": run()}
for name in ["train-00001-of-00002.parquet", "tokenizer.json"]:
    (place,) = pathlib.Path(cache).rglob(name)
    place.resolve().unlink()  # as if the first command had been interrupted
    place.unlink()
found["completed"] = run()
with open(os.path.join(cache, "fetched.json")) as file:
    found["manifest"] = json.load(file)
for name in found["manifest"]:
    if name.endswith(("de.json", "config.json")):
        place = os.path.realpath(os.path.join(cache, name))
        with open(place, "rb+") as file:
            first = file.read(1)
            file.seek(0)
            file.write(bytes([first[0] ^ 1]))
found["damaged"] = run()
found["partly"] = run("benchmarks.xquad_r.languages=[en,ar]")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """A tiny model, a part of Natural Questions, and two files of XQuAD-R."""
    root = tmp_path_factory.mktemp("published")
    rows = [{"query": f"who wrote book {n}", "answer": f"Author {n} wrote book {n} in {1800 + n}."} for n in range(200)]
    (root / NQ / "pair").mkdir(parents=True)
    for part, name in enumerate(PARTS):
        pq.write_table(pa.Table.from_pylist(rows[part::2]), root / NQ / "pair" / name)
    encoder = tiny([row["answer"] for row in rows], vocab_size=200, hidden_size=16, layers=1, heads=2)
    encoder.towers["query"].backbone.save_pretrained(root / "team" / "bare")
    encoder.tokenizer.save_pretrained(root / "team" / "bare")
    (root / "web" / "xquad-r").mkdir(parents=True)
    for language in ("en", "de"):
        shutil.copy(shared_data / "xquad-r" / f"{language}.json", root / "web" / "xquad-r")
    return root


def environment(home: Path, **more: str) -> dict[str, str]:
    """Without the hub's settings of this process, and with an empty home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return kept | {"HOME": str(home), "BABELBATCH_CACHE": str(home / "cache")} | more


@pytest.fixture(scope="module")
def fetched(published: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, list[str], Path]:
    """What the commands printed, the files that they fetched, and the home."""
    home = tmp_path_factory.mktemp("home")
    with serving(published) as (address, asked):
        own = environment(home, HF_ENDPOINT=address, WEB=address, NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
        command = [sys.executable, "-c", COMMANDS, *SETTINGS]
        done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), asked, home


def test_a_dry_run_fetches_nothing(fetched: tuple[dict, list[str], Path]) -> None:
    code, printed, _ = fetched[0]["dry"]
    assert code == 0
    assert [line.split("  ")[0] for line in printed.splitlines()] == [
        "setting", "corpus", "benchmarks.xquad_r", "encoder.name_or_path", "in all at least 1.4 MB",
    ]  # fmt: skip
    assert fetched[0]["before"] == ["hub"]


def test_everything_is_fetched_once_and_recorded(fetched: tuple[dict, list[str], Path], published: Path) -> None:
    found, asked, home = fetched
    cache = home / "cache"
    code, printed, errors = found["first"]
    assert code == 0, errors
    assert printed.splitlines()[-2:] == [
        f"Everything is in {cache}. On a machine without a connection set:",
        f"  export BABELBATCH_CACHE={cache} HF_HUB_OFFLINE=1",
    ]
    model = {f"team/bare/{path.name}" for path in (published / "team" / "bare").iterdir()}
    data = {*(f"{NQ}/pair/{name}" for name in PARTS), "web/xquad-r/en.json", "web/xquad-r/de.json"}
    assert set(asked) == model | data
    assert len(found["manifest"]) == len(model | data)
    for name, entry in found["manifest"].items():
        source = next(path for path in published.rglob(Path(name).name))
        assert entry["bytes"] == source.stat().st_size
        assert entry["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    licences = {entry["of"]: entry["licence"] for entry in found["manifest"].values()}
    assert licences["XQuAD-R"] == "CC BY-SA 4.0"
    assert licences["Natural Questions"] == "CC BY-SA 3.0"
    code, printed, errors = found["again"]
    assert code == 0, errors
    assert printed.count("  yes  ") == 3


def test_files_that_the_cache_lacks_are_fetched(fetched: tuple[dict, list[str], Path]) -> None:
    code, _, errors = fetched[0]["completed"]
    assert code == 0, errors
    assert fetched[1].count(f"{NQ}/pair/{PARTS[1]}") == 2
    assert fetched[1].count("team/bare/tokenizer.json") == 2


def test_damaged_files_are_fetched_again(fetched: tuple[dict, list[str], Path]) -> None:
    found, asked, _ = fetched
    code, _, errors = found["damaged"]
    assert code == 0, errors
    twice = {name for name in asked if asked.count(name) == 2}
    assert twice == {
        "web/xquad-r/de.json", "team/bare/config.json", "team/bare/tokenizer_config.json",
        f"{NQ}/pair/{PARTS[1]}", "team/bare/tokenizer.json",
    }  # fmt: skip
    assert max(asked.count(name) for name in asked) == 2


def test_a_run_without_a_connection_reads_it(fetched: tuple[dict, list[str], Path], tmp_path: Path) -> None:
    own = environment(fetched[2], HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1")
    more = ["trainer.max_steps=2", "trainer.val_check_interval=2", "logger=none", "threads=1", "output_dir=run"]
    command = [str(BIN / "babelbatch-train"), *SETTINGS, *more, "data.validation_steps=1"]
    done = subprocess.run(command, env=own, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 0 < metrics(tmp_path / "run")["xquad_r/multilingual/map"] <= 1
    assert "how it pools cannot be looked up" not in done.stderr


def test_what_cannot_be_fetched_does_not_keep_the_rest(fetched: tuple[dict, list[str], Path]) -> None:
    code, _, errors = fetched[0]["partly"]
    assert code == 1
    lines = [line for line in errors.splitlines() if ": benchmarks.xquad_r: " in line or "are not fetched" in line]
    assert "/web/xquad-r/ar.json: 404 Client Error" in lines[0]
    assert lines[1] == "babelbatch: 1 of 3 are not fetched; run the same command again to continue"

"""Folders of runs that were damaged, or that come from somebody else, in each command that reads one."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from babelbatch import cli, load
from babelbatch.configuration import saved
from babelbatch.corpora.world_facts import load_corpus
from babelbatch.encoder import save, tiny
from babelbatch.encoder.checksums import CHECKSUMS_FILE
from commands import exit_code
from run_folders import write_run

LANGUAGES = "corpus.languages=[en,de]"
BENCHMARK = ("benchmarks=table", "benchmarks.table.layout=pairs", "benchmarks.table.path=asked.csv", "logger=none")
COMMANDS: dict[str, tuple[str, ...]] = {
    "train": ("encoder=local", "encoder.name_or_path={run}/encoder", LANGUAGES, *BENCHMARK, "output_dir=out"),
    "evaluate": ("checkpoint={run}", *BENCHMARK, "output_dir=out"),
    "mine": ("checkpoint={run}", "corpus=world_facts", LANGUAGES, "output_dir=out"),
    "search": ("checkpoint={run}", "passages=wiki.txt", "query=Lima"),
    "export": ("run={run}", "output=exported"),
    "merge": ("runs={run},{other}", "output=merged"),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs with an encoder that was not trained."""
    folder, corpus = tmp_path_factory.mktemp("runs"), load_corpus(["en", "de"])
    for name in ("run", "other"):
        write_run(folder / name, facts={"fingerprint/initial_weights": "c0ffee"})
    made = tiny(list(corpus.query_texts[:200]), vocab_size=300, hidden_size=16, heads=2, layers=1)
    for name in ("run", "other"):
        save(made, folder / name / "encoder")
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "wiki.txt").write_text("Lima is the capital of Peru.\n")
    rows = [f"{number},{code},Question {number}?,Answer {number}." for number in range(9) for code in ("en", "de")]
    (tmp_path / "asked.csv").write_text("\n".join(["id,language,question,passage", *rows]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(saved, "_own", set())
    return tmp_path


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str]]]:
    """Runs a command in this process: its exit code and its errors."""

    def run(command: str, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", [f"babelbatch-{command}", *arguments])
        code = exit_code(getattr(cli, command))
        return code, capsys.readouterr().err

    handlers = logging.getLogger().handlers[:]
    yield run
    root = logging.getLogger()
    for handler in {*root.handlers} - {*handlers}:  # Hydra's, which write to streams of this test
        handler.close()
    root.handlers[:] = handlers


@pytest.mark.parametrize("command", COMMANDS)
def test_one_bit_of_the_weights_ends_each_command_in_a_line(
    command: str, place: Path, typed: Callable[..., tuple[int, str]]
) -> None:
    weights = place / "run" / "encoder" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-99] ^= 1
    weights.write_bytes(content)
    arguments = [each.format(run=place / "run", other=place / "other") for each in COMMANDS[command]]
    code, errors = typed(command, *arguments)
    expected = (
        f"babelbatch: encoder.name_or_path: {weights} is not as it was saved; it is damaged: copy it again or, if you "
        f"have replaced it yourself, remove {weights.parent / CHECKSUMS_FILE}\n"
    )
    assert code == 2, errors
    assert expected in errors
    assert "Traceback" not in errors
    for made in ("exported", "merged/merge.json", "out/metrics.json"):
        assert not (place / made).exists()


def test_one_bit_of_the_weights_in_python(place: Path) -> None:
    weights = place / "run" / "encoder" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    with pytest.raises(ValueError, match="is not as it was saved"):
        load(place / "run")


def write_config(run: Path, **parts: object) -> None:
    path = run / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | parts))


RUNS_CODE = {
    "shutil.copyfile": {"_target_": "shutil.copyfile", "src": "wiki.txt", "dst": "stolen"},
    "supervise": {
        "_target_": "babelbatch.jobs.supervisor.supervise", "command": ["cp", "wiki.txt", "stolen"], "processes": 1,
        "logs": ".", "settings": {},
    },
}  # fmt: skip


@pytest.mark.parametrize("target", RUNS_CODE)
@pytest.mark.parametrize("command", ["evaluate", "mine"])
def test_a_foreign_configuration_runs_nothing(
    command: str, target: str, place: Path, typed: Callable[..., tuple[int, str]]
) -> None:
    write_config(place / "run", corpus=RUNS_CODE[target], encoder=RUNS_CODE[target], tuning=RUNS_CODE[target])
    more = BENCHMARK if command == "evaluate" else ()
    code, errors = typed(command, f"checkpoint={place / 'run'}", *more, "output_dir=out")
    assert not (place / "stolen").exists()
    assert "Traceback" not in errors
    if command == "evaluate":
        assert code == 0, errors
        return
    named = RUNS_CODE[target]["_target_"]
    assert (code, f"config.yaml: corpus._target_ is '{named}', which is no corpus of babelbatch" in errors) == (2, True)


@pytest.mark.parametrize("command", ["evaluate", "mine"])
def test_a_foreign_configuration_reads_no_environment(
    command: str, place: Path, typed: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    write_config(place / "run", seed="${oc.env:TOKEN}", corpus={"_target_": "x", "path": "${oc.env:TOKEN}"})
    more = BENCHMARK if command == "evaluate" else ()
    code, errors = typed(command, f"checkpoint={place / 'run'}", *more, "output_dir=out")
    assert code == 2
    assert "a saved configuration has resolved values only" in errors
    assert "secret" not in errors + "".join(path.read_text() for path in place.glob("out/*.json"))


OWN = """
from babelbatch.corpora.from_pairs import Pair, corpus_from_pairs

def load_corpus(last):
    return corpus_from_pairs("sums", [Pair(f"{n}", "en", f"{n} + {n}?", f"It is {2 * n}.") for n in range(last)])
"""


def test_own_code_is_run_where_config_dir_names_it(
    place: Path, typed: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "sums_of_mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(place)
    write_config(place / "run", corpus={"_target_": "sums_of_mine.load_corpus", "last": 30})
    mining = ("mine", f"checkpoint={place / 'run'}", "mining.negatives=1", "mining.first_rank=1", "output_dir=out")
    code, errors = typed(*mining)
    assert code == 2
    assert "if it is your own and you trust the file, name the folder of its YAML with --config-dir" in errors
    (place / "conf" / "corpus").mkdir(parents=True)
    (place / "conf" / "corpus" / "sums.yaml").write_text("_target_: sums_of_mine.load_corpus\nlast: 9\n")
    code, errors = typed(*mining, "--config-dir", str(place / "conf"))
    assert code == 0, errors
    assert (place / "out" / "negatives.parquet").is_file()

"""The commands themselves: their version, and the first line that they print."""

import os
import platform
import re
import subprocess
import sys
import time
import tomllib
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import pytest

import babelbatch
from babelbatch.configuration.shipped import CONF
from babelbatch.runs.provenance import checked_out_commit, version_text
from commands import BIN, SMALL
from processes import ended, finished, python, started

COMMANDS = ("train", "evaluate", "export", "merge", "mine", "data", "report", "search", "dashboard", "fetch")


def typed(command: str, *arguments: str) -> list[str]:
    """A command as its console script starts it, also where the installed script is older than pyproject.toml."""
    script = f"import sys; from babelbatch.cli import {command}; sys.argv[0] = 'babelbatch-{command}'; {command}()"
    return [sys.executable, "-c", script, *arguments]


def test_every_command_is_a_function_of_the_module() -> None:
    project = tomllib.loads((CONF.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {f"babelbatch-{name}": f"babelbatch.cli:{name}" for name in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS)
def test_version(command: str, tmp_path: Path) -> None:
    """Ours, not Hydra's."""
    lines = finished(*typed(command, "--version"), cwd=tmp_path).stdout.splitlines()
    assert lines[0].startswith(f"babelbatch {babelbatch.__version__}")
    assert lines[1:] == [f"Python {platform.python_version()}", f"torch {version('torch')}"]


def test_the_version_has_the_commit_of_a_checkout() -> None:
    commit = checked_out_commit()
    if commit is None:
        pytest.skip("not a checkout")
    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?", commit)
    assert version_text().splitlines()[0] == f"babelbatch {babelbatch.__version__} (commit {commit})"


def test_the_version_needs_nothing_slow() -> None:
    script = (
        "import sys\nfrom babelbatch.cli import train\nsys.argv = ['babelbatch-train', '--version']\n"
        "try:\n    train()\n"
        "except SystemExit as stop:\n    print(stop.code, {'torch', 'numpy', 'hydra', 'rich'} & {*sys.modules})"
    )
    assert python(script).stdout.endswith("\nNone set()\n")


@pytest.mark.parametrize(
    ("command", "arguments", "line"),
    [
        ("train", ["sampling.alpha=7"], "babelbatch: checking the configuration\n"),
        ("evaluate", ["device=7"], "babelbatch: checking the configuration\n"),
        ("mine", ["threads=0"], "babelbatch: checking the configuration\n"),
        ("data", ["sample=0"], "babelbatch: checking the configuration\n"),
        ("report", ["runs=gone"], "babelbatch: reading the runs\n"),
        ("export", [], "babelbatch: checking the configuration\n"),
        ("search", ["top=0"], "babelbatch: checking the configuration\n"),
        ("dashboard", [], "babelbatch: reading the runs\n"),
        ("fetch", ["encodr=tiny"], "babelbatch: checking the configuration\n"),
    ],
)
def test_the_first_line_comes_within_two_seconds(command: str, arguments: list[str], line: str, tmp_path: Path) -> None:
    """Of processor time: how much of it a process gets in a second is the machine's affair."""
    with started(*typed(command, *arguments), cwd=tmp_path) as process:
        assert process.stderr.readline() == line
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        ended(process)
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    assert seconds < 2
    assert process.returncode == 2


def test_what_only_prints_something_says_nothing_else(tmp_path: Path) -> None:
    for arguments in (["--help"], ["--cfg", "job"], []):
        command = "report" if not arguments else "train"
        done = finished(*typed(command, *arguments), cwd=tmp_path, code=0 if arguments else 2)
        assert "checking" not in done.stderr
        assert "reading" not in done.stderr


@pytest.mark.slow
def test_no_step_of_a_run_is_silent(tmp_path: Path) -> None:
    """Every step names itself before it begins, in a pipe too; between two lines there is never a minute."""
    command = (BIN / "babelbatch-train", *SMALL, "logger=none", "output_dir=out")
    with started(*command, cwd=tmp_path, stderr=subprocess.STDOUT) as process:
        times, lines = [time.monotonic()], []
        for line in process.stdout:
            times.append(time.monotonic())
            lines.append(line)
        ended(process)
    assert process.returncode == 0, lines
    text = "".join(lines)
    steps = [
        "checking the configuration",
        "importing torch",
        "reading corpus",
        "encoder",
        "training hybrid",
        "evaluating",
    ]
    places = [text.find(step) for step in steps]
    assert -1 not in places, dict(zip(steps, places, strict=True))
    assert places == sorted(places)
    assert max(later - earlier for earlier, later in pairwise(times)) < 60

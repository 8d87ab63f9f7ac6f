"""The commands themselves: their version, and the first line that they print."""

import os
import platform
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import pytest

import babelbatch
from babelbatch.cli import train
from babelbatch.configuration.shipped import CONF
from babelbatch.runs.provenance import checked_out_commit, version_text
from commands import BIN, SMALL
from processes import ended, finished, python, started, typed

COMMANDS = ("train", "evaluate", "encode", "export", "merge", "mine", "data", "report", "search", "dashboard", "fetch")


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
        ("encode", [], "babelbatch: checking the configuration\n"),
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


def groups(command: str, cwd: Path) -> dict[str, list[str]]:
    """The groups that --help lists, with their options."""
    lines = finished(*typed(command, "--help"), cwd=cwd).stdout.splitlines()
    found = [re.fullmatch(r"([\w/]+): (.+)", line) for line in lines[: lines.index(CONFIGURATION)]]
    return {line[1]: line[2].split(", ") for line in found if line}


CONFIGURATION = (
    "== Configuration: these keys can be set, and more (docs/settings.md; a misspelt key is an error that suggests "
    "others) =="
)


def test_the_help_lists_what_the_command_has(tmp_path: Path) -> None:
    train, evaluate, mine = (groups(command, tmp_path) for command in ("train", "evaluate", "mine"))
    assert "settings" not in train["experiment/paper"] + train["experiment/study"]
    assert {"xlmr_hybrid", "xlmr_x_x"} < {*train["experiment/paper"]}
    assert sorted(evaluate) == ["benchmarks", "encoder", "evaluation", "index", "logger"]
    assert sorted(mine) == ["corpus", "encoder", "index", "mining"]


COMPLETE = """
eval "$({command} -sc install=bash)"
complete -p {command} >&2
COMP_LINE='{command} {line}'; COMP_POINT=${{#COMP_LINE}}; COMP_CWORD=1
hydra_bash_completion
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("function", "line", "found"),
    [
        ("train", "sampling=h", "sampling=hybrid"),
        ("train", "experiment=study/x_y", "experiment=study/x_y experiment=study/x_y_unmasked"),
        ("train", "experiment=study/se", "experiment=study/selection experiment=study/sequential"),
        ("evaluate", "sam", ""),
        ("search", "to", "token_budget= top="),
        ("fetch", "corpus=squad_s", "corpus=squad_shifts"),
    ],
)
def test_the_tab_key_in_bash(function: str, line: str, found: str, tmp_path: Path) -> None:
    """The script that `-sc install=bash` prints, called as bash does; zsh uses the same one."""
    environment, script = console_script(function, tmp_path), f"babelbatch-{function}"
    done = finished("bash", "-c", COMPLETE.format(command=script, line=line), cwd=tmp_path, env=environment)
    assert "-F hydra_bash_completion" in done.stderr
    assert sorted(done.stdout.split()) == found.split()


def console_script(function: str, folder: Path) -> dict[str, str]:
    """The environment in which a shell finds the command."""
    command = folder / f"babelbatch-{function}"
    command.write_text(f"#!{sys.executable}\nfrom babelbatch.cli import {function}\n{function}()\n")
    command.chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)}


def test_the_tab_key_in_fish(tmp_path: Path) -> None:
    """What the script that `-sc install=fish` prints runs; and that script, where the shell is installed."""
    assert "commandline -cp" in finished(*typed("train", "-sc", "install=fish"), cwd=tmp_path).stdout
    environment = os.environ | {"COMP_LINE": "babelbatch-train sampling=x_"}
    done = finished(*typed("train", "-sc", "query=fish"), cwd=tmp_path, env=environment)
    expected = ["sampling=x_en", "sampling=x_x", "sampling=x_y"]
    assert sorted(done.stdout.split()) == expected
    if shutil.which("fish") is not None:
        script = 'babelbatch-train -sc install=fish | source; complete -C "babelbatch-train sampling=x_"'
        done = finished("fish", "-c", script, cwd=tmp_path, env=console_script("train", tmp_path))
        assert sorted(done.stdout.split()) == expected


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_the_tab_key_in_zsh(tmp_path: Path) -> None:
    """Typed at a terminal, with the lines that Hydra's page on zsh has."""
    environment = console_script("train", tmp_path) | {"TERM": "dumb", "PS1": "> ", "COLUMNS": "300"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], environment)

    def printed(expected: bytes) -> bytes:
        found, deadline = b"", time.monotonic() + 120
        while expected not in found and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.2)[0]:
                found += os.read(terminal, 4096)
        return found

    try:
        for module in ("compinit -u", "bashcompinit"):
            os.write(terminal, f"autoload -U +X {module.split()[0]} && {module}\n".encode())
        os.write(terminal, b'eval "$(babelbatch-train -sc install=bash)"; echo re"ady"\n')
        assert b"ready" in printed(b"ready")
        os.write(terminal, b"babelbatch-train sampling=hyb\t")
        assert b"sampling=hybrid" in printed(b"sampling=hybrid")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def completed(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setattr("sys.argv", ["babelbatch-train", "-sc", "query=bash"])
    with pytest.raises(SystemExit):
        train()
    return sorted(capsys.readouterr().out.split())


def test_keys_that_no_file_has_are_completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the signature of what the node builds."""

    def found(line: str) -> list[str]:
        return completed(f"babelbatch-train {line}", monkeypatch, capsys)

    assert found("loss.t") == ["loss.temperature="]
    assert found("trainer.max_t") == ["trainer.max_tokens="]
    assert found("trainer.st") == ["trainer.strategy=", "trainer.stuck_minutes="]
    assert found("corpus=table corpus.on") == ["corpus.on_bad_row="]
    assert found("data.inp") == []
    assert found("callbacks.evaluate.benchm") == []


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

"""W&B without an account, with a dead server, and switched off: no prompt, no hang. Each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys, time
from babelbatch import loggers
loggers._START_SECONDS = 1
started = time.monotonic()
logger = loggers.wandb_logger(project="trial", save_dir="runs/a", name="a", group="g")
loggers.define_summaries(logger, ["b"])
logger.log_metrics({"train/loss": 1.0, "b/multilingual/map": 0.5}, step=1)
print(logger.experiment.settings.mode, logger.experiment.group, round(time.monotonic() - started))
loggers.finish([logger])
second = loggers.wandb_logger(project="trial", save_dir="runs/b")
print(second.experiment.id != logger.version)
loggers.finish([second])
"""


def start(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        env=clean | {"HOME": str(folder)} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )


def test_without_an_account_it_is_offline(tmp_path: Path) -> None:
    done = start(tmp_path)
    assert done.stdout.splitlines()[0].startswith("offline g ")
    assert done.stdout.splitlines()[1] == "True"
    assert len(list((tmp_path / "runs" / "a" / "wandb").glob("offline-run-*/*.wandb"))) == 1
    assert len(list((tmp_path / "runs" / "b" / "wandb").glob("offline-run-*/*.wandb"))) == 1


@pytest.mark.slow
def test_a_dead_server_does_not_stop_the_run(tmp_path: Path) -> None:
    done = start(tmp_path, WANDB_API_KEY="0" * 40, WANDB_BASE_URL="http://127.0.0.1:9")
    assert done.stdout.splitlines()[0].startswith("offline g ")
    assert "W&B cannot be reached" in done.stderr
    assert "this run is logged offline, upload it with `wandb sync`" in done.stderr
    assert len(list((tmp_path / "runs" / "a" / "wandb").glob("offline-run-*/*.wandb"))) == 1


def test_the_environment_variable_switches_it_off(tmp_path: Path) -> None:
    done = start(tmp_path, WANDB_MODE="disabled")
    assert done.stdout.splitlines()[0].startswith("disabled")
    assert not list(tmp_path.glob("runs/*/wandb/*run-*"))


def test_online_without_a_key_does_not_ask(tmp_path: Path) -> None:
    done = start(tmp_path, WANDB_MODE="online")
    assert done.stdout.splitlines()[0].startswith("offline g ")
    assert "not logged in to W&B: this run is logged offline" in done.stderr

"""The commands as a user types them, for the tests that start real processes."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from omegaconf import OmegaConf

from preloaded import run_preloaded
from processes import finished

BIN = Path(sys.executable).parent
SMALL = [  # seconds a run: three languages, the cheapest encoder, one thread, also on a busy machine
    "threads=1",
    "corpus.languages=[en,de,zh]",
    "benchmarks.world_facts.languages=[en,de,zh]",
    "encoder=static",
    "encoder.hidden_size=32",
    "encoder.vocab_size=2000",
    "sampling.batch_size=16",
    "trainer.max_steps=12",
    "trainer.val_check_interval=6",
    "trainer.log_every_n_steps=3",
    "data.validation_steps=2",
]
SMALL_TRANSFORMER = [  # half as long again, for what attention or dropout could change
    *(argument for argument in SMALL if argument != "encoder=static"),
    "encoder=tiny", "encoder.layers=1", "encoder.heads=2",
]  # fmt: skip


def run(command: str, *arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    return finished(BIN / command, *arguments, cwd=cwd, code=code)


def run_forked(command: str, *arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """As `run`, without the seconds that imports take; see `preloaded.py` for when."""
    return run_preloaded(BIN / command, *arguments, cwd=cwd, code=code)


def exit_code(command: Callable[[], None]) -> int:
    """Of a command that runs in this process."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        command()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        added = [handler for handler in root.handlers if handler not in before]
        root.setLevel(level)
        root.handlers[:] = before  # Hydra's write to streams that end with the test
        for handler in added:
            if isinstance(handler, logging.FileHandler):
                handler.close()
    return 0


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def weights(folder: Path) -> bytes:
    return (folder / "encoder" / "model.safetensors").read_bytes()


def job(sweep: Path, **settings: object) -> Path:
    """The only job of the sweep whose configuration says so: `sampling__alpha=0.5`."""
    found = []
    for path in sweep.glob("*/config.yaml"):
        cfg = OmegaConf.load(path)
        if all(OmegaConf.select(cfg, key.replace("__", ".")) == value for key, value in settings.items()):
            found.append(path.parent)
    (folder,) = found
    return folder

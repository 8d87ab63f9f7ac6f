"""How a Weights & Biases run starts: online where the server answers, else offline."""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from babelbatch.storage import write_atomically

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

START_SECONDS = 20  # to reach the server
_UNREACHABLE_SECONDS = 300  # for which an unreachable server is not tried again
_NEEDED_BYTES = 1 << 16  # on disk; wandb writes blocks of half of it
_UNREACHABLE_FILE = ".wandb_unreachable"
_OWN: set[str] = set()  # places of wandb's files that were set here, and not by the user

Mode = Literal["online", "offline", "disabled"]


def write_below_run_if_home_is_read_only(folder: Path) -> None:
    """Makes wandb stage files and write its own log in the run's folder if it cannot write to their usual places, below
    the home. Staged files of an offline run are needed until `wandb sync`. A place that the user sets is used."""
    from wandb import env

    for variable, usual in ((env.DATA_DIR, env.get_data_dir), (env.CACHE_DIR, env.get_cache_dir)):
        if os.environ.get(variable) in _OWN:
            del os.environ[variable]  # of an earlier run of this process
        if variable in os.environ:
            continue
        try:
            Path(usual()).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=usual()):
                pass
        except OSError:
            own = folder / "wandb" / variable.split("_")[1].lower()
            _OWN.add(str(own))
            os.environ[variable] = str(own)


class RunStarter:
    """Starts the run of a folder.

    start_run: calls `wandb.init` in a mode. mode: None means what the environment variable WANDB_MODE says, else online
        if the user is logged in, else offline. renew_service: ends wandb's process, before a second attempt.
    """

    def __init__(
        self,
        start_run: Callable[[Mode], wandb.Run],
        folder: Path,
        mode: Mode | None,
        renew_service: Callable[[], None],
    ) -> None:
        self._start_run = start_run
        self._folder = folder
        self._mode = mode
        self._renew_service = renew_service

    def start(self) -> wandb.Run:
        """Raises whatever wandb raises, and OSError if the disk is full."""
        write_below_run_if_home_is_read_only(self._folder)
        import wandb

        wandb.setup(wandb.Settings(silent=True))
        logged_in = False
        with suppress(Exception):  # a key of the wrong form
            logged_in = wandb.login(prompt=False, verify=False)  # reads files and variables only
        mode = self._mode or cast("Mode | None", os.environ.get("WANDB_MODE")) or ("online" if logged_in else "offline")
        if mode == "online" and not logged_in:  # wandb would ask, and wait for an answer
            log.warning("not logged in to W&B: this run is logged offline; `wandb login`, then %s it", self.upload_hint)
            mode = "offline"
        if mode != "disabled":
            self.check_disk()
        return self._start_online() if mode == "online" else self._start_run(mode)

    def check_disk(self) -> None:
        """Raises OSError if the disk is full; wandb does not, and leaves its file cut short."""
        folder = self._folder / "wandb"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_NEEDED_BYTES))
            file.flush()
            os.fsync(file.fileno())

    def remember_unreachable(self) -> None:
        """For the runs beside this one, which then start offline."""
        with suppress(OSError):
            (self._folder.parent / _UNREACHABLE_FILE).touch()

    @property
    def upload_hint(self) -> str:
        """The command that uploads an offline run, to be followed by what it uploads."""
        return f"`wandb sync --include-online {self._folder / 'wandb'}/*run-*` uploads"

    def _start_online(self) -> wandb.Run:
        """An online run; an offline one if the server does not answer, or did not a moment ago."""
        age = self._unreachable_since()
        if age is not None:
            log.info("W&B did not answer %.0f s ago: this run is logged offline; later %s it", age, self.upload_hint)
            return self._start_run("offline")
        started = time.monotonic()
        try:
            run = self._start_run("online")
        except Exception as error:
            log.warning("W&B cannot be reached (%s): this run is logged offline; later %s it", error, self.upload_hint)
            if time.monotonic() - started > START_SECONDS / 2:  # a refusal comes at once, and may soon be resolved
                self.remember_unreachable()
            self._renew_service()  # in the present one the id is taken
            return self._start_run("offline")
        log.info("W&B: %s", run.url)
        return run

    def _unreachable_since(self) -> float | None:
        """Seconds since a run beside this one could not reach the server, or None if that is long ago."""
        with suppress(OSError):
            age = time.time() - (self._folder.parent / _UNREACHABLE_FILE).stat().st_mtime
            return age if age < _UNREACHABLE_SECONDS else None
        return None


def run_id(folder: Path) -> str:
    """The id of the W&B run of this folder: the saved one, or a new one, which is saved."""
    path = folder / "wandb_id"
    if path.exists():
        return path.read_text().strip()
    new = secrets.token_hex(4)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"{new}\n")
    return new

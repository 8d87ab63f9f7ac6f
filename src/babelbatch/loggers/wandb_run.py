"""A Weights & Biases run that the training never waits for, and that cannot stop it."""

from __future__ import annotations

import logging
import os
import queue
import secrets
import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from babelbatch.evaluation.evaluation import Result
from babelbatch.loggers.wandb_pictures import pictures
from babelbatch.loggers.wandb_service import end_service
from babelbatch.loggers.wandb_summaries import STEP, Summaries
from babelbatch.storage import write_atomically

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

_START_SECONDS = 20  # to reach the server
_UPLOAD_SECONDS = 20  # to upload what is left when a run ends
_END_SECONDS = 60  # for all that is left to do when a run ends, a start still under way included
_CALLS = 10_000  # that may wait for wandb: hours of curves
_REMEMBERED_SECONDS = 300  # that a server could not be reached
_NEEDED_BYTES = 1 << 16  # on disk; wandb writes blocks of half of it
_UNREACHABLE_FILE = ".wandb_unreachable"

Call = Callable[["wandb.Run"], object]


def wandb_logger(
    project: str,
    save_dir: str,
    entity: str | None = None,
    name: str | None = None,
    group: str | None = None,
    job_type: str | None = None,
    mode: Literal["online", "offline", "disabled"] | None = None,
    tags: list[str] | None = None,
) -> WandbRun:
    """A Weights & Biases run, started in the background. Its id is kept in `<save_dir>/wandb_id`: a run that is resumed
    in its folder continues its curves.

    entity: the user or team whose project it is; None means what WANDB_ENTITY says, else the user's default.
    name, group, job_type: of the run; set by babelbatch where they are None. tags: of the run.
    mode: None means what the environment variable WANDB_MODE says, else online if the user is logged in, else offline.
        An online run whose server does not answer within 20 seconds goes on offline: its files lie in `save_dir`, and
        `wandb sync` uploads them later. The runs beside it do not try for the next five minutes.
    """

    def start(mode: str) -> wandb.Run:
        import wandb

        return wandb.init(
            project=project,
            entity=entity,
            dir=save_dir,
            name=name,
            group=group,
            tags=tags,
            mode=mode,
            job_type=job_type,
            id=None if mode == "disabled" else run_id(Path(save_dir)),
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(
                init_timeout=_START_SECONDS,
                finish_timeout=_UPLOAD_SECONDS,
                finish_timeout_raises=True,
                silent=True,
                console="off",
            ),
        )

    return WandbRun(start, Path(save_dir), mode)


def _columns(run: wandb.Run) -> dict[str, object]:
    """Which run a row of a table is of, in words that a person compares runs by."""
    return {"run": run.name, **{name: run.config.get(name) for name in ("strategy", "alpha", "seed")}}


def run_id(folder: Path) -> str:
    """The id of the W&B run of this folder: the one kept there, or a new one, which then is."""
    path = folder / "wandb_id"
    if path.exists():
        return path.read_text().strip()
    new = secrets.token_hex(4)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"{new}\n")
    return new


class WandbRun(Logger):
    """All calls to wandb are made by a thread of its own, in order: one that hangs or raises does not touch training.

    The first problem is a warning, and the others are not worth more. On ranks other than 0 it does nothing.

    start: makes the run, given the mode "online", "offline" or "disabled". Called in the thread.
    """

    def __init__(self, start: Callable[[str], wandb.Run], folder: Path, mode: str | None) -> None:
        super().__init__()
        self._start_run = start
        self._folder = folder
        self._mode = mode
        self._calls: queue.Queue[Call | None] = queue.Queue(_CALLS)
        self._last_calls: list[Call] = []
        self._summaries = Summaries()
        self._failed = False  # the run: whether an exception ended it
        self._troubled = False  # W&B: whether anything went wrong
        self._abandoned = False
        self._thread: threading.Thread | None = None
        if rank_zero_only.rank == 0:
            import wandb  # noqa: F401 - here, and not by the thread while data workers are forked

            self._thread = threading.Thread(target=self._work, name="wandb", daemon=True)
            self._thread.start()

    @property
    def name(self) -> str:
        return "wandb"

    @property
    def version(self) -> str:
        return ""

    @property
    def save_dir(self) -> str:
        return str(self._folder)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        row = dict(metrics) if step is None else {**metrics, STEP: step}
        self._send(lambda run: self._log(run, row))

    def log_hyperparams(self, params: Mapping[str, object] | Namespace, *_: object) -> None:
        columns = dict(vars(params) if isinstance(params, Namespace) else params)
        self._send(lambda run: run.config.update(columns, allow_val_change=True))

    def log_result(self, result: Result, step: int) -> None:
        """All scores of a benchmark, its tables, and its heat-maps, see `pictures`.

        The tables have the same keys in every run, so that the dashboard can put runs side by side.
        """
        self.log_metrics(result.metrics, step)
        # A table asks the server, which may be slow to refuse: after everything else.
        self._last_calls.append(lambda run: run.log({**pictures(result, _columns(run)), STEP: step}))

    def define_summaries(self, benchmarks: list[str]) -> None:
        """What the dashboard's columns show of each curve, see `Summaries`. benchmarks: their scores' keys begin so."""
        self._summaries = Summaries(benchmarks)
        self._send(self._summaries.begin)

    def _log(self, run: wandb.Run, row: dict[str, object]) -> None:
        self._summaries.define(run, row)
        run.log(row)

    def finish(self) -> None:
        """Ends the run: uploads what is left, for a minute at most. What it cannot upload stays on disk.

        Called while an exception passes, it marks the run as failed.
        """
        if self._thread is None:
            return
        self._failed = sys.exception() is not None
        deadline = time.monotonic() + _END_SECONDS
        with suppress(queue.Full):  # the thread hangs, and has not made its calls for long
            self._calls.put(None, timeout=_END_SECONDS)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._report(f"W&B hangs for {_END_SECONDS} seconds")
            self._remember_unreachable()
            self._abandoned = True
            end_service(kill=True)
        self._thread = None

    def _send(self, call: Call) -> None:
        if self._thread is None or not self._thread.is_alive():
            return
        try:
            self._calls.put_nowait(call)
        except queue.Full:
            self._report("W&B does not keep up with the training")

    def _work(self) -> None:
        try:
            run = self._start()
        except BaseException as error:  # whatever it is, it ends here
            self._report("W&B cannot be used", error)
            self._renew_service()
            return
        while (call := self._calls.get()) is not None:
            self._try(call, run)
            if self._abandoned:
                return
        for call in (*self._last_calls, self._summaries.keep_lowest):
            if not self._try(call, run):
                break
        if not run.disabled:
            self._try(lambda _: self._check_disk(), run)
        self._try(lambda run: run.finish(exit_code=int(self._failed)), run)
        if self._troubled:
            self._renew_service()

    def _try(self, call: Call, run: wandb.Run) -> bool:
        try:
            call(run)
        except BaseException as error:
            self._report("W&B fails", error)
            if isinstance(error, TimeoutError):
                self._remember_unreachable()
            return False
        return True

    def _renew_service(self) -> None:
        """The next call to wandb starts a new process. Not for a run that was given up: it may be the next run's."""
        if self._abandoned:
            raise RuntimeError("given up")
        end_service()

    def _start(self) -> wandb.Run:
        import wandb

        wandb.setup(wandb.Settings(silent=True))
        logged_in = False
        with suppress(Exception):  # a key of the wrong form
            logged_in = wandb.login(prompt=False, verify=False)  # reads files and variables only
        mode = self._mode or os.environ.get("WANDB_MODE") or ("online" if logged_in else "offline")
        if mode == "online" and not logged_in:  # where wandb would ask, and wait for an answer
            log.warning("not logged in to W&B: this run is logged offline; `wandb login`, then %s it", self._upload)
            mode = "offline"
        if mode != "disabled":
            self._check_disk()
        run = self._start_online() if mode == "online" else self._start_run(mode)
        for handler in logging.getLogger("wandb").handlers:
            handler.handleError = lambda record: None  # its debug log on a full disk: a traceback a line
        return run

    def _check_disk(self) -> None:
        """Raises OSError if the disk is full: wandb itself says nothing, and leaves its file cut short."""
        folder = self._folder / "wandb"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_NEEDED_BYTES))
            file.flush()
            os.fsync(file.fileno())

    def _start_online(self) -> wandb.Run:
        """An online run; an offline one if the server does not answer, or did not a moment ago."""
        age = self._unreachable_since()
        if age is not None:
            log.info("W&B did not answer %.0f s ago: this run is logged offline; later %s it", age, self._upload)
            return self._start_run("offline")
        started = time.monotonic()
        try:
            run = self._start_run("online")
        except Exception as error:
            log.warning("W&B cannot be reached (%s): this run is logged offline; later %s it", error, self._upload)
            if time.monotonic() - started > _START_SECONDS / 2:  # a refusal comes at once, and may be put right
                self._remember_unreachable()
            self._renew_service()  # in the present one the id is taken
            return self._start_run("offline")
        log.info("W&B: %s", run.url)
        return run

    def _unreachable_since(self) -> float | None:
        """Seconds since a run beside this one could not reach the server, or None if that is long ago."""
        with suppress(OSError):
            age = time.time() - (self._folder.parent / _UNREACHABLE_FILE).stat().st_mtime
            return age if age < _REMEMBERED_SECONDS else None
        return None

    def _remember_unreachable(self) -> None:
        with suppress(OSError):
            (self._folder.parent / _UNREACHABLE_FILE).touch()

    @property
    def _upload(self) -> str:
        return f"`wandb sync --include-online {self._folder / 'wandb'}/*run-*` uploads"

    def _report(self, problem: str, error: BaseException | None = None) -> None:
        """One warning a run."""
        level = logging.DEBUG if self._troubled else logging.WARNING
        self._troubled = True
        reason = f" ({type(error).__name__}: {error})" if error is not None else ""
        numbers = "the run goes on, and its numbers are in csv/metrics.csv and metrics.json"
        log.log(level, "%s%s: %s; %s what W&B kept on disk", problem, reason, numbers, self._upload)


def finish_wandb(loggers: Iterable[Logger]) -> None:
    """Ends the W&B run of a job, within a minute whatever happens, so that the next job of a sweep gets its own.

    Called while an exception passes, it marks the run as failed.
    """
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.finish()

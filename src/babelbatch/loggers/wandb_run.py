"""A Weights & Biases run that training never waits for, and that cannot stop it."""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytorch_lightning.loggers import Logger

from babelbatch.distributed.ranks import global_rank
from babelbatch.evaluation.scoring import Result
from babelbatch.loggers import wandb_start
from babelbatch.loggers.wandb_pictures import pictures
from babelbatch.loggers.wandb_service import end_service
from babelbatch.loggers.wandb_start import Mode, RunStarter, run_id
from babelbatch.loggers.wandb_summaries import STEP, Summaries

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

_UPLOAD_SECONDS = 20  # to upload what is left when a run ends
_END_SECONDS = 60  # for all that is left to do when a run ends, a start still under way included
_CALLS = 10_000  # that may wait for wandb: hours of curves

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
    """A Weights & Biases run, started in the background. Its id is saved in `<save_dir>/wandb_id`: a run that resumes
    in its folder continues its curves.

    entity: the user or team whose project it is; None means what WANDB_ENTITY says, else the user's default.
    tags: of the run.
    mode: None means what the environment variable WANDB_MODE says, else online if the user is logged in, else offline.
        An online run whose server does not answer within 20 seconds becomes an offline run: its files lie in
        `save_dir`, and `wandb sync` uploads them later. The runs beside it do not try for the next five minutes.
    """

    def start(mode: Mode) -> wandb.Run:
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
                init_timeout=wandb_start.START_SECONDS,
                finish_timeout=_UPLOAD_SECONDS,
                finish_timeout_raises=True,
                silent=True,
                console="off",
            ),
        )

    return WandbRun(start, Path(save_dir), mode)


class WandbRun(Logger):
    """A thread makes all calls to wandb, in order: one that hangs or raises does not touch training.

    The first problem is a warning, the others are debug messages. Ranks other than 0 do nothing.
    """

    def __init__(self, start: Callable[[Mode], wandb.Run], folder: Path, mode: Mode | None) -> None:
        super().__init__()
        self._starter = RunStarter(start, folder, mode, self._renew_service)
        self._folder = folder
        self._calls: queue.Queue[Call | None] = queue.Queue(_CALLS)
        self._last_calls: list[Call] = []
        self._summaries = Summaries()
        self._run_failed = False  # an exception ended the run
        self._wandb_failed = False  # anything went wrong with W&B
        self._abandoned = False
        self._thread: threading.Thread | None = None
        if global_rank() == 0:
            import wandb  # noqa: F401 - here, and not in the thread while data workers are forked

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
        row: dict[str, object] = dict(metrics) if step is None else {**metrics, STEP: step}
        self._send(lambda run: self._log(run, row))

    def log_hyperparams(self, params: Mapping[str, object] | Namespace, *_: object) -> None:
        columns = dict(vars(params) if isinstance(params, Namespace) else params)
        # wandb's method has no annotations.
        self._send(lambda run: run.config.update(columns, allow_val_change=True))  # type: ignore[no-untyped-call]

    def log_result(self, result: Result, step: int) -> None:
        """Logs all scores of a benchmark, its tables, and its heat-maps, see `pictures`.

        The tables have the same keys in every run, so that the dashboard can put runs side by side.
        """
        self.log_metrics(result.metrics, step)
        # A table asks the server, which may be slow to refuse: after everything else.
        self._last_calls.append(lambda run: run.log({**pictures(result, _columns(run)), STEP: step}))

    def define_summaries(self, benchmarks: list[str]) -> None:
        """Defines which value of each curve the dashboard's columns show, see `Summaries`. benchmarks: their names."""
        self._summaries = Summaries(benchmarks)
        self._send(self._summaries.begin)

    def finish(self) -> None:
        """Ends the run: uploads what is left, for a minute at most. The rest stays on disk.

        Called while an exception passes, it marks the run as failed.
        """
        if self._thread is None:
            return
        self._run_failed = sys.exception() is not None
        deadline = time.monotonic() + _END_SECONDS
        with suppress(queue.Full):  # the thread has hung for long
            self._calls.put(None, timeout=_END_SECONDS)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._report(f"W&B hangs for {_END_SECONDS} seconds")
            self._starter.remember_unreachable()
            self._abandoned = True
            end_service(kill=True)
        self._thread = None
        self._last_calls.clear()  # they have the results, which need memory, and this object refers to itself

    def _log(self, run: wandb.Run, row: dict[str, object]) -> None:
        self._summaries.define(run, row)
        run.log(row)

    def _send(self, call: Call) -> None:
        if self._thread is None or not self._thread.is_alive():
            return
        try:
            self._calls.put_nowait(call)
        except queue.Full:
            self._report("W&B does not keep up with the training")

    def _work(self) -> None:
        """The thread: from the start of the run to its end."""
        try:
            run = self._starter.start()
        except BaseException as error:  # nothing leaves this thread
            self._report("W&B cannot be used", error)
            self._renew_service()
            return
        for handler in logging.getLogger("wandb").handlers:
            # wandb's debug log would print a traceback for each line that a full disk refuses.
            handler.handleError = _ignore  # type: ignore[method-assign]
        while (call := self._calls.get()) is not None:
            self._try(call, run)
            if self._abandoned:
                return
        for call in (*self._last_calls, self._summaries.restore_lowest):
            if not self._try(call, run):
                break
        if not run.disabled:
            self._try(lambda _: self._starter.check_disk(), run)
        self._try(lambda run: run.finish(exit_code=int(self._run_failed)), run)
        if self._wandb_failed:
            self._renew_service()

    def _try(self, call: Call, run: wandb.Run) -> bool:
        try:
            call(run)
        except BaseException as error:
            self._report("W&B fails", error)
            if isinstance(error, TimeoutError):
                self._starter.remember_unreachable()
            return False
        return True

    def _renew_service(self) -> None:
        """Ends wandb's process; the next call to wandb starts another. Raises RuntimeError for an abandoned run:
        the process may be the next run's."""
        if self._abandoned:
            raise RuntimeError("the run was abandoned")
        end_service()

    def _report(self, problem: str, error: BaseException | None = None) -> None:
        """One warning a run."""
        level = logging.DEBUG if self._wandb_failed else logging.WARNING
        self._wandb_failed = True
        reason = f" ({type(error).__name__}: {error})" if error is not None else ""
        numbers = "the run goes on, and its numbers are in csv/metrics.csv and metrics.json"
        hint = f"{self._starter.upload_hint} what W&B saved on disk"
        log.log(level, "%s%s: %s; %s", problem, reason, numbers, hint)


def finish_wandb(loggers: Iterable[Logger]) -> None:
    """Ends the W&B run of a job, within a minute in any case, so that the next job of a sweep gets its own.

    Called while an exception passes, it marks the run as failed.
    """
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.finish()


def _columns(run: wandb.Run) -> dict[str, object]:
    """Which run a row of a table belongs to, by name and by the settings that people compare."""
    # wandb's method has no annotations.
    config = {name: run.config.get(name) for name in ("strategy", "alpha", "seed")}  # type: ignore[no-untyped-call]
    return {"run": run.name, **config}


def _ignore(record: logging.LogRecord) -> None:
    pass

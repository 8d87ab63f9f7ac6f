"""A job in worker processes: one fresh process, or several that are its ranks."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from babelbatch.configuration.schema import TrainerConfig
from babelbatch.jobs.failures import print_error, run_reporting_failures
from babelbatch.jobs.job import prepare, save_config, state_after_interruption
from babelbatch.jobs.outcome import (
    EXIT_FAILED,
    EXIT_RUNNING_ELSEWHERE,
    EXIT_USER_ERROR,
    FINISHED_EARLIER,
    Outcome,
)
from babelbatch.jobs.supervisor import supervise
from babelbatch.runs.files import TRACEBACK_FILE
from babelbatch.runs.lock import locked
from babelbatch.runs.stopping import signal_exit_code

_LINES_SHOWN = 30  # of the log of a rank that failed


def run_in_workers(root: str, cfg: DictConfig, folder: Path, processes: int, settings: Mapping[str, object]) -> Outcome:
    """Runs a job in `processes` fresh processes, its ranks. Rank 0 takes the folder's lock over.

    settings: Hydra's `job_logging` and `verbose`, by which the workers log, and the `config_dir` of the command line.
    """

    def work() -> Outcome:
        with locked(folder):
            outcome = prepare(root, cfg, folder)
            if outcome == FINISHED_EARLIER:
                return outcome
            save_config(cfg, folder)
        command = [sys.executable, "-m", "babelbatch.jobs.worker", root, str(folder)]
        minutes = cfg.get("trainer", {}).get("stuck_minutes", TrainerConfig.stuck_minutes)
        ended = supervise(command, processes, folder, settings, suspended=60 * minutes)
        if ended.suspended:
            outcome = _suspended_outcome(ended.rank, minutes, folder)
        elif ended.code:
            outcome = _failed_outcome(ended.code, ended.rank, folder)
        return replace(outcome, stopped=ended.signum)

    return run_reporting_failures(work, folder, lambda: state_after_interruption(cfg, folder))


def _suspended_outcome(rank: int, minutes: float, folder: Path) -> Outcome:
    """Outcome of a job that was ended since one rank alone was stopped for too long."""
    reason = (
        f"rank {rank} was stopped (SIGSTOP) for {minutes:g} minutes (trainer.stuck_minutes) while others were not, so "
        "all were ended; run the same command again to resume"
    )
    print_error(f"{folder}: {reason}")
    return Outcome("failed", EXIT_FAILED, reason)


def _failed_outcome(code: int, rank: int, folder: Path) -> Outcome:
    """Outcome of a job whose process `rank` was the first to fail, with this exit code."""
    if code == EXIT_RUNNING_ELSEWHERE:
        return Outcome("running elsewhere", EXIT_RUNNING_ELSEWHERE)
    if code in {signal_exit_code(signal.SIGINT), signal_exit_code(signal.SIGTERM)}:
        return Outcome("interrupted", code)
    killed = code > 128
    if killed:
        hint = " (out of memory?)" if code == signal_exit_code(signal.SIGKILL) else ""
        reason = f"killed by {signal.Signals(code - 128).name}{hint}"
    else:
        reason = _recorded_reason(folder, rank) or f"exit code {code}"
    code = EXIT_USER_ERROR if code == EXIT_USER_ERROR else EXIT_FAILED
    if not rank:
        if killed:  # else rank 0 has printed the reason itself
            print_error(f"{folder}: {reason}")
        return Outcome("failed", code, reason)
    log = _log_of(folder, rank)
    print_error(f"rank {rank} failed ({reason}); the end of {log}:\n{_tail(log)}")
    return Outcome("failed", code, f"rank {rank}: {reason}")


def _recorded_reason(folder: Path, rank: int) -> str:
    """The reason that a worker wrote down, or an empty string."""
    try:
        if rank == 0:
            return (folder / TRACEBACK_FILE).read_text(encoding="utf-8").splitlines()[0]
        lines = _tail(_log_of(folder, rank)).splitlines()
        return [line for line in lines if line.startswith("babelbatch: ")][-1].removeprefix("babelbatch: ")
    except (OSError, IndexError):
        return ""


def _log_of(folder: Path, rank: int) -> Path:
    return folder / f"rank{rank}.log"


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_SHOWN:])

"""How a job ended, and the exit codes that say so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from babelbatch.runs.files import TRACEBACK_FILE, is_finished
from babelbatch.runs.lock import FolderLocked, locked

EXIT_FAILED, EXIT_USER_ERROR, EXIT_RUNNING_ELSEWHERE = 1, 2, 75  # 75 is EX_TEMPFAIL: try again later


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    code: the exit code of a command that ran this job alone. reason: one line, or empty.
    stopped: the signal that stopped this process, and so the rest of a sweep too, or 0.
    """

    state: str
    code: int = 0
    reason: str = ""
    stopped: int = 0


FINISHED = Outcome("finished")
RESUMED = Outcome("resumed and finished")
FINISHED_EARLIER = Outcome("was finished already")
NOT_STARTED = Outcome("not started")


def outcome_from_folder(folder: Path, config_hash: str) -> Outcome:
    """The outcome of a job that another process ran, if any did, as its folder shows it."""
    if is_finished(folder, config_hash):
        return FINISHED
    if not folder.exists():
        return NOT_STARTED
    try:
        with locked(folder, patience=0):
            reason = (folder / TRACEBACK_FILE).read_text(encoding="utf-8").splitlines()[0]
    except FolderLocked as error:
        return Outcome("running elsewhere", EXIT_RUNNING_ELSEWHERE, error.holder)
    except (FileNotFoundError, IndexError):
        return NOT_STARTED
    return Outcome("failed", EXIT_FAILED, reason)


def command_exit_code(outcomes: Iterable[Outcome]) -> int:
    """The exit code of a command with these jobs, the first that applies: 128 + n if signal n stopped one; 2 if one
    failed by a mistake of the user; 1 if one failed otherwise; 75 if another command runs one; 0."""
    codes = {outcome.code for outcome in outcomes}
    if signals := [code for code in codes if code > 128]:
        return max(signals)
    return next((code for code in (EXIT_USER_ERROR, EXIT_FAILED, EXIT_RUNNING_ELSEWHERE) if code in codes), 0)

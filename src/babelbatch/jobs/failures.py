"""Failures of a job: reported to the user, the log and the run's folder, never raised."""

from __future__ import annotations

import logging
import signal
import sys
import sysconfig
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hydra.errors import InstantiationException

from babelbatch.configuration.schema import ConfigError
from babelbatch.distributed.ranks import global_rank
from babelbatch.jobs.outcome import EXIT_FAILED, EXIT_RUNNING_ELSEWHERE, EXIT_USER_ERROR, Outcome
from babelbatch.runs.files import TRACEBACK_FILE
from babelbatch.runs.lock import FolderLocked
from babelbatch.runs.stopping import Stopped, signal_exit_code
from babelbatch.storage import WaitedTooLong, write_atomically

_PACKAGE = Path(__file__).parents[1]
_LIBRARIES = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}


def run_reporting_failures(work: Callable[[], Outcome], folder: Path, state: Callable[[], str]) -> Outcome:
    """Runs `work`. A failure is reported to the user, the log and the run's folder, never raised.

    state: after an interruption, what the folder holds and what the same command would do with it.
    """
    try:
        return work()
    except FolderLocked as error:
        print_error(str(error))
        return Outcome("running elsewhere", EXIT_RUNNING_ELSEWHERE, error.holder)
    except ConfigError as error:  # found before anything was touched, so nothing is written either
        print_error(str(error))
        return Outcome("failed", EXIT_USER_ERROR, error.problems[0])
    except Exception as error:
        outcome = _report_failure(error, folder)
        _clear_frames(error)
        return outcome
    except (Stopped, KeyboardInterrupt, SystemExit) as stop:  # Lightning turns the second into the third
        return _report_interruption(stop, state)


def print_error(message: str) -> None:
    """Prints it on stderr, marked as ours."""
    print(f"babelbatch: {message}", file=sys.stderr, flush=True)


def _report_interruption(stop: BaseException, state: Callable[[], str]) -> Outcome:
    signum = stop.signum if isinstance(stop, Stopped) else signal.SIGINT
    if isinstance(stop, SystemExit) and not isinstance(stop.__context__, KeyboardInterrupt):
        return Outcome("failed", EXIT_FAILED, f"something called sys.exit({stop.code})")
    if global_rank() == 0:
        name = signal.Signals(signum).name
        print_error(f"interrupted ({name}); {state()}")
    return Outcome("interrupted", signal_exit_code(signum), stopped=signum)


def _report_failure(error: Exception, folder: Path) -> Outcome:
    # Hydra wraps what a constructor raised.
    cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
    details = "".join(traceback.format_exception(error))
    reason = (str(cause).splitlines() or [""])[0]
    user_error = is_user_error(cause)
    if not user_error:
        reason = f"{type(cause).__name__}: {reason}"
    if global_rank() == 0:
        _record_failure(reason, details, folder)
    if not user_error:
        print(details, file=sys.stderr)
    print_error(str(cause) if user_error else reason)
    print(f"(where: {folder / TRACEBACK_FILE})", file=sys.stderr)
    avoidable = user_error and not isinstance(cause, WaitedTooLong)
    return Outcome("failed", EXIT_USER_ERROR if avoidable else EXIT_FAILED, reason)


def _record_failure(reason: str, details: str, folder: Path) -> None:
    """In the folder and in its log files, but not on the terminal."""
    with suppress(OSError):  # a full disk may be what failed
        write_atomically(folder / TRACEBACK_FILE, f"{reason}\n\n{details}")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            message = f"the job failed\n{details}"
            handler.handle(logging.LogRecord(__name__, logging.ERROR, __file__, 0, message, None, None))


def is_user_error(error: BaseException) -> bool:
    """Whether it is a ValueError that babelbatch itself raises, or a module of the user's, and not a library."""
    if not isinstance(error, ValueError):
        return False
    origin = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    if origin.is_relative_to(_PACKAGE):
        return True
    return origin.is_file() and not any(origin.is_relative_to(place) for place in _LIBRARIES)


def _clear_frames(error: BaseException | None) -> None:
    """Frees the local variables of a traceback: a model and its optimiser, whose memory the next job needs."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__

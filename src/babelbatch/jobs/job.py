"""One job, from its checked configuration to how it ended: in this process, or in processes of its own."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.check import check
from babelbatch.configuration.identity import config_hash, differences, identity, resolved_yaml
from babelbatch.configuration.inputs import changed_inputs
from babelbatch.configuration.schema import ConfigError
from babelbatch.distributed.ranks import global_rank
from babelbatch.jobs.supervisor import supervise
from babelbatch.runs.files import (
    CHECKPOINT_FOLDER,
    CONFIG_FILE,
    ENCODER_FOLDER,
    METRICS_FILE,
    TRACEBACK_FILE,
    is_finished,
)
from babelbatch.runs.lock import FolderLocked, locked
from babelbatch.runs.stopping import Stopped, signal_exit_code
from babelbatch.storage import write_atomically

EXIT_FAILED, EXIT_USER_ERROR, EXIT_RUNNING_ELSEWHERE = 1, 2, 75
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    code: the exit code of a command that ran this job alone. reason: one line, where there is one.
    stopped: the signal that told this process to stop, and so the rest of a sweep too, or 0.
    """

    state: str
    code: int = 0
    reason: str = ""
    stopped: int = 0


FINISHED = Outcome("finished")
RESUMED = Outcome("resumed and finished")
FINISHED_EARLIER = Outcome("was finished already")


def run_in_process(root: str, cfg: DictConfig, folder: Path) -> Outcome:
    """Runs a job in this process, which may be one of its ranks. Rank 0 holds the folder's lock meanwhile.

    root: `train`, `evaluate` or `mine`.
    """

    def work() -> Outcome:
        with locked(folder) if global_rank() == 0 else nullcontext():
            if is_finished(folder, config_hash(cfg)):
                return _already(cfg, folder)
            check(cfg, root)  # the command line's own check does not know the jobs of every sweeper
            done = RESUMED if _begun(folder) else FINISHED
            _entry(root)(save_config(cfg, folder), folder)
            return done

    end = _told(work, folder)
    gc.collect()  # a trainer, its model and its data refer to each other: the next job has no room for them
    return end


def run_in_workers(root: str, cfg: DictConfig, folder: Path, processes: int, settings: Mapping[str, object]) -> Outcome:
    """Runs a job in `processes` fresh processes, its ranks. The one of rank 0 takes the lock over.

    settings: Hydra's `job_logging` and `verbose`, for the workers to log by.
    """

    def work() -> Outcome:
        with locked(folder):
            if is_finished(folder, config_hash(cfg)):
                return _already(cfg, folder)
            check(cfg, root)  # the command line's own check does not know the jobs of every sweeper
            done = RESUMED if _begun(folder) else FINISHED
            save_config(cfg, folder)
        command = [sys.executable, "-m", "babelbatch.jobs.worker", root, str(folder)]
        outcome = supervise(command, processes, folder, settings)
        end = done if outcome.code == 0 else _end_of_worker(outcome.code, outcome.rank, folder)
        return replace(end, stopped=outcome.signum)

    return _told(work, folder)


def skip_finished(cfg: DictConfig, folder: Path) -> Outcome:
    """The end of a job whose folder holds its complete results: nothing is run again. It fails if the data are not
    those that the results were made with."""
    return _told(lambda: _already(cfg, folder), folder)


def save_config(cfg: DictConfig, folder: Path) -> DictConfig:
    """The configuration of one job, with its own folder as `output_dir`, also written there by rank 0.

    Raises ConfigError if the folder holds a run of another configuration: nothing of it is overwritten.
    """
    _refuse_another_run(cfg, folder)
    cfg = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    OmegaConf.set_readonly(cfg, False)
    cfg.output_dir = str(folder)
    if global_rank() == 0:
        for stale in (METRICS_FILE, TRACEBACK_FILE):
            (folder / stale).unlink(missing_ok=True)
        write_atomically(folder / CONFIG_FILE, resolved_yaml(cfg))
    return cfg


def _already(cfg: DictConfig, folder: Path) -> Outcome:
    if found := changed_inputs(cfg, folder):
        taken = f"{folder} was finished with other data; to run it again, remove it or set another output_dir"
        raise ConfigError([taken, *found])
    return FINISHED_EARLIER


def _refuse_another_run(cfg: DictConfig, folder: Path) -> None:
    if not any((folder / name).exists() for name in (METRICS_FILE, ENCODER_FOLDER, CHECKPOINT_FOLDER)):
        return  # whatever was begun there left nothing to lose
    taken = f"output_dir: {folder} has another run in it; choose another folder, or remove that one"
    try:
        there = identity(OmegaConf.load(folder / CONFIG_FILE))
    except Exception as error:  # missing, not YAML, or not a configuration
        raise ConfigError([f"{taken} (its {CONFIG_FILE} cannot be read: {str(error).splitlines()[0]})"]) from error
    if found := differences(there, identity(cfg)):
        raise ConfigError([taken, *found])


def _begun(folder: Path) -> bool:
    return any((folder / CHECKPOINT_FOLDER).glob("*.ckpt"))


def _entry(root: str) -> Callable[[DictConfig, Path], None]:
    if root == "train":
        from babelbatch.commands.train import train

        return train
    if root == "mine":
        from babelbatch.commands.mine import mine

        return mine
    from babelbatch.commands.evaluate import evaluate

    return evaluate


def _told(work: Callable[[], Outcome], folder: Path) -> Outcome:
    """What `work` returns, or how it failed: told to the user, kept in the folder and in the log, never raised."""
    try:
        return work()
    except FolderLocked as busy:
        _complain(str(busy))
        return Outcome("running elsewhere", EXIT_RUNNING_ELSEWHERE, busy.holder)
    except ConfigError as error:  # found before anything was touched, so nothing is written either
        _complain(str(error))
        return Outcome("failed", EXIT_USER_ERROR, error.problems[0])
    except Exception as error:
        end = _failure(error, folder)
        _let_go(error)
        return end
    except (Stopped, KeyboardInterrupt, SystemExit) as stop:  # Lightning turns the second into the third
        signum = stop.signum if isinstance(stop, Stopped) else signal.SIGINT
        if isinstance(stop, SystemExit) and not isinstance(stop.__context__, KeyboardInterrupt):
            return Outcome("failed", EXIT_FAILED, f"something called sys.exit({stop.code})")
        if global_rank() == 0:
            name = signal.Signals(signum).name
            _complain(f"interrupted ({name}); {folder} is not finished, the same command goes on with it")
        return Outcome("interrupted", signal_exit_code(signum), stopped=signum)


def _failure(error: Exception, folder: Path) -> Outcome:
    # What a constructor raised comes wrapped by Hydra.
    cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
    details = "".join(traceback.format_exception(error))
    reason = (str(cause).splitlines() or [""])[0]
    for_user = _is_for_the_user(cause)
    if not for_user:
        reason = f"{type(cause).__name__}: {reason}"
    if global_rank() == 0:
        with suppress(OSError):  # the disk may be what failed
            write_atomically(folder / TRACEBACK_FILE, f"{reason}\n\n{details}")
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.FileHandler):
                message = f"the job failed\n{details}"
                handler.handle(logging.LogRecord(__name__, logging.ERROR, __file__, 0, message, None, None))
    if not for_user:
        print(details, file=sys.stderr)
    _complain(str(cause) if for_user else reason)
    print(f"(where: {folder / TRACEBACK_FILE})", file=sys.stderr)
    return Outcome("failed", EXIT_USER_ERROR if for_user else EXIT_FAILED, reason)


def _let_go(error: BaseException | None) -> None:
    """Frees what the frames of a traceback hold: a model and its optimiser, which the next job has no room for."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _end_of_worker(code: int, rank: int, folder: Path) -> Outcome:
    """How a job ended, from the exit code of the first of its processes that did not end well."""
    if code == EXIT_RUNNING_ELSEWHERE:
        return Outcome("running elsewhere", EXIT_RUNNING_ELSEWHERE)
    if code in {signal_exit_code(signal.SIGINT), signal_exit_code(signal.SIGTERM)}:
        return Outcome("interrupted", code)
    who = f"rank {rank}: " if rank else ""
    if code > 128:
        hint = " (out of memory?)" if code == signal_exit_code(signal.SIGKILL) else ""
        reason = f"killed by {signal.Signals(code - 128).name}{hint}"
    else:
        reason = _last_words(folder, rank) or f"exit code {code}"
    if rank:
        log = folder / f"rank{rank}.log"
        _complain(f"rank {rank} failed ({reason}); the end of {log}:\n{_tail(log)}")
    elif code > 128:
        _complain(f"{folder}: {reason}")
    return Outcome("failed", EXIT_USER_ERROR if code == EXIT_USER_ERROR else EXIT_FAILED, who + reason)


def _last_words(folder: Path, rank: int) -> str:
    """The reason that a worker left behind."""
    try:
        if rank == 0:
            return (folder / TRACEBACK_FILE).read_text(encoding="utf-8").splitlines()[0]
        told = [line for line in _tail(folder / f"rank{rank}.log").splitlines() if line.startswith("babelbatch: ")]
        return told[-1].removeprefix("babelbatch: ")
    except (OSError, IndexError):
        return ""


def _tail(path: Path, lines: int = 30) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _is_for_the_user(error: BaseException) -> bool:
    """Whether it is a ValueError that babelbatch raised on purpose, rather than a library that it called."""
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, ValueError) and Path(frames[-1].filename).is_relative_to(_PACKAGE)


def _complain(message: str) -> None:
    print(f"babelbatch: {message}", file=sys.stderr, flush=True)

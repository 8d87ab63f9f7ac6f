"""From the command line to finished jobs: checks every job before any starts, then lets Hydra run them."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser

from babelbatch.configuration.schema import ConfigError, register
from babelbatch.configuration.shipped import CONF
from babelbatch.distributed.ranks import global_rank
from babelbatch.jobs.composition import composing_once
from babelbatch.jobs.failures import print_error
from babelbatch.jobs.fetching import check_needs
from babelbatch.jobs.full import is_full, print_full
from babelbatch.jobs.offered import offering
from babelbatch.jobs.outcome import (
    EXIT_RUNNING_ELSEWHERE,
    EXIT_USER_ERROR,
    FINISHED,
    FINISHED_EARLIER,
    NOT_STARTED,
    RESUMED,
    Outcome,
    command_exit_code,
    outcome_from_folder,
)
from babelbatch.jobs.output import refuse_unwritable
from babelbatch.jobs.overrides import force_overrides
from babelbatch.jobs.plan import compose_jobs, experiment_sweep, folders_of, is_search
from babelbatch.jobs.plugins import refuse_broken_plugins
from babelbatch.jobs.sweep import JobRunner
from babelbatch.runs.files import is_finished
from babelbatch.runs.stopping import Stopped, raise_on_sigterm, signal_exit_code

Show = Callable[[list[Path], bool], None]


def launch(root: str, show: Show) -> None:
    """Runs the job, or every job of a sweep, of the command line. Ends the process with the exit code of
    `outcome.command_exit_code`.

    root: the name of the root configuration. show: receives the folders of all finished jobs, earlier ones included,
    also when others failed, and whether they are a sweep.
    A ValueError that babelbatch raises is a mistake of the user: it is printed without a traceback, with exit code 2.
    Every failure leaves a traceback in the job's folder, and the other jobs of a sweep still run.
    """
    try:
        raise_on_sigterm()
        sys.exit(_launch(root, show))
    except Stopped as stop:
        sys.exit(signal_exit_code(stop.signum))
    except KeyboardInterrupt:
        sys.exit(signal_exit_code(signal.SIGINT))


def _launch(root: str, show: Show) -> int:
    """The exit code of the command."""
    register()
    try:
        refuse_broken_plugins()
    except ConfigError as error:
        print_error(str(error))
        return EXIT_USER_ERROR
    if is_full(sys.argv[1:]):
        return print_full(root, sys.argv[1:])
    arguments = get_args_parser().parse_args()
    # `-sc query=bash` is no setting
    overrides = arguments.overrides if arguments.shell_completion else force_overrides(arguments.overrides)
    with offering(root, helps=arguments.help, completes=arguments.shell_completion), composing_once():
        return _run_command(root, arguments, overrides, show)


def _run_command(root: str, arguments: argparse.Namespace, overrides: list[str], show: Show) -> int:
    """Checks the jobs of the command line and runs them, or prints what is asked for instead. Returns the exit code."""
    runner = JobRunner(root, arguments.config_dir)
    run = hydra.main(version_base="1.3", config_path=str(CONF), config_name=root)(runner)
    try:
        _rewrite_command_line(root, arguments, overrides)
        planned: dict[Path, str] = {}
        if _runs_jobs(arguments):
            composed = compose_jobs(root, overrides, multirun=arguments.multirun, config_dir=arguments.config_dir)
            planned = folders_of(composed, multirun=arguments.multirun)
            unfinished = [folder for folder, config_hash in planned.items() if not is_finished(folder, config_hash)]
            if unfinished or not planned:
                check_needs(composed)
                if global_rank() == 0:
                    refuse_unwritable(unfinished, multirun=arguments.multirun)
            if arguments.multirun and is_search(composed):
                planned = {}  # these jobs stand for others
    except ConfigError as error:
        print_error(str(error))
        return EXIT_USER_ERROR
    if not _runs_jobs(arguments):
        run()
        return 0
    interrupted, refused = _run(run)
    outcomes = runner.outcomes | _outcomes_elsewhere(planned, runner.outcomes, interrupted=bool(interrupted))
    for folder, outcome in outcomes.items():  # another command may have finished its jobs meanwhile
        if outcome.code == EXIT_RUNNING_ELSEWHERE and is_finished(folder, planned.get(folder, "")):
            outcomes[folder] = FINISHED_EARLIER
    if global_rank() == 0:
        _show_outcomes(outcomes, arguments.multirun, show)
    return interrupted or command_exit_code(outcomes.values()) or refused


def _rewrite_command_line(root: str, arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Puts into `sys.argv`, which Hydra reads, the forced overrides, and with -m the sweep that an experiment defines.

    Raises ConfigError for a sweep that cannot be combined with the others.
    """
    forced = dict(zip(arguments.overrides, overrides, strict=True))
    sys.argv = [forced.get(argument, argument) for argument in sys.argv]
    added = experiment_sweep(root, overrides, arguments.config_dir)
    if added and arguments.multirun:
        end = max(place for place, argument in enumerate(sys.argv) if argument in overrides) + 1
        sys.argv[end:end] = added  # argparse wants all overrides side by side
    elif added and _runs_jobs(arguments) and global_rank() == 0:
        print_error("this experiment is a sweep; with -m all its jobs run, without it one")


def _run(run: Callable[[], object]) -> tuple[int, int]:
    """Runs the jobs. Returns two exit codes: of a signal that stopped the command, and of Hydra; or 0."""
    try:
        run()
    except Stopped as stop:
        return signal_exit_code(stop.signum), 0
    except KeyboardInterrupt:
        return signal_exit_code(signal.SIGINT), 0
    except SystemExit as stop:  # of Hydra, or of a launcher whose job failed in another process
        return 0, stop.code if isinstance(stop.code, int) else 1
    return 0, 0


def _outcomes_elsewhere(
    planned: dict[Path, str], known: dict[Path, Outcome], *, interrupted: bool
) -> dict[Path, Outcome]:
    """Outcomes of the planned jobs that this process did not run."""
    others = {folder: config_hash for folder, config_hash in planned.items() if folder not in known}
    if not interrupted:
        return {folder: outcome_from_folder(folder, config_hash) for folder, config_hash in others.items()}
    return {
        folder: FINISHED_EARLIER if is_finished(folder, config_hash) else NOT_STARTED
        for folder, config_hash in others.items()
    }


def _show_outcomes(outcomes: dict[Path, Outcome], multirun: bool, show: Show) -> None:
    """Prints the state of every job, and what `show` shows of the finished ones."""
    from babelbatch.report.terminal import print_states

    if multirun and outcomes:
        states = ((outcome.state, folder.name, outcome.reason) for folder, outcome in outcomes.items())
        print_states(next(iter(outcomes)).parent, states)
    for folder, outcome in outcomes.items():
        if outcome == FINISHED_EARLIER and not multirun:
            print(f"{folder} was finished already; to run it again, remove it or set another output_dir")
    if finished := [folder for folder, each in outcomes.items() if each in (FINISHED, RESUMED, FINISHED_EARLIER)]:
        show(finished, multirun)


def _runs_jobs(arguments: argparse.Namespace) -> bool:
    return not (arguments.help or arguments.hydra_help or arguments.cfg or arguments.info or arguments.shell_completion)

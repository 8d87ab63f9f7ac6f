"""From the command line to jobs: check every job before any starts, then let Hydra run them."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from babelbatch.configuration.check import check
from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.schema import ConfigError, register
from babelbatch.configuration.signatures import closest
from babelbatch.distributed.ranks import global_rank
from babelbatch.jobs.job import EXIT_RUNNING_ELSEWHERE, EXIT_USER_ERROR, FINISHED, FINISHED_EARLIER, RESUMED, Outcome
from babelbatch.jobs.sweep import NOT_STARTED, JobRunner, command_exit_code, outcome_from_folder
from babelbatch.runs.files import is_finished
from babelbatch.runs.stopping import Stopped, raise_on_sigterm, signal_exit_code

_PACKAGE = Path(__file__).parents[1]
# Inside the package when installed from a wheel, at the top of the repository in a checkout.
CONF = next(path for path in (_PACKAGE / "conf", _PACKAGE.parents[1] / "conf") if path.is_dir())

_REFUSALS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError)  # the last one for `group=null`


def launch(root: str, show: Callable[[list[Path], bool], None]) -> None:
    """Runs the job, or every job of a sweep, that the command line asks for. Ends the process with the exit code of
    `sweep.command_exit_code`.

    root: the name of the root configuration. show: gets the folders of the finished jobs, also of those that were
    finished before and when others failed, and whether they are a sweep.
    A ValueError that babelbatch raises is the user's to mend: it is told without a traceback, and the exit code is 2.
    Whatever stops a job, the traceback lies in its folder, and in a sweep the other jobs still run.
    """
    try:
        raise_on_sigterm()
        sys.exit(_launched(root, show))
    except Stopped as stop:
        sys.exit(signal_exit_code(stop.signum))
    except KeyboardInterrupt:
        sys.exit(signal_exit_code(signal.SIGINT))


def _launched(root: str, show: Callable[[list[Path], bool], None]) -> int:
    register()
    arguments = get_args_parser().parse_args()
    replaced = dict(zip(arguments.overrides, force_overrides(arguments.overrides), strict=True))
    sys.argv = [replaced.get(argument, argument) for argument in sys.argv]
    try:
        own = experiment_sweep(root, list(replaced.values()), arguments.config_dir)
    except ConfigError as error:
        print(f"babelbatch: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    if own and arguments.multirun:
        behind = max(place for place, argument in enumerate(sys.argv) if argument in replaced.values()) + 1
        sys.argv[behind:behind] = own  # argparse takes the overrides in one piece
    elif own and _will_run(arguments) and global_rank() == 0:
        print("babelbatch: this experiment is a sweep; with -m all its jobs are run, without it one", file=sys.stderr)
    jobs = JobRunner(root)
    run = hydra.main(version_base="1.3", config_path=str(CONF), config_name=root)(jobs)
    if not _will_run(arguments):
        run()
        return 0
    try:
        if arguments.config_dir and not Path(arguments.config_dir).is_dir():
            raise ConfigError([f"--config-dir: there is no folder '{arguments.config_dir}'"])
        overrides = list(replaced.values())
        planned = check_jobs(root, overrides, multirun=arguments.multirun, config_dir=arguments.config_dir)
    except ConfigError as error:
        print(f"babelbatch: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    stopped = refused = 0
    try:
        run()
    except Stopped as stop:
        stopped = signal_exit_code(stop.signum)
    except KeyboardInterrupt:
        stopped = signal_exit_code(signal.SIGINT)
    except SystemExit as stop:  # Hydra's, or of a launcher that runs jobs elsewhere and met a failed one
        refused = stop.code if isinstance(stop.code, int) else 1
    unseen = {folder: hash_ for folder, hash_ in planned.items() if folder not in jobs.ends}
    if stopped:
        rest = {
            folder: FINISHED_EARLIER if is_finished(folder, hash_) else NOT_STARTED for folder, hash_ in unseen.items()
        }
    else:
        rest = {folder: outcome_from_folder(folder, hash_) for folder, hash_ in unseen.items()}
    ends = jobs.ends | rest
    for folder, end in ends.items():  # what another command ran may have finished meanwhile
        if end.code == EXIT_RUNNING_ELSEWHERE and is_finished(folder, planned.get(folder, "")):
            ends[folder] = FINISHED_EARLIER
    if global_rank() == 0:
        _tell(ends, arguments.multirun, show)
    return stopped or command_exit_code(ends.values()) or refused


def _tell(ends: dict[Path, Outcome], sweeping: bool, show: Callable[[list[Path], bool], None]) -> None:
    """The state of every job, and what `show` shows of the finished ones."""
    from babelbatch.report.terminal import print_states

    if sweeping and ends:
        print_states(next(iter(ends)).parent, ((end.state, folder.name, end.reason) for folder, end in ends.items()))
    for folder, end in ends.items():
        if end == FINISHED_EARLIER and not sweeping:
            print(f"{folder} was finished already; to run it again, remove it or set another output_dir")
    if finished := [folder for folder, end in ends.items() if end in (FINISHED, RESUMED, FINISHED_EARLIER)]:
        show(finished, sweeping)


def check_jobs(root: str, overrides: list[str], *, multirun: bool, config_dir: str | None = None) -> dict[Path, str]:
    """Composes and checks every job that the overrides ask for. Raises ConfigError with the problems of all of them.

    Returns the folder and the configuration's hash of each, as far as they are known before the jobs run.
    """
    problems: dict[str, None] = {}
    planned: dict[Path, str] = {}
    search = search_path(config_dir)
    if multirun:
        overrides = overrides + experiment_sweep(root, overrides, config_dir)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for job in _jobs(overrides) if multirun else [overrides]:
            try:
                cfg = _composed(root, search + job)
                check(cfg, root, launcher=_launcher(cfg) if multirun else None)
                planned |= _planned(cfg, multirun)
            except ConfigError as error:
                problems |= dict.fromkeys(error.problems)
    if problems:
        raise ConfigError(list(problems))
    return planned


def _launcher(cfg: DictConfig) -> str:
    return cfg.hydra.launcher["_target_"]


def _planned(cfg: DictConfig, multirun: bool) -> dict[Path, str]:
    """The folder of a job and its configuration's hash; nothing if the folder is made of what only Hydra knows."""
    hydra = cfg.hydra
    try:
        folder = Path(hydra.sweep.dir, hydra.sweep.subdir) if multirun else Path(hydra.run.dir)
        return {folder.absolute(): config_hash(cfg)}
    except OmegaConfBaseException:
        return {}


def force_overrides(overrides: list[str]) -> list[str]:
    """`key=value` as `++key=value`, except for groups and Hydra's own keys.

    The YAML files state only what differs from a signature's defaults, and Hydra would refuse any other key. Forced in,
    every argument can be set the same way, and `check` knows which keys there are.
    """
    with initialize_config_dir(str(CONF), version_base="1.3"):
        groups = set(_loader().list_groups(""))

    def as_it_is(override: str) -> bool:
        return override.startswith(("+", "~", "hydra")) or override.split("=")[0].split("@")[0] in groups

    return [override if as_it_is(override) else f"++{override}" for override in overrides]


def experiment_sweep(root: str, overrides: list[str], config_dir: str | None = None) -> list[str]:
    """What an experiment itself sweeps over (`hydra.sweeper.params`), as overrides to add to those that were typed;
    a key that was typed wins. Hydra would sweep over both.

    Raises ConfigError for several experiments of which one has a sweep of its own: Hydra would drop it.
    """
    with initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            typed = _parsed(overrides)
        except ConfigError:
            return []  # told when the jobs are composed
        plain = [each.input_line or "" for each in typed if not each.is_sweep_override()]
        several = [each for each in typed if each.key_or_group == "experiment" and each.is_sweep_override()]
        for option in several[0].sweep_string_iterator() if several and several[0].is_choice_sweep() else ():
            if _sweeper_params(root, [*search_path(config_dir), *plain, f"experiment={option}"]):
                raise ConfigError([f"experiment: {option} is a sweep of its own; type it in a command of its own"])
        params = _sweeper_params(root, [*search_path(config_dir), *plain])
    keys = {each.key_or_group for each in typed}
    own = [f"{key}={value}" for key, value in params.items() if key.lstrip("+") not in keys]
    return [*force_overrides(own), "hydra.sweeper.params=null"] if params else []


def _sweeper_params(root: str, overrides: list[str]) -> dict[str, str]:
    try:
        return dict(compose(root, overrides, return_hydra_config=True).hydra.sweeper.params or {})
    except _REFUSALS:
        return {}  # told when the jobs are composed


def search_path(config_dir: str | None) -> list[str]:
    """The override that makes Hydra look for options in a folder of the user's too."""
    return [f"hydra.searchpath=[file://{Path(config_dir).absolute()}]"] if config_dir else []


def _jobs(overrides: list[str]) -> list[list[str]]:
    """The overrides of each job of a sweep, as Hydra's own sweeper would split them."""
    parsed = _parsed(overrides)
    try:
        batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    except HydraException as error:
        raise ConfigError([_reason(error)]) from error
    return [job for batch in batches for job in batch]


def _composed(name: str, overrides: list[str]) -> DictConfig:
    try:
        return compose(name, overrides, return_hydra_config=True)
    except _REFUSALS as error:
        raise ConfigError(_problems_of_overrides(name, overrides) or [_reason(error)]) from error


def _problems_of_overrides(name: str, overrides: list[str]) -> list[str]:
    """Adds the overrides one by one and keeps those that compose: what is wrong with each of the others, and with what
    the kept ones say together."""
    problems = []
    kept: list[str] = []
    for override in _parsed(overrides):
        assert override.input_line is not None
        try:
            compose(name, [*kept, override.input_line])
            kept.append(override.input_line)
        except _REFUSALS as error:
            problems.append(_problem_of_override(override, error))
    try:
        check(compose(name, kept, return_hydra_config=True), name)
    except ConfigError as error:
        problems += error.problems
    return problems


def _problem_of_override(override: Override, error: Exception) -> str:
    key = override.key_or_group
    if isinstance(error, MissingConfigException):
        options = _options(key)
        value = ", ".join(map(str, override.value() if isinstance(override.value(), list) else [override.value()]))
        return f"{key}: no option '{value}'{closest(value, options)} (there are: {', '.join(options)})"
    return f"{key}: {_reason(error.__cause__ or error)}"


def _options(group: str) -> list[str]:
    """Those of the group, then those in the groups below it, such as `paper/xlmr_hybrid` of `experiment`."""
    below = _loader().get_group_options(group, ObjectType.GROUP)
    nested = [f"{name}/{option}" for name in below for option in _options(f"{group}/{name}")]
    return [*_loader().get_group_options(group), *nested]


def _parsed(overrides: list[str]) -> list[Override]:
    """Raises ConfigError with each that is not key=value in Hydra's grammar."""
    parser = OverridesParser.create(config_loader=_loader())
    parsed, problems = [], []
    for override in overrides:
        try:
            parsed += parser.parse_overrides([override])
        except HydraException as error:
            problems.append(_problem_of_grammar(override.removeprefix("++"), _reason(error)))
    if problems:
        raise ConfigError(problems)
    return parsed


def _problem_of_grammar(override: str, reason: str) -> str:
    key, equals, value = override.partition("=")
    if not equals:
        return f"'{override}' is not understood; settings are written key=value, such as sampling.alpha=0.5"
    return (
        f"{key}: '{value}' cannot be read ({reason}); close every bracket, or, if they are part of a text, quote it: "
        f"'{key}=\"{value}\"'"
    )


def _loader() -> ConfigLoader:
    return GlobalHydra.instance().config_loader()


def _will_run(arguments: argparse.Namespace) -> bool:
    return not (arguments.help or arguments.hydra_help or arguments.cfg or arguments.info or arguments.shell_completion)


def _reason(error: BaseException) -> str:
    """Hydra's message on one line, without its technical postscript."""
    lines = [line.strip().replace("'++", "'") for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(("full_key:", "object_type=", "See http")))

"""From the command line to jobs: check every job before any starts, then let Hydra run them."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import hydra
import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, InstantiationException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from babelbatch.config import ConfigError, check, register
from babelbatch.signatures import closest

_PACKAGE = Path(__file__).parent
# Inside the package when installed from a wheel, at the top of the repository in a checkout.
CONF = next(path for path in (_PACKAGE / "conf", _PACKAGE.parents[1] / "conf") if path.is_dir())

USER_ERROR = 2
INTERRUPTED = 130
_REFUSALS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError)  # the last one for `group=null`


def launch(job: Callable[[DictConfig, Path], None], name: str, afterwards: Callable[[list[Path], bool], None]) -> None:
    """Runs `job(cfg, folder)` once, or for every job of a sweep, as the command line says. Does not return normally.

    name: of the root configuration. afterwards: gets the folders of the jobs that finished, also when others failed,
    and whether they are a sweep.
    A ValueError that babelbatch raises is the user's to mend: it is told without a traceback, and the exit code is 2.
    Whatever stops a job, the traceback lies in its folder, and in a sweep the other jobs still run.
    """
    register()
    arguments = get_args_parser().parse_args()
    replaced = dict(zip(arguments.overrides, forced(arguments.overrides), strict=True))
    sys.argv = [replaced.get(argument, argument) for argument in sys.argv]
    if _will_run(arguments):
        try:
            if arguments.config_dir and not Path(arguments.config_dir).is_dir():
                raise ConfigError([f"--config-dir: there is no folder '{arguments.config_dir}'"])
            check_jobs(name, list(replaced.values()), multirun=arguments.multirun, config_dir=arguments.config_dir)
        except ConfigError as error:
            _complain(error)
            sys.exit(USER_ERROR)
    finished: list[Path] = []
    failed: list[Path] = []

    def task(cfg: DictConfig) -> None:
        runtime = HydraConfig.get()
        sweeping = runtime.mode == RunMode.MULTIRUN
        folder = Path(runtime.runtime.output_dir)
        try:
            check(cfg, name)
            job(cfg, folder)
            finished.append(folder)
        except Exception as error:
            details = folder / "traceback.txt"
            details.write_text("".join(traceback.format_exception(error)))
            # What a constructor raised comes wrapped by Hydra.
            cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
            if not _is_for_the_user(cause):
                raise
            _complain(cause)
            print(f"(where: {details})", file=sys.stderr)
            if not sweeping:
                sys.exit(USER_ERROR)
            if not runtime.launcher["_target_"].endswith(".BasicLauncher"):
                raise RuntimeError(str(cause)) from None  # in another process, which only this way tells Hydra
            failed.append(folder)
        except (KeyboardInterrupt, SystemExit) as stop:  # Lightning turns the first into the second
            if not isinstance(stop, KeyboardInterrupt) and not isinstance(stop.__context__, KeyboardInterrupt):
                raise
            print(f"\nbabelbatch: interrupted; what {folder} holds is not a finished run", file=sys.stderr)
            sys.exit(INTERRUPTED)

    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(task)()
    finally:
        if finished:
            afterwards(finished, arguments.multirun)
    if failed:
        print(
            f"\n{len(failed)} of {len(failed) + len(finished)} jobs failed, see above:",
            *failed,
            sep="\n  ",
            file=sys.stderr,
        )
        sys.exit(USER_ERROR)


def check_jobs(name: str, overrides: list[str], *, multirun: bool, config_dir: str | None = None) -> None:
    """Composes and checks every job that the overrides ask for. Raises ConfigError with the problems of all of them."""
    problems: dict[str, None] = {}
    with initialize_config_dir(str(CONF), version_base="1.3"):
        search = [f"hydra.searchpath=[file://{Path(config_dir).absolute()}]"] if config_dir else []
        for job in _jobs(overrides) if multirun else [overrides]:
            try:
                check(_composed(name, search + job), name)
            except ConfigError as error:
                problems |= dict.fromkeys(error.problems)
    if problems:
        raise ConfigError(list(problems))


def forced(overrides: list[str]) -> list[str]:
    """`key=value` as `++key=value`, except for groups and Hydra's own keys.

    The YAML files state only what differs from a signature's defaults, and Hydra would refuse any other key. Forced in,
    every argument can be set the same way, and `check` knows which keys there are.
    """
    with initialize_config_dir(str(CONF), version_base="1.3"):
        groups = set(_loader().list_groups(""))

    def as_it_is(override: str) -> bool:
        return override.startswith(("+", "~", "hydra")) or override.split("=")[0].split("@")[0] in groups

    return [override if as_it_is(override) else f"++{override}" for override in overrides]


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
        options = _loader().get_group_options(key)
        value = ", ".join(map(str, override.value() if isinstance(override.value(), list) else [override.value()]))
        return f"{key}: no option '{value}'{closest(value, options)} (there are: {', '.join(options)})"
    return f"{key}: {_reason(error.__cause__ or error)}"


def _parsed(overrides: list[str]) -> list[Override]:
    try:
        return OverridesParser.create(config_loader=_loader()).parse_overrides(overrides)
    except HydraException as error:
        raise ConfigError([_reason(error)]) from error


def _loader() -> ConfigLoader:
    return GlobalHydra.instance().config_loader()


def _will_run(arguments: argparse.Namespace) -> bool:
    return not (arguments.help or arguments.hydra_help or arguments.cfg or arguments.info or arguments.shell_completion)


def _is_for_the_user(error: BaseException) -> bool:
    """Whether it is a ValueError that babelbatch raised on purpose, rather than a library that it called."""
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, ValueError) and Path(frames[-1].filename).is_relative_to(_PACKAGE)


def _complain(error: BaseException) -> None:
    print(f"babelbatch: {error}", file=sys.stderr)


def _reason(error: BaseException) -> str:
    """Hydra's message on one line, without its technical postscript."""
    lines = [line.strip().replace("'++", "'") for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(("full_key:", "object_type=", "See http")))

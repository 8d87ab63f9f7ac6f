"""Commands that leave no run: their configuration is composed and checked as that of a job, and then used at once."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Sequence

import hydra
from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.errors import InstantiationException
from omegaconf import DictConfig

from babelbatch.configuration.home import put_home
from babelbatch.configuration.saved import allow_own_targets
from babelbatch.configuration.schema import ConfigError, register
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.failures import is_user_error, print_error
from babelbatch.jobs.full import is_full, print_full
from babelbatch.jobs.offered import offering
from babelbatch.jobs.outcome import EXIT_USER_ERROR
from babelbatch.jobs.overrides import force_overrides, search_path
from babelbatch.jobs.plan import check_jobs
from babelbatch.jobs.plugins import refuse_broken_plugins
from babelbatch.runs.stopping import signal_exit_code


def run_directly(root: str, work: Callable[[DictConfig], None], texts: Sequence[str] = ()) -> None:
    """Runs `work` with the configuration of the command line; ends the process with its exit code.

    root: the name of the root configuration. texts: keys with free text, which needs no quotes of Hydra's. A mistake
    of the user is printed without a traceback, with exit code 2.
    """
    register()
    try:
        refuse_broken_plugins()
    except ConfigError as error:
        print_error(str(error))
        sys.exit(EXIT_USER_ERROR)
    completes = bool({"-sc", "--shell-completion"} & {*sys.argv})  # `-sc query=bash` is no setting
    if not completes:
        sys.argv[1:] = [_quoted(argument, texts) for argument in sys.argv[1:]]
    if is_full(sys.argv[1:]):
        sys.exit(print_full(root, sys.argv[1:]))
    arguments = get_args_parser().parse_args()
    if arguments.help or arguments.hydra_help or arguments.cfg or arguments.info or arguments.shell_completion:
        if not completes:
            _rewrite(arguments.overrides)
        with offering(root, helps=arguments.help, completes=arguments.shell_completion):
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=root)(lambda cfg: None)()
        return
    try:
        if arguments.multirun:
            raise ConfigError(["-m: this command has no jobs to sweep over; leave it out"])
        overrides = force_overrides(arguments.overrides)
        allow_own_targets(arguments.config_dir)
        check_jobs(root, overrides, multirun=False, config_dir=arguments.config_dir)
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose(root, [*search_path(arguments.config_dir), *overrides])
        put_home(cfg)
        work(cfg)
    except KeyboardInterrupt:
        sys.exit(signal_exit_code(signal.SIGINT))
    except (ValueError, OSError, InstantiationException) as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
        if not (is_user_error(cause) or isinstance(cause, OSError)):
            raise
        print_error(str(cause))
        sys.exit(EXIT_USER_ERROR)


def _rewrite(typed: list[str]) -> None:
    """Puts the forced overrides into `sys.argv`, which Hydra reads."""
    forced = dict(zip(typed, force_overrides(typed), strict=True))
    sys.argv = [forced.get(argument, argument) for argument in sys.argv]


def _quoted(argument: str, texts: Sequence[str]) -> str:
    """`key=free text` as a quoted value of Hydra's grammar, if the key is one of `texts`."""
    key, equals, value = argument.partition("=")
    if not equals or key.lstrip("+") not in texts or not value:
        return argument
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    value = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value)
    value = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", value)  # no interpolation of OmegaConf's
    return f"{key}='{value}'"

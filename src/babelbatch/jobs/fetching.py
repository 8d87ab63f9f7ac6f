"""The command babelbatch-fetch, and the check of a command's jobs that what they need is in the cache or can be
fetched."""

from __future__ import annotations

import os
from collections.abc import Sequence

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig

from babelbatch.commands.fetch import fetch, needs_table
from babelbatch.commands.needs import Need, needs_of, problems_of_missing
from babelbatch.configuration.plain import plain, without_hydra
from babelbatch.configuration.schema import ConfigError, register
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.failures import print_error
from babelbatch.jobs.offered import offering
from babelbatch.jobs.outcome import EXIT_FAILED, EXIT_USER_ERROR
from babelbatch.jobs.overrides import force_overrides
from babelbatch.jobs.plan import compose_jobs
from babelbatch.jobs.plugins import refuse_broken_plugins
from babelbatch.runs.stopping import signal_exit_code
from babelbatch.storage import cache_folder

USAGE = """\
babelbatch-fetch [--dry-run] [-m] [--config-dir FOLDER] [GROUP=OPTION ...] [KEY=VALUE ...]

Fetches the models, corpora and benchmarks that babelbatch-train with these settings needs, into BABELBATCH_CACHE, for
machines without a connection. What is there already is checked. Settings are those of babelbatch-train, for example
  babelbatch-fetch experiment=mlqa_r encoder=xlmr_base
  babelbatch-fetch -m encoder=labse,bge_m3 'benchmarks=[xquad_r,tatoeba]'

  --dry-run      list what is needed, with sizes and licences, without a connection
  -m             of all jobs of a sweep
  --config-dir   a folder with options of your own"""


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: 0; 1 if something could not be fetched; 2 after a mistake of the user."""
    if {"-h", "--help"} & set(arguments):
        print(USAGE)
        return 0
    register()
    if {"-sc", "--shell-completion"} & set(arguments):
        with offering("train", completes=True):
            hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")(lambda cfg: None)()
        return 0
    parsed = get_args_parser().parse_args([argument for argument in arguments if argument != "--dry-run"])
    try:
        refuse_broken_plugins()
        overrides = force_overrides(parsed.overrides)
        needs = _needs(compose_jobs("train", overrides, multirun=parsed.multirun, config_dir=parsed.config_dir))
    except ConfigError as error:
        print_error(str(error))
        return EXIT_USER_ERROR
    print(needs_table(needs))
    if not needs or "--dry-run" in arguments:
        return 0
    try:
        failures = fetch(needs)
    except KeyboardInterrupt:
        print_error("interrupted; run the same command again to continue")
        return signal_exit_code(2)
    for failure in failures:
        print_error(failure)
    unknown = [need for need in needs if need.is_unknown]
    if failures:
        known = len(needs) - len(unknown)
        streamed = [need for need in needs if need.is_streamed and need.cached() is None]
        again = "; run the same command again to continue" if len(failures) > len(streamed) else ""
        print_error(f"{len(failures)} of {known} are not fetched{again}")
        return EXIT_FAILED
    for need in unknown:
        print(f"{need.path}: what {need.name} fetches is unknown, and it is not fetched here.")
    if len(unknown) < len(needs):
        what = "Everything else" if unknown else "Everything"
        print(f"{what} is in {cache_folder('.').resolve()}. On a machine without a connection set:")
        print(f"  export {_settings()} HF_HUB_OFFLINE=1")
    return 0


def check_needs(composed: Sequence[DictConfig]) -> None:
    """Raises ConfigError with what the configurations need and cannot get, and with settings that a loader refuses,
    before anything is loaded or fetched."""
    problems = problems_of_missing(_needs(composed))
    if problems:
        raise ConfigError(problems)


def _needs(composed: Sequence[DictConfig]) -> list[Need]:
    """Raises ConfigError with the problems that loaders find in their settings."""
    found = []
    for cfg in composed:
        own = without_hydra(cfg)
        if "output_dir" in own:
            own.output_dir = "."  # it may refer to values that Hydra sets when the job runs
        found.append(plain(own))
    needs, problems = needs_of(found)
    if problems:
        raise ConfigError(problems)
    return needs


def _settings() -> str:
    """The variables by which another machine finds what was fetched."""
    names = ("BABELBATCH_CACHE", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
    own = cache_folder("hub")
    found = {name: os.environ[name] for name in names if os.environ.get(name)}
    if found.get("HF_HUB_CACHE") == str(own):
        del found["HF_HUB_CACHE"]  # babelbatch finds it itself
    found.setdefault("BABELBATCH_CACHE", str(cache_folder(".").resolve()))
    return " ".join(f"{name}={value}" for name, value in found.items())

"""What is typed behind a command (`sampling.alpha=0.5`): how it is read, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import yaml
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from babelbatch.configuration.home import typed_at_home
from babelbatch.configuration.schema import ConfigError
from babelbatch.configuration.shipped import CONF
from babelbatch.configuration.signatures import closest
from babelbatch.jobs.offered import without_shared

COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError)
"""What Hydra raises where overrides do not compose; a ValueError for `group=null`."""


def force_overrides(overrides: list[str]) -> list[str]:
    """`key=value` as `++key=value`, except for groups and Hydra's own keys.

    The YAML files state only what differs from a signature's defaults, and Hydra would refuse any other key. With `++`
    every argument can be set the same way, and `check` knows which keys there are. A `~` in a value is the home.
    """
    with initialize_config_dir(str(CONF), version_base="1.3"):
        groups = set(_loader().list_groups(""))

    def is_unchanged(override: str) -> bool:
        return override.startswith(("+", "~", "hydra")) or override.split("=")[0].split("@")[0] in groups

    at_home = map(typed_at_home, overrides)
    return [override if is_unchanged(override) else f"++{_without_at_sign(override)}" for override in at_home]


def _without_at_sign(override: str) -> str:
    """`a.p@5.b=1` as `a={p@5:{b:1}}`: in a key, Hydra's grammar has `@` only for groups."""
    key, equals, value = override.partition("=")
    parts = key.split(".")
    first = next((number for number, part in enumerate(parts) if number and "@" in part), None)
    if first is None or not equals:
        return override
    names = parts[first:]
    opening = "".join(f"{{{name}:" for name in names)
    return f"{'.'.join(parts[:first])}={opening}{value}{'}' * len(names)}"


def search_path(config_dir: str | None) -> list[str]:
    """The override that makes Hydra look for options in a folder of the user's too.

    Raises ConfigError if there is no such folder.
    """
    if not config_dir:
        return []
    if not Path(config_dir).is_dir():
        raise ConfigError([f"--config-dir: there is no folder '{config_dir}'"])
    return [f"hydra.searchpath=[file://{Path(config_dir).absolute()}]"]


def parse_overrides(overrides: list[str]) -> list[Override]:
    """Raises ConfigError with each that is not key=value in Hydra's grammar."""
    parser = OverridesParser.create(config_loader=_loader())
    parsed, problems = [], []
    for override in overrides:
        try:
            parsed += parser.parse_overrides([override])
        except HydraException as error:
            problems.append(_problem_of_grammar(override.removeprefix("++"), one_line(error)))
    if problems:
        raise ConfigError(problems)
    return parsed


def problem_of_override(override: Override, error: Exception) -> str:
    """Why this one does not compose, given what Hydra raised."""
    key = override.key_or_group
    if isinstance(error, MissingConfigException):
        shipped, value = _options(key), override.value()
        # Hydra's own list has the options of --config-dir, and not those of nested groups.
        options = without_shared(key, list(dict.fromkeys([*(error.options or ()), *shipped])))
        typed = ", ".join(map(str, value if isinstance(value, list) else [value]))
        near = closest(typed, options)
        own = "" if near or len(options) > len(shipped) else "; for a file of your own add --config-dir and its folder"
        return f"{key}: no option '{typed}'{near} (there are: {', '.join(options)}){own}"
    return f"{key}: {one_line(error.__cause__ or error)}"


def one_line(error: BaseException) -> str:
    """Hydra's message on one line, without its technical postscript."""
    lines = [line.strip().replace("'++", "'") for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(("full_key:", "object_type=", "See http")))


def _problem_of_grammar(override: str, reason: str) -> str:
    key, equals, value = override.partition("=")
    if not equals:
        return f"'{override}' is not understood; settings are written key=value, such as sampling.alpha=0.5"
    return (
        f"{key}: '{value}' cannot be read ({reason}); close every bracket, or, if they are part of a text, quote it: "
        f"'{key}=\"{value}\"'"
    )


def _options(group: str) -> list[str]:
    """Those of the group, then those in the groups below it, such as `paper/xlmr_hybrid` of `experiment`."""
    below = _loader().get_group_options(group, ObjectType.GROUP)
    nested = [f"{name}/{option}" for name in below for option in _options(f"{group}/{name}")]
    return without_shared(group, [*_loader().get_group_options(group), *nested])


def _loader() -> ConfigLoader:
    return GlobalHydra.instance().config_loader()

"""Which groups, options and keys --help and tab completion offer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra.core.object_type import ObjectType
from hydra.plugins.completion_plugin import CompletionPlugin
from omegaconf import Container, DictConfig

from babelbatch.configuration.schema import BY_THE_RUN, OF_THE_RUN
from babelbatch.configuration.shipped import CONF
from babelbatch.configuration.signatures import TargetError, parameters

_SHARED = "settings"
"""The name of a file in experiment/ that other experiments begin with, and that is none itself."""


@contextmanager
def offering(root: str, *, helps: bool = False, completes: bool = False) -> Iterator[None]:
    """Within the block, Hydra's lists of options lack the files in experiment/ that are no experiments, so that no glob
    finds them.

    root: the root configuration, whose groups alone are listed by --help (helps) and tab completion (completes). The
    latter has the experiments of folders too, as they are typed: `paper/xlmr_x_x`, and the keys that no YAML file has.
    """
    offered = groups_of(root) if helps or completes else None
    repositories: dict[tuple[object, ...], CachingConfigRepository] = {}
    hydras = ConfigLoaderImpl.get_group_options
    hydras_matches = CompletionPlugin._get_matches

    def options(
        loader: ConfigLoaderImpl,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        # Hydra would copy its repository for each group, which is most of the time that --help takes.
        key = (loader, config_name, *(overrides or []))
        if key not in repositories:
            _, repositories[key] = loader._parse_overrides_and_create_caching_repo(config_name, overrides or [])

        def listed(group: str, kind: ObjectType | None) -> list[str]:
            return without_shared(group, repositories[key].get_group_options(group, kind))

        found = listed(group_name, results_filter)
        if offered is None:
            return found
        if group_name == "experiment" and results_filter == ObjectType.CONFIG and completes:
            below = listed(group_name, ObjectType.GROUP)
            return found + [
                f"{each}/{option}" for each in below for option in listed(f"{group_name}/{each}", results_filter)
            ]
        return found if group_name else [each for each in found if each in offered]

    def matches(config: Container, word: str) -> list[str]:
        return hydras_matches(config, word) + unwritten_keys(config, word)

    ConfigLoaderImpl.get_group_options = options  # type: ignore[assignment, method-assign]  # Hydra offers no hook
    if completes:
        CompletionPlugin._get_matches = staticmethod(matches)  # type: ignore[method-assign]  # as above
    try:
        yield
    finally:
        ConfigLoaderImpl.get_group_options = hydras  # type: ignore[method-assign]
        CompletionPlugin._get_matches = staticmethod(hydras_matches)  # type: ignore[method-assign]


def unwritten_keys(config: Container, word: str) -> list[str]:
    """The keys, such as `temperature=`, that begin with `word` and that the `_target_` of a node accepts, but no YAML
    file has."""
    if not isinstance(config, DictConfig) or "_target_" not in config or {".", "="} & {*word}:
        return []
    path = config._get_full_key("")
    try:
        accepted = parameters(config["_target_"]) | (parameters(OF_THE_RUN[path]) if path in OF_THE_RUN else {})
    except TargetError:
        return []
    by_the_run = BY_THE_RUN.get(path.partition(".")[0], ())
    return [
        f"{name}="
        for name, parameter in accepted.items()
        if name.startswith(word) and name not in config and name not in by_the_run
        if not (parameter.required and config.get("_partial_"))
    ]


def without_shared(group: str, options: list[str]) -> list[str]:
    """The options of a group that can be chosen."""
    if group.partition("/")[0] != "experiment":
        return options
    return [each for each in options if each.rpartition("/")[2] != _SHARED]


@cache
def groups_of(root: str) -> frozenset[str]:
    """The groups in the defaults of a root configuration, and `index` where an evaluation can have one."""
    content: dict[str, Any] = yaml.safe_load((CONF / f"{root}.yaml").read_text(encoding="utf-8"))
    keys = [key for each in content["defaults"] if isinstance(each, dict) for key in each]
    found = {key.removeprefix("override ").partition("@")[0].partition("/")[0] for key in keys}
    return frozenset(found | ({"index"} if "evaluation" in found else set()) | {"hydra"})

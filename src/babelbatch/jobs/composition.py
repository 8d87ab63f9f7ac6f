"""A command composes each configuration once, although Hydra and our checks ask for it four times."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.types import RunMode
from omegaconf import DictConfig, flag_override

_Key = tuple[object, ...]
_RUNS_ONE = "hydra.mode=RUN"
"""What `hydra.main` adds to the overrides of a command without -m."""


@contextmanager
def composing_once() -> Iterator[None]:
    """Within it, equal overrides of a root configuration are composed once, and each caller gets a copy.

    A composition takes a quarter of a second. Configuration files that change meanwhile are not read again.
    """
    made: dict[_Key, DictConfig] = {}
    hydras = ConfigLoaderImpl.load_configuration

    def load(
        loader: ConfigLoaderImpl,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        key = _key(loader, config_name, overrides)
        if overrides and overrides[-1] == _RUNS_ONE and (one := _key(loader, config_name, overrides[:-1])) in made:
            return _running_one(made[one])
        if key not in made:
            found = hydras(loader, config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
            if (
                run_mode == RunMode.MULTIRUN or not validate_sweep_overrides
            ):  # it may lack what a sweep sets, or hold it
                return found
            made[key] = found
        return copy.deepcopy(made[key])

    ConfigLoaderImpl.load_configuration = load  # type: ignore[assignment, method-assign]  # Hydra offers no hook
    try:
        yield
    finally:
        ConfigLoaderImpl.load_configuration = hydras  # type: ignore[method-assign]


def _running_one(cfg: DictConfig) -> DictConfig:
    """A copy as Hydra composes it with `_RUNS_ONE`."""
    found = copy.deepcopy(cfg)
    with flag_override(found, ["readonly", "struct"], False):
        found.hydra.mode = RunMode.RUN
        found.hydra.overrides.hydra.append(_RUNS_ONE)
    return found


def _key(loader: ConfigLoaderImpl, config_name: str | None, overrides: list[str]) -> _Key:
    """Hydra puts the overrides of its own keys first for the jobs of a sweep. They do not affect the others' order."""
    places = tuple((place.provider, place.path) for place in loader.config_search_path.get_path())
    own = tuple(each for each in overrides if each.lstrip("+~").startswith("hydra"))
    return config_name, own, tuple(each for each in overrides if each not in own), places

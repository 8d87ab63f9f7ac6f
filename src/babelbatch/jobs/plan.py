"""The jobs of a command, composed and checked before the first one starts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from babelbatch.configuration.check import check
from babelbatch.configuration.home import put_home
from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.plain import plain
from babelbatch.configuration.schema import ConfigError
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.overrides import (
    COMPOSITION_ERRORS,
    force_overrides,
    one_line,
    parse_overrides,
    problem_of_override,
    search_path,
)
from babelbatch.jobs.search_space import Space, search_space
from babelbatch.progress import track

_SEARCHES = "hydra_plugins.babelbatch_sweeper."


def check_jobs(root: str, overrides: list[str], *, multirun: bool, config_dir: str | None = None) -> dict[Path, str]:
    """Composes and checks every job of these overrides, as `compose_jobs`. Returns what `folders_of` does of them."""
    return folders_of(compose_jobs(root, overrides, multirun=multirun, config_dir=config_dir), multirun=multirun)


def folders_of(jobs: Iterable[DictConfig], *, multirun: bool) -> dict[Path, str]:
    """Folder -> hash of its configuration, for each job whose folder is known before it runs."""
    return {folder: hash_ for cfg in jobs for folder, hash_ in _folder_and_hash(cfg, multirun).items()}


def compose_jobs(root: str, overrides: list[str], *, multirun: bool, config_dir: str | None = None) -> list[DictConfig]:
    """The checked configuration of every job of these overrides. Raises ConfigError with the problems of all.

    Which jobs a search (`hydra/sweeper=optuna`) will have is not known; in their place are jobs with all that it may
    choose, see `Space.probes`.
    """
    problems: dict[str, None] = {}
    composed: list[DictConfig] = []
    search = search_path(config_dir)
    if multirun:
        overrides = overrides + experiment_sweep(root, overrides, config_dir)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        if not multirun:
            _refuse_single_search(overrides)
        space = space_of_search(root, overrides, config_dir) if multirun else None
        jobs = space.probes() if space else _split(overrides) if multirun else [overrides]
        for job in track(jobs, "checking the configuration", "jobs"):
            try:
                cfg = _compose(root, search + job)
                launcher = plain_hydra(cfg, "launcher") if multirun else None
                sweeper = plain_hydra(cfg, "sweeper") if multirun else None
                check(cfg, root, launcher, sweeper)
                composed.append(cfg)
            except ConfigError as error:
                problems |= dict.fromkeys(error.problems)
    if problems:
        raise ConfigError(list(problems))
    return composed


def experiment_sweep(root: str, overrides: list[str], config_dir: str | None = None) -> list[str]:
    """The sweep that an experiment itself defines (`hydra.sweeper.params`), as overrides to append to the typed ones.

    A typed key wins, or a typed mapping that the key is in; Hydra would sweep over both. Raises ConfigError for a typed
    key that a swept mapping has too, and for several experiments if one of them defines a sweep: Hydra would drop it.
    """
    search = search_path(config_dir)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            typed = parse_overrides(overrides)
        except ConfigError:
            return []  # reported when the jobs are composed
        fixed = [*search, *(each.input_line or "" for each in typed if not each.is_sweep_override())]
        for option in _experiments_swept_over(typed):
            if _sweeper_params(root, [*fixed, f"experiment={option}"]):
                raise ConfigError([f"experiment: {option} defines a sweep; run it in a command of its own"])
        params = _sweeper_params(root, fixed)
    if not params:
        return []
    forced = force_overrides([f"{key}={value}" for key, value in params.items()])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        swept = parse_overrides(forced)
    left = [each for each in swept if not any(_decides(one, each) for one in typed)]
    if problems := [problem for each in left for one in typed if (problem := _problem_of_both(one, each))]:
        raise ConfigError(problems)
    return [*(each.input_line or "" for each in left), "hydra.sweeper.params=null"]


def _decides(typed: Override, swept: Override) -> bool:
    """Whether a typed override has the key of a swept one: by itself, in a mapping, or since it leaves out more."""
    if _path(swept) == _path(typed):
        return True
    nothing = typed.is_delete() or None in _choices(typed)
    return _has_key(typed, _path(swept)) or (nothing and _path(swept).startswith(f"{_path(typed)}."))


def _problem_of_both(typed: Override, swept: Override) -> str | None:
    """What is wrong if a swept mapping has the key of a typed override, which comes before it."""
    if not _has_key(swept, _path(typed)):
        return None
    whole = _path(swept)
    return f"{_path(typed)}: the experiment sweeps over {whole}, which has this key; set {whole} whole, or leave it out"


def _has_key(override: Override, path: str) -> bool:
    """Whether an override sets a mapping that has the key at this path."""
    above, below = f"{_path(override)}.", path.removeprefix(f"{_path(override)}.").split(".")
    return path.startswith(above) and any(_is_in(each, below) for each in _choices(override))


def _is_in(mapping: object, keys: list[str]) -> bool:
    if not isinstance(mapping, dict) or keys[0] not in mapping:
        return False
    inner = mapping[keys[0]]
    return len(keys) == 1 or not isinstance(inner, dict) or _is_in(inner, keys[1:])


def _path(override: Override) -> str:
    """Where an override is in the configuration: `validation` for `corpus@validation`."""
    return (override.package or override.key_or_group).replace("/", ".")


def _choices(override: Override) -> list[Any]:
    value = override.value()
    return list(value.list) if isinstance(value, ChoiceSweep) else [value]


def space_of_search(root: str, overrides: list[str], config_dir: str | None = None) -> Space | None:
    """What `hydra/sweeper=optuna` searches with these overrides, of which none is left in `hydra.sweeper.params`; None
    with another sweeper. Hydra must be initialised. Raises ConfigError for what cannot be searched."""
    typed = parse_overrides(overrides)
    fixed = [each.input_line or "" for each in typed if not each.is_sweep_override()]
    try:
        sweeper = compose(root, [*search_path(config_dir), *fixed], return_hydra_config=True).hydra.sweeper
    except COMPOSITION_ERRORS as error:
        if any(each.key_or_group == "hydra/sweeper" for each in typed):
            raise ConfigError(
                _problems_of_overrides(root, [*search_path(config_dir), *fixed]) or [one_line(error)]
            ) from error
        return None  # reported when the jobs are composed
    return search_space(typed) if str(sweeper["_target_"]).startswith(_SEARCHES) else None


def is_search(jobs: Iterable[DictConfig]) -> bool:
    """Whether composed jobs of a sweep are those of a search."""
    return any(str(cfg.hydra.sweeper["_target_"]).startswith(_SEARCHES) for cfg in jobs)


def _refuse_single_search(overrides: list[str]) -> None:
    if any(each.partition("=")[0].lstrip("+") == "hydra/sweeper" and each.endswith("=optuna") for each in overrides):
        raise ConfigError(["hydra/sweeper: optuna runs several jobs; add -m, or leave it out"])


def _experiments_swept_over(typed: list[Override]) -> list[str]:
    return [
        str(option)
        for each in typed
        if each.key_or_group == "experiment" and each.is_choice_sweep()
        for option in each.sweep_string_iterator()
    ]


def _sweeper_params(root: str, overrides: list[str]) -> dict[str, str]:
    try:
        return dict(compose(root, overrides, return_hydra_config=True).hydra.sweeper.params or {})
    except COMPOSITION_ERRORS:
        return {}  # reported when the jobs are composed


def _split(overrides: list[str]) -> list[list[str]]:
    """The overrides of each job of a sweep, as Hydra's own sweeper splits them."""
    parsed = parse_overrides(overrides)
    try:
        batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    except HydraException as error:
        raise ConfigError([one_line(error)]) from error
    return [job for batch in batches for job in batch]


def _compose(root: str, overrides: list[str]) -> DictConfig:
    try:
        cfg = compose(root, overrides, return_hydra_config=True)
        put_home(cfg)
        return cfg
    except COMPOSITION_ERRORS as error:
        raise ConfigError(_problems_of_overrides(root, overrides) or [one_line(error)]) from error


def _problems_of_overrides(root: str, overrides: list[str]) -> list[str]:
    """Adds the overrides one by one and skips those that do not compose: what is wrong with each of these, and with the
    configuration that the others make."""
    problems: list[str] = []
    valid: list[str] = []
    for override in parse_overrides(overrides):
        assert override.input_line is not None
        try:
            compose(root, [*valid, override.input_line])
            valid.append(override.input_line)
        except COMPOSITION_ERRORS as error:
            problems.append(problem_of_override(override, error))
    try:
        check(compose(root, valid, return_hydra_config=True), root)
    except ConfigError as error:
        problems += error.problems
    return problems


def plain_hydra(cfg: DictConfig, kind: str) -> dict[str, Any]:
    """`hydra.launcher` or `hydra.sweeper` of a composed configuration; without values that only Hydra knows."""
    node = cfg.hydra[kind]
    known = [key for key in node if not OmegaConf.is_interpolation(node, key)]
    return plain(OmegaConf.masked_copy(node, known))


def _folder_and_hash(cfg: DictConfig, multirun: bool) -> dict[Path, str]:
    """Of one job; empty if its folder depends on what only Hydra knows."""
    hydra = cfg.hydra
    try:
        folder = Path(hydra.sweep.dir, hydra.sweep.subdir) if multirun else Path(hydra.run.dir)
        return {folder.absolute(): config_hash(cfg)}
    except OmegaConfBaseException:
        return {}

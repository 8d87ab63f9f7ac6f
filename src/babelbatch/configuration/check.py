"""Every problem of a configuration, found before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from babelbatch.configuration.key_paths import closest_path
from babelbatch.configuration.plain import plain, without_hydra
from babelbatch.configuration.rules import (
    leaves,
    problems_between,
    problems_of_devices,
    problems_of_gpu,
    problems_of_launcher,
    problems_of_ranks_in_sweep,
    problems_of_sweeper,
)
from babelbatch.configuration.schema import OF_THE_RUN, OPTIONAL, SCHEMAS, ConfigError
from babelbatch.configuration.signatures import (
    Parameter,
    TargetError,
    accepts,
    closest,
    describe,
    parameters,
)

_NAMED = {"benchmarks", "callbacks", "logger"}  # groups of several things to build, each under a name

_OWN_LAUNCHERS = "hydra_plugins.babelbatch_launcher."
_OWN_SWEEPERS = "hydra_plugins.babelbatch_sweeper."

_TAKE_A_CHECKPOINT = {"evaluate", "mine", "search", "encode"}
"""Commands whose checkpoint takes the place of the encoder."""


def check(
    cfg: DictConfig, schema: str, launcher: dict[str, Any] | None = None, sweeper: dict[str, Any] | None = None
) -> None:
    """Raises ConfigError with every problem of a composed configuration: unknown keys, wrong types, bad targets,
    missing values, impossible combinations. Imports and builds nothing.

    cfg: composed; Hydra's own keys are ignored. schema: a name of `SCHEMAS`. launcher: `hydra.launcher` of a sweep;
    None for a single run. sweeper: `hydra.sweeper` of a sweep; None without one, or if it is not to be checked.
    """
    cfg = without_hydra(cfg)
    if "output_dir" in cfg:
        cfg.output_dir = "."  # it may refer to values that Hydra sets when the job runs
    if empty := sorted(_empty_groups(cfg, schema)):
        remedy = "choose an option of the group (in an experiment file: `defaults: [override /{0}: ...]`)"
        raise ConfigError([f"{group}: nothing to build; {remedy.format(group)}" for group in empty])
    try:
        values = plain(cfg)
    except OmegaConfBaseException as error:
        raise ConfigError([str(error).splitlines()[0]]) from error
    problems = [*_problems_of_keys(values, schema)]
    settable = list(_settable(values))
    for path, node in _targets(values, ""):
        if (
            schema in {"evaluate", "mine", "search", "encode"}
            and path == "encoder"
            and values.get("checkpoint") is not None
        ):
            continue  # not used
        problems += _problems_of_target(path, node, settable)
    problems += problems_between(values, schema)
    started_by = None if launcher is None else launcher["_target_"]
    problems += problems_of_gpu(values, started_by)
    if schema == "train":
        problems += problems_of_devices(values, started_by)
    if launcher is not None and started_by is not None:
        problems += problems_of_ranks_in_sweep(schema)
        if started_by.startswith(_OWN_LAUNCHERS):
            problems += _problems_of_target("hydra.launcher", launcher, settable)
        problems += problems_of_launcher(values, launcher)
        if sweeper is not None and sweeper["_target_"].startswith(_OWN_SWEEPERS):
            problems += _problems_of_target("hydra.sweeper", sweeper, settable)
            problems += problems_of_sweeper(values, schema, sweeper, launcher)
    if problems:
        raise ConfigError(problems)


def _empty_groups(cfg: DictConfig, schema: str) -> set[str]:
    """Required groups in which nothing is selected."""
    groups = {each.name for each in fields(SCHEMAS[schema]) if each.default_factory is dict}
    empty = {group for group in groups if not OmegaConf.is_dict(cfg[group])}
    empty |= {group for group in groups - _NAMED - empty if "_target_" not in cfg[group]}
    return {group for group in empty if cfg[group] or group not in OPTIONAL.get(schema, ())}


def _problems_of_keys(values: dict[str, Any], schema: str) -> Iterator[str]:
    """Unknown keys at the root and in groups of several parts."""
    known = [each.name for each in fields(SCHEMAS[schema])]
    unknown = [key for key in values if key not in known]
    paths = list(_settable(values)) if unknown else []
    for key in unknown:
        if isinstance(values[key], dict):
            below = [_last_part_of(name, paths) for name, _ in leaves(values[key], "")]
            hint = next(filter(None, [closest(key, known), *below]), "")
        else:
            hint = _last_part_of(key, paths) or closest(key, known) or closest_path(key, paths)
        yield f"{key}: no such key{hint}"
    for group in sorted(_NAMED & values.keys()):
        parts = values[group]
        selected = [name for name, node in parts.items() if isinstance(node, dict) and "_target_" in node]
        listed = f"not among the chosen {group} ({', '.join(selected) or 'none'})"
        paths = [f"{group}.{name}" for name in selected]
        yield from (f"{group}.{name}: {listed}{closest_path(name, paths)}" for name in parts if name not in selected)


def _settable(values: dict[str, Any]) -> Iterator[str]:
    """The path of every argument of what the configuration builds."""
    for path, node in _targets(values, ""):
        try:
            yield from (f"{path}.{name}" for name in _accepted(path, node))
        except TargetError:
            continue  # reported as such


def _last_part_of(key: str, paths: list[str]) -> str:
    """A suggestion of the paths that end in exactly this key."""
    return closest_path(key, [path for path in paths if path.rpartition(".")[2] == key.rpartition(".")[2]])


def _accepted(path: str, node: dict[str, Any]) -> dict[str, Parameter]:
    """Raises TargetError."""
    return parameters(node["_target_"]) | (parameters(OF_THE_RUN[path]) if path in OF_THE_RUN else {})


def _targets(node: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping with a `_target_`, with its path."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield path, node
        for key, value in node.items():
            yield from _targets(value, f"{path}.{key}" if path else str(key))


def _problems_of_target(path: str, node: dict[str, Any], settable: list[str]) -> Iterator[str]:
    """settable: the paths of all arguments, for suggestions."""
    target = node["_target_"]
    try:
        accepted = _accepted(path, node)
    except TargetError as error:
        yield f"{path}._target_: {error}"
        return
    name = target.rpartition(".")[2]
    for key, value in node.items():
        if key in {"_target_", "_partial_"} or _is_missing(value, f"{path}.{key}"):
            continue
        if key not in accepted:
            hint = closest_path(key, [f"{path}.{name}" for name in accepted]) or _last_part_of(key, settable)
            hint = hint or f" (it takes: {', '.join(accepted)})"
            yield f"{path}.{key}: {name} takes no such argument{hint}"
        elif not _fits(value, accepted[key]):
            yield f"{path}.{key}: {value!r} is not {describe(accepted[key].annotation, accepted[key].module)}"
    needed = {key for key, parameter in accepted.items() if parameter.required and not node.get("_partial_")}
    missing = [
        key
        for key in accepted
        if _is_missing(node.get(key, MISSING), f"{path}.{key}") and (key in needed or key in node)
    ]
    yield from (f"{path}.{key}: missing; {_REMEDIES.get(f'{path}.{key}', f'{name} needs it')}" for key in missing)


_REMEDIES = {
    "encoder.name_or_path": "set it to a folder or hub name (to evaluate a run: set checkpoint)",
    "loss.teacher.name_or_path": "set teacher to the folder or hub name of an encoder to learn from",
    "transform.dictionaries": "set it to a folder of dictionaries, en-de.txt and so on (docs/data/code_switching.md)",
    "benchmarks.mewsli_x.data_dir": "set it to the folder that get-mewsli-x.sh makes (docs/datasets.md)",
}


def _is_missing(value: Any, path: str) -> bool:
    """Whether it is `???`, or null where a value is required, such as a root key that was not set."""
    return value == MISSING or (value is None and path in _REMEDIES)


def _fits(value: Any, parameter: Parameter) -> bool:
    built = isinstance(value, dict) and "_target_" in value
    return built or accepts(value, parameter.annotation, parameter.module)

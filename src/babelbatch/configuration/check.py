"""Everything that is wrong with a configuration, told at once before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from babelbatch.configuration.rules import problems_between, problems_of_devices
from babelbatch.configuration.schema import OPTIONAL, SCHEMAS, ConfigError
from babelbatch.configuration.signatures import (
    Parameter,
    TargetError,
    accepts,
    closest,
    describe,
    parameters,
)

_NAMED = {"benchmarks", "callbacks", "logger"}  # groups that hold several things to build, each under a name


def check(cfg: DictConfig, schema: str, launcher: str | None = None) -> None:
    """Raises ConfigError with every problem of a composed configuration: unknown keys, wrong types, bad targets,
    missing values, impossible combinations. Imports and builds nothing.

    cfg: composed; keys of Hydra's own are ignored. schema: a name of `SCHEMAS`. launcher: for a job of a sweep, the
    class that starts it.
    """
    cfg = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    if "output_dir" in cfg:
        cfg.output_dir = "."  # may be made of what only Hydra knows, once the job runs
    hollow = [group for group in _groups(schema) if not OmegaConf.is_dict(cfg[group])]
    hollow += [group for group in _groups(schema) - _NAMED - {*hollow} if "_target_" not in cfg[group]]
    hollow = [group for group in hollow if cfg[group] or group not in OPTIONAL.get(schema, ())]
    if hollow:
        remedy = "choose an option of the group (in an experiment file: `defaults: [override /{0}: ...]`)"
        raise ConfigError([f"{group}: nothing to build; {remedy.format(group)}" for group in sorted(hollow)])
    try:
        plain = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError([str(error).splitlines()[0]]) from error
    known = list(SCHEMAS[schema].__dataclass_fields__)
    problems = [f"{key}: no such key{closest(key, known)}" for key in plain if key not in known]
    for group in _NAMED & plain.keys():
        parts = plain[group]
        whole = [name for name, node in parts.items() if isinstance(node, dict) and "_target_" in node]
        chosen = f"not among the chosen {group} ({', '.join(whole) or 'none'})"
        problems += [f"{group}.{name}: {chosen}{closest(name, whole)}" for name in parts if name not in whole]
    for path, node in _targets(plain, ""):
        if schema in {"evaluate", "mine"} and path == "encoder" and plain.get("checkpoint") is not None:
            continue  # not used
        problems += _problems_of_target(path, node)
    problems += problems_between(plain, schema)
    if schema == "train":
        problems += problems_of_devices(plain, launcher)
    if problems:
        raise ConfigError(problems)


def _groups(schema: str) -> set[str]:
    return {name for name, key in SCHEMAS[schema].__dataclass_fields__.items() if key.default_factory is dict}


def _targets(node: Any, path: str) -> Iterator[tuple[str, dict]]:
    """Every mapping with a `_target_`, with its path."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield path, node
        for key, value in node.items():
            yield from _targets(value, f"{path}.{key}" if path else str(key))


def _problems_of_target(path: str, node: dict) -> Iterator[str]:
    target = node["_target_"]
    try:
        accepted = parameters(target)
    except TargetError as error:
        yield f"{path}._target_: {error}"
        return
    name = target.rpartition(".")[2]
    for key, value in node.items():
        if key in {"_target_", "_partial_"} or _is_missing(value, f"{path}.{key}"):
            continue
        if key not in accepted:
            hint = closest(key, list(accepted)) or f" (it takes: {', '.join(accepted)})"
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
    """Marked so, or null where that has a remedy, as of a key at the root that nobody set."""
    return value == MISSING or (value is None and path in _REMEDIES)


def _fits(value: Any, parameter: Parameter) -> bool:
    built = isinstance(value, dict) and "_target_" in value
    return built or accepts(value, parameter.annotation, parameter.module)

"""The config.yaml of a run read back. A run folder may come from anywhere, so the file is data, not a program.

It holds no interpolation but `${output_dir}`: others would read the environment, or what else Hydra's resolvers reach.
A part of it is built only if its targets are configurable by babelbatch or by the folder that the user names with
`--config-dir`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.former_targets import translate
from babelbatch.configuration.shipped import CONF
from babelbatch.storage.documents import UnreadableDocument, read_yaml_object, yaml_text

_OUTPUT_DIR = "${output_dir}"
_INTERPOLATION = re.compile(r"(?<!\\)(?:\\\\)*\$\{")
_own: set[str] = set()
"""Targets in the YAML files of the folder that `--config-dir` names."""


class UnreadableConfig(ValueError):
    """The file is not what a run writes. Its text is the reason, without the file's name."""


def load_config(path: Path) -> DictConfig:
    """The configuration in a run's file, with the names that its parts have today.

    Raises UnreadableConfig for anything else, FileNotFoundError, and other OSErrors.
    """
    try:
        text = yaml_text(path)
        cfg = OmegaConf.create(text)
        if not isinstance(cfg, DictConfig) or not cfg:
            raise UnreadableConfig("no mapping")
        _refuse_interpolations(OmegaConf.to_container(cfg, resolve=False), "")
        translate(cfg)
        OmegaConf.to_container(cfg, resolve=True)  # every value can be read
    except (UnreadableConfig, OSError):
        raise
    except UnreadableDocument as error:
        raise UnreadableConfig(f"line {error.line}: {error}" if error.line else str(error)) from None
    except Exception as error:  # OmegaConf raises a dozen types for what it cannot represent
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise UnreadableConfig(reason) from None
    return cfg


def saved_part(path: Path, key: str) -> DictConfig | None:
    """The part of a run's file that `build` may be called with: `corpus` or `tuning`. None if the file lacks it.

    Raises ValueError, with the file and the remedy, if the file cannot be read, and for a target that is not one of
    babelbatch's options for that part or of the user's own.
    """
    try:
        cfg = load_config(path)
    except (UnreadableConfig, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"{path} is not a configuration ({reason}); name another run") from None
    part = cfg.get(key)
    if part is None:
        return None
    if not isinstance(part, DictConfig):
        raise ValueError(f"{path}: {key} is no part that can be built; name another run")
    allowed = _targets_in(CONF / key) | _own
    for place, target in _targets(OmegaConf.to_container(part), key):
        if not isinstance(target, str) or target not in allowed:
            raise ValueError(
                f"{path}: {place}._target_ is {str(target)[:80]!r}, which is no {key} of babelbatch; if it is your own "
                "and you trust the file, name the folder of its YAML with --config-dir"
            )
    return part


def allow_own_targets(config_dir: str | Path | None) -> None:
    """Lets `saved_part` return parts with the targets of the user's own YAML files. config_dir: what `--config-dir`
    names."""
    if config_dir is not None:
        _own.update(_targets_in(Path(config_dir)))


def _targets_in(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in sorted(folder.rglob("*.yaml")):
        try:
            found.update(target for _, target in _targets(read_yaml_object(path), "") if isinstance(target, str))
        except (UnreadableDocument, OSError):  # Hydra reports a file of the user's that it needs and cannot read
            continue
    return found


def _targets(node: Any, place: str) -> Iterator[tuple[str, object]]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield place, node["_target_"]
        for key, value in node.items():
            yield from _targets(value, f"{place}.{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _targets(value, f"{place}[{number}]")


def _refuse_interpolations(node: Any, place: str) -> None:
    if isinstance(node, str):
        if _INTERPOLATION.search(node.replace(_OUTPUT_DIR, "") if place != "output_dir" else node):
            raise UnreadableConfig(f"{place} is {node[:80]!r}, and a saved configuration has resolved values only")
    elif isinstance(node, dict):
        for key, value in node.items():
            _refuse_interpolations(value, f"{place}.{key}" if place else str(key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            _refuse_interpolations(value, f"{place}[{number}]")

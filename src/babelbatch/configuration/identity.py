"""The identity of a run: the part of its configuration that can change the result."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from itertools import starmap
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.former_targets import current_setting
from babelbatch.configuration.home import at_home
from babelbatch.configuration.plain import plain

# Places of results, display, logging, saving and loading speed change neither weights nor scores.
_IRRELEVANT = (
    "hydra", "output_dir", "name", "logger", "data.num_workers", "callbacks.progress_bar", "callbacks.checkpoint",
    "trainer.log_every_n_steps", "trainer.enable_model_summary", "trainer.stuck_minutes",
    "evaluation.vector_cache", "report",
)  # fmt: skip
_LAYOUT = ("trainer.devices", "trainer.num_nodes", "trainer.strategy", "trainer.shards")
"""They say how many devices share the work, and how. An interrupted run may be resumed on others."""
_UNSET = ("language_fraction",)
"""Keys that are younger than some finished runs; where they are not set, a configuration is that of such a run."""
_OUTPUT_DIR = "<output_dir>"


def identity(cfg: DictConfig) -> dict[str, Any]:
    """The resolved configuration as path -> value, without settings that cannot change the result.

    `output_dir` and references to it are replaced by a constant. Whole floats become integers, so that `alpha=1` and
    `alpha=1.0` have one identity.
    """
    resolved = _resolved(cfg, without="hydra")
    leaves = dict(current_setting(path, value) for path, value in _leaves(resolved, ""))
    return {
        path: _canonical(at_home(path, value))
        for path, value in sorted(leaves.items())
        if is_relevant(path) and (path not in _UNSET or value)
    }


def resolved_yaml(cfg: DictConfig) -> str:
    """The resolved configuration as the run's config.yaml. Values with `output_dir` still refer to it, so that
    the file has the identity of `cfg`."""
    values: dict[str, Any] = _replaced(_resolved(cfg)) | {"output_dir": cfg.output_dir}
    return OmegaConf.to_yaml(OmegaConf.create(values))


def is_relevant(path: str) -> bool:
    """Whether the setting at this path can change the result."""
    return not any(path == key or path.startswith(f"{key}.") for key in _IRRELEVANT)


def config_hash(cfg: DictConfig) -> str:
    """SHA-256 of the identity, in hexadecimal. A job's folder ends in the first 8 digits."""
    text = json.dumps(identity(cfg), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def short_hash(config_hash: str) -> str:
    """The first digits of a hash, the end of a folder's name."""
    return config_hash[:8]


def differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """The settings in which two identities differ, such as "sampling.alpha: 0.5 there, 0.25 here"."""
    saved, current = (dict(starmap(current_setting, each.items())) for each in (saved, current))
    return [
        f"{path}: {_shown(saved, path)} there, {_shown(current, path)} here"
        for path in sorted(saved.keys() | current.keys())
        if path not in saved or path not in current or saved[path] != current[path]
    ]


def is_layout(difference: str) -> bool:
    """Whether a line of `differences` is about the devices that share the work."""
    return difference.split(":", 1)[0].startswith(_LAYOUT)


def group_of(cfg: DictConfig, folder: Path) -> str:
    """The group of a run in a dashboard: the name of the folder that contains the folders of the jobs; for a run with
    an `output_dir` of its own, the name of the experiment."""
    return folder.parent.name if folder.name.endswith(f"_{short_hash(config_hash(cfg))}") else cfg.name


def _shown(settings: Mapping[str, Any], path: str) -> str:
    return str(settings[path]) if path in settings else "not set"


def _resolved(cfg: DictConfig, without: str | None = None) -> dict[str, Any]:
    """With a constant in place of `output_dir`, which may refer to values of Hydra; without the key `without`."""
    whole = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != without])
    OmegaConf.set_readonly(whole, False)
    whole.output_dir = _OUTPUT_DIR
    return plain(whole)


def _replaced(value: Any) -> Any:
    """With references to `output_dir`, and with what only looks like a reference escaped."""
    if isinstance(value, list):
        return [_replaced(item) for item in value]
    if isinstance(value, dict):
        return {key: _replaced(item) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    literal = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", value)
    return literal.replace(_OUTPUT_DIR, "${output_dir}")


def _canonical(value: Any) -> Any:
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, node

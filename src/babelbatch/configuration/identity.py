"""What makes a run the run that it is: the part of its configuration that can change the result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import starmap
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.former_targets import current_setting

# Where results go, what is shown, logged and kept, and how fast batches come: none of it changes a weight or a score.
_IRRELEVANT = (
    "hydra", "output_dir", "name", "logger", "data.num_workers", "callbacks.progress_bar", "callbacks.checkpoint",
    "trainer.log_every_n_steps", "trainer.enable_model_summary", "evaluation.vector_cache", "report",
)  # fmt: skip
_OUTPUT_DIR = "<output_dir>"


def identity(cfg: DictConfig) -> dict[str, Any]:
    """The resolved configuration as path -> value, without what cannot change the result.

    It is the same before and after `output_dir` is settled: what is made of it by interpolation counts as the same.
    Whole floats are integers here, so that `alpha=1` and `alpha=1.0` are one configuration.
    """
    whole = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    plain = _resolved(whole)
    leaves = dict(current_setting(path, value) for path, value in _leaves(plain, ""))
    return {path: _canonical(value) for path, value in sorted(leaves.items()) if is_relevant(path)}


def resolved_yaml(cfg: DictConfig) -> str:
    """The resolved configuration as a file of the run: only what is made of `output_dir` still refers to it, so that
    the identity of what is read back is that of `cfg`."""
    plain = _resolved(cfg)
    plain = _replaced(plain, _OUTPUT_DIR, "${output_dir}") | {"output_dir": cfg.output_dir}
    return OmegaConf.to_yaml(OmegaConf.create(plain))


def is_relevant(path: str) -> bool:
    """Whether what a configuration says there can change the result."""
    return not any(path == key or path.startswith(f"{key}.") for key in _IRRELEVANT)


def config_hash(cfg: DictConfig) -> str:
    """SHA-256 of the identity, in hexadecimal. A job's folder ends in the first 8 digits."""
    text = json.dumps(identity(cfg), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def short_hash(config_hash: str) -> str:
    """The digits of a hash that a folder's name ends in."""
    return config_hash[:8]


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What tells two identities apart, such as "sampling.alpha: 0.5 there, 0.25 here"."""
    there, here = (dict(starmap(current_setting, each.items())) for each in (there, here))
    return [
        f"{path}: {_shown(there, path)} there, {_shown(here, path)} here"
        for path in sorted(there.keys() | here.keys())
        if path not in there or path not in here or there[path] != here[path]
    ]


def group_of(cfg: DictConfig, folder: Path) -> str:
    """What one command started together, for a dashboard: the name of the folder that holds the jobs' folders; of a
    run that was given a folder of its own, the name of the experiment."""
    return folder.parent.name if folder.name.endswith(f"_{short_hash(config_hash(cfg))}") else cfg.name


def _shown(settings: Mapping[str, Any], path: str) -> str:
    return str(settings[path]) if path in settings else "not set"


def _resolved(cfg: DictConfig) -> dict[str, Any]:
    """With a mark for `output_dir`, which may be made of what only Hydra knows."""
    whole = OmegaConf.masked_copy(cfg, list(cfg))
    OmegaConf.set_readonly(whole, False)
    whole.output_dir = _OUTPUT_DIR
    return OmegaConf.to_container(whole, resolve=True)


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    if isinstance(value, dict):
        return {key: _replaced(item, old, new) for key, item in value.items()}
    return value.replace(old, new) if isinstance(value, str) else value


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

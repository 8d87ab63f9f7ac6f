"""`~` in settings: the home, on the command line and in the YAML files of a user."""

from __future__ import annotations

import os
import re
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf, read_write

_HOME = re.compile(r"~[\w.-]*/")
_TYPED = re.compile(r"(?:^|(?<=[,\[({:]))~[\w.-]*/")
_TEXTS = re.compile(r"(^|\.)(query|\w*prefix|\w*prompts?)(\.|$)")  # settings that are texts, and may begin with a tilde


def at_home(path: str, value: Any) -> Any:
    """The value of a setting, with the folder that a `~` at its beginning means."""
    if isinstance(value, str) and _HOME.match(value) and not _TEXTS.search(path):
        return os.path.expanduser(value)
    return value


def typed_at_home(override: str) -> str:
    """`key=~/place` with the home. Hydra's grammar has no `~` in an unquoted value, alone or in a list."""
    key, equals, value = override.partition("=")
    if not equals or _TEXTS.search(key):
        return override
    return key + equals + _TYPED.sub(lambda found: os.path.expanduser(found[0]), value)


def put_home(cfg: DictConfig) -> None:
    """Replaces every `~` in a composed configuration, which may have interpolations."""
    with read_write(cfg):
        _put(cfg, "")


def _put(node: Any, path: str) -> None:
    keys = list(range(len(node))) if isinstance(node, ListConfig) else list(node)
    for key in keys:
        if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key):
            continue
        value, place = node[key], f"{path}.{key}" if path else str(key)
        if isinstance(value, (DictConfig, ListConfig)):
            _put(value, place)
        elif (found := at_home(place, value)) != value:
            node[key] = found

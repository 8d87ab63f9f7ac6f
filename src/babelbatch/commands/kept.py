"""What a job reads, kept for the next job of the same process, if that asks for the same thing.

The jobs of a sweep of evaluations often differ only in how they compare vectors, and then reading their benchmark and
their encoder takes longer than all else but the ranking (docs/performance.md).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.inputs import is_own_code

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The value that was made last. One that is no longer asked for is released before another is made."""

    def __init__(self) -> None:
        self._description: object = None
        self._values: list[Value] = []

    def get(self, description: object, make: Callable[[], Value]) -> Value:
        """The value of this description, made unless it is the last one. None describes nothing: it is always made."""
        if description is None or description != self._description:
            self._description = None
            if self._values:
                self._values.clear()
                gc.collect()  # parts of an encoder may refer to each other
            self._values.append(make())
            self._description = description
        return self._values[0]


def description_of(node: DictConfig) -> object:
    """The settings of a node and the state of each file that one of them names, directly or by its folder: size and
    time of modification.

    None if code of the user's takes part, since nobody knows which files that reads.
    """
    settings = list(_settings(OmegaConf.to_container(node, resolve=True)))
    if any(is_own_code(key, value) for key, value in settings):
        return None
    return settings, [file_states(Path(value)) for _, value in settings if isinstance(value, str) and value]


def file_states(place: Path) -> list[tuple[str, int, int]]:
    """Path, size and time of modification of the file, or of all files below the folder; empty if there is neither."""
    files = [place] if os.path.isfile(place) else []  # unlike pathlib's, False for a prompt, too long for a name
    if os.path.isdir(place):
        files = sorted(file for file in place.rglob("*") if file.is_file())
    return [(str(file), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]


def _settings(node: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Path and value of each leaf."""
    if isinstance(node, dict | list):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            yield from _settings(value, f"{path}.{key}")
    else:
        yield path, node

"""What a job reads, kept for the next job of the same process, if that asks for the same thing.

The jobs of a sweep of evaluations often differ only in how they compare vectors, and then reading their benchmark and
their encoder takes longer than all else but the ranking (docs/performance.md).
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.inputs import is_own_code

Value = TypeVar("Value")

log = logging.getLogger(__name__)


class Kept(Generic[Value]):
    """The value that was made last. One that is no longer asked for is released before another is made.

    name: for the log. state: of a value; one whose state has changed since it was made is made again.
    """

    def __init__(self, name: str, state: Callable[[Value], object] = lambda _: None) -> None:
        self._name = name
        self._state = state
        self._made_of: object = None
        self._made: list[tuple[Value, object]] = []

    def get(self, description: object, make: Callable[[], Value]) -> Value:
        """The value of this description, made unless it is the last one. None describes nothing: what is made for it is
        not kept."""
        if description is not None and description == self._made_of and self._is_unchanged():
            log.info("%s is that of the job before, whose log has what there is to say about it", self._name)
            return self._made[0][0]
        self._made_of = None
        if self._made:
            self._made.clear()
            gc.collect()  # parts of an encoder may refer to each other
        value = make()
        if description is not None:
            self._made.append((value, self._state(value)))
            self._made_of = description
        return value

    def _is_unchanged(self) -> bool:
        return all(self._state(value) == state for value, state in self._made)


def description_of(node: DictConfig) -> object:
    """The settings of a node and the state of each file that one of them names, directly or by its folder.

    None if code of the user's takes part, since nobody knows which files it reads.
    """
    settings = list(_settings(OmegaConf.to_container(node, resolve=True)))
    if any(is_own_code(key, value) for key, value in settings):
        return None
    places = [Path(os.path.expanduser(value)) for _, value in settings if isinstance(value, str) and value]
    return settings, [file_states(place) for place in places]


def file_states(place: Path) -> list[tuple[str, int, int]]:
    """Path, size and time of modification of the file, or of all files below the folder; empty if there is neither."""
    states = []
    for file in _files(place):
        try:
            stat = os.stat(file)
        except FileNotFoundError:  # removed meanwhile
            continue
        states.append((file, stat.st_size, stat.st_mtime_ns))
    return sorted(states)


def _files(place: Path) -> Iterator[str]:
    if os.path.isfile(place):  # pathlib's method raises for a prompt, which is too long for a file name
        yield str(place)
    seen = set()
    for folder, below, names in os.walk(place, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:  # a link may lead back up
            below.clear()
            continue
        seen.add(real)
        yield from (os.path.join(folder, name) for name in names)


def _settings(node: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Path and value of each leaf; an empty mapping or list is one."""
    if isinstance(node, dict | list) and node:
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            yield from _settings(value, f"{path}.{key}")
    else:
        yield path, node

"""Versions of the local data files that a configuration names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig

from babelbatch.configuration.identity import identity
from babelbatch.configuration.schema import sha256_of
from babelbatch.runs.metrics_file import DamagedMetrics, read_metrics

_GROUPS = ("corpus", "validation", "benchmarks", "transform")
_KEYS = ("path", "data_dir", "dictionaries", "hub", "candidates")  # `hub` may be a folder
_HASHED = 64 * 2**20  # bytes; larger files would take too long to hash
_NO_DATA = (".yaml", ".log", ".md", ".py")
_RUN = "config.yaml"  # marks a folder of a run, whose files are no data
_PREFIX = "inputs/"
_SHOWN = 5


def input_versions(cfg: DictConfig) -> dict[str, str]:
    """`inputs/<key>/<file>` -> size and SHA-256 of each file that `corpus`, `validation`, `benchmarks` and `transform`
    name directly or by its folder; above 64 MB, size and modification time.

    <file> is the path below the key's folder, so that moved data have the same names. Hidden files, notes (.md, .py,
    .yaml, .log) and the folders of runs are ignored.
    """
    return {
        f"{_PREFIX}{key}/{name}": _version(file)
        for key, value in identity(cfg).items()
        if isinstance(value, str) and key.startswith(tuple(f"{group}." for group in _GROUPS)) and _is_place(key)
        for name, file in _files(Path(value))
    }


def changed_inputs(cfg: DictConfig, folder: Path) -> list[str]:
    """Files that differ from those of the finished run in `folder`, such as "corpus.path/train.jsonl (changed)".

    Empty for a run that did not record its inputs.
    """
    try:
        metrics = read_metrics(folder)
    except DamagedMetrics as error:
        raise ValueError(f"{error}; remove that folder and run the job again") from None
    saved = {key: value for key, value in metrics.items() if key.startswith(_PREFIX)}
    if not saved:
        return []
    current = input_versions(cfg)
    found = [
        f"{key.removeprefix(_PREFIX)} ({'new' if key not in saved else 'gone' if key not in current else 'changed'})"
        for key in sorted(saved.keys() | current.keys())
        if saved.get(key) != current.get(key)
    ]
    return found if len(found) <= _SHOWN else [*found[:_SHOWN], f"{len(found) - _SHOWN} more"]


def _is_place(key: str) -> bool:
    return key.rpartition(".")[2] in _KEYS


def _files(place: Path) -> Iterator[tuple[str, Path]]:
    if place.is_file():
        yield place.name, place
    seen = set()
    for folder, below, names in os.walk(place, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen or (_RUN in names and Path(folder) != place):  # a link may lead back up
            below.clear()
            continue
        seen.add(real)
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            file = Path(folder, name)
            if not name.startswith(".") and not name.endswith(_NO_DATA) and file.is_file():
                yield file.relative_to(place).as_posix(), file


def _version(file: Path) -> str:
    stat = file.stat()
    content = sha256_of(str(file)) if stat.st_size <= _HASHED else stat.st_mtime_ns
    return f"{stat.st_size} {content}"

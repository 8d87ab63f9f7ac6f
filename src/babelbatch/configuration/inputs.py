"""Versions of the local data files, and of the user's own code, that a configuration names."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
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
_TARGET = "_target_"
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def input_versions(cfg: DictConfig) -> dict[str, str]:
    """`inputs/<key>/<file>` -> size and SHA-256 of each file that `corpus`, `validation`, `benchmarks` and `transform`
    name directly or by its folder; above 64 MB, size and modification time.

    <file> is the path below the key's folder, so that moved data have the same names. Hidden files, notes (.md, .py,
    .yaml, .log) and the folders of runs are ignored. Code of the user that a `_target_` names is a file, too: the
    module, or all modules of its package; installed packages have versions instead.
    """
    settings = identity(cfg)
    data = {
        f"{_PREFIX}{key}/{name}": _version(file)
        for key, value in settings.items()
        if isinstance(value, str) and key.startswith(tuple(f"{group}." for group in _GROUPS)) and _is_place(key)
        for name, file in _files(Path(value))
    }
    code = {
        f"{_PREFIX}{key}/{name}": _version(file)
        for key, value in settings.items()
        if is_own_code(key, value)
        for name, file in _modules(str(value).partition(".")[0])
    }
    return data | code


def is_own_code(key: str, value: object) -> bool:
    """Whether a setting is a `_target_` outside babelbatch."""
    return key.rpartition(".")[2] == _TARGET and isinstance(value, str) and not value.startswith("babelbatch.")


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
    if not any(f".{_TARGET}/" in key for key in saved):  # of an earlier version, which did not record code
        current = {key: value for key, value in current.items() if f".{_TARGET}/" not in key}
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


def _modules(top: str) -> Iterator[tuple[str, Path]]:
    """The source files of a module or package that is not installed; nothing is imported."""
    try:
        spec = find_spec(top)
    except ValueError:  # such as __main__, which has none
        return
    if spec is None or not spec.origin or spec.origin.startswith(_INSTALLED):
        return
    origin = Path(spec.origin)
    if spec.submodule_search_locations is None:
        yield origin.name, origin
    else:
        for file in sorted(origin.parent.rglob("*.py")):
            yield file.relative_to(origin.parent.parent).as_posix(), file


def _version(file: Path) -> str:
    stat = file.stat()
    content = sha256_of(str(file)) if stat.st_size <= _HASHED else stat.st_mtime_ns
    return f"{stat.st_size} {content}"

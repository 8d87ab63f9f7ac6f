"""What the runs on disk say of the W&B project that they log to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from babelbatch.runs.files import CONFIG_FILE, METRICS_FILE


@dataclass(frozen=True, slots=True)
class LocalRuns:
    """folders: of the finished runs. benchmarks: all that they were evaluated on, in the order met, each with the
    metric to read first.
    entities, projects: those that their configurations name for W&B."""

    folders: tuple[Path, ...]
    benchmarks: dict[str, str]
    entities: tuple[str, ...]
    projects: tuple[str, ...]


def read_runs(place: Path) -> LocalRuns:
    """The finished runs in `place`: it may be a run, a sweep, or a folder of sweeps. None if there is no such folder.

    Raises ValueError, with the file's name, for one that cannot be read.
    """
    found = sorted(file.parent for depth in ("", "*/", "*/*/") for file in place.glob(depth + METRICS_FILE))
    benchmarks: dict[str, str] = {}
    entities: dict[str, None] = {}
    projects: dict[str, None] = {}
    for folder in found:
        metrics = _read(folder / METRICS_FILE)
        for name in metrics.get("benchmarks") or ():
            benchmarks.setdefault(name, metrics.get(f"metric/{name}", "map"))
        logged = ((_read(folder / CONFIG_FILE).get("logger") or {}).get("wandb")) or {}
        for names, key in ((entities, "entity"), (projects, "project")):
            if logged.get(key):
                names[logged[key]] = None
    return LocalRuns(tuple(found), benchmarks, tuple(entities), tuple(projects))


def _read(path: Path) -> dict:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(
            f"{path} cannot be read ({str(error).splitlines()[0]}): remove its run, or repeat it"
        ) from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: remove its run, or repeat it")
    return content

"""Reads from runs on disk which benchmarks they have and which W&B project they log to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from babelbatch.runs.files import CONFIG_FILE, METRICS_FILE


@dataclass(frozen=True, slots=True)
class LocalRuns:
    """folders: of finished runs. benchmarks: name -> its first metric, for all that the runs were evaluated on.
    entities, projects: those that their configurations name for W&B."""

    folders: tuple[Path, ...]
    benchmarks: dict[str, str]
    entities: tuple[str, ...]
    projects: tuple[str, ...]


def read_runs(place: Path) -> LocalRuns:
    """The finished runs in `place`: the folder of a run, of a sweep, or of several sweeps. Empty if it is missing.

    Raises ValueError, with the file's name, for a file that cannot be read.
    """
    folders = sorted(file.parent for depth in ("", "*/", "*/*/") for file in place.glob(depth + METRICS_FILE))
    benchmarks: dict[str, str] = {}
    entities: dict[str, None] = {}
    projects: dict[str, None] = {}
    for folder in folders:
        metrics = _read(folder / METRICS_FILE)
        for name in metrics.get("benchmarks") or ():
            benchmarks.setdefault(name, metrics.get(f"metric/{name}", "map"))
        logged = ((_read(folder / CONFIG_FILE).get("logger") or {}).get("wandb")) or {}
        for names, key in ((entities, "entity"), (projects, "project")):
            if logged.get(key):
                names[logged[key]] = None
    return LocalRuns(tuple(folders), benchmarks, tuple(entities), tuple(projects))


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); remove the folder or repeat its run"
        ) from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged; remove the folder or repeat its run")
    return content

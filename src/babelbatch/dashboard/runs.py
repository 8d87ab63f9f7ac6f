"""Reads from runs on disk which benchmarks they have and which W&B project they log to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babelbatch.runs.files import CONFIG_FILE, METRICS_FILE
from babelbatch.runs.metrics_file import DamagedMetrics, read_metrics
from babelbatch.storage.documents import UnreadableDocument, read_yaml_object


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
        loggers = _read(folder / CONFIG_FILE).get("logger")
        logged = loggers.get("wandb") if isinstance(loggers, dict) else None
        for names, key in ((entities, "entity"), (projects, "project")):
            if isinstance(logged, dict) and isinstance(name := logged.get(key), str) and name:
                names[name] = None
    return LocalRuns(tuple(folders), benchmarks, tuple(entities), tuple(projects))


def _read(path: Path) -> dict[str, Any]:
    """A file of a run; empty if it is missing."""
    try:
        return read_metrics(path.parent) if path.name == METRICS_FILE else read_yaml_object(path)
    except FileNotFoundError:
        return {}
    except (DamagedMetrics, UnreadableDocument, OSError) as error:
        raise ValueError(f"{path} cannot be read ({error}); remove the folder or repeat its run") from None

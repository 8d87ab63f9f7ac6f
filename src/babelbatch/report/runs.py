"""Finished runs, read from disk and checked."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from babelbatch.configuration.former_targets import current_setting
from babelbatch.configuration.identity import identity
from babelbatch.evaluation.custom import CUSTOM
from babelbatch.evaluation.metrics import NAMES, SETTINGS
from babelbatch.runs.files import CONFIG_FILE, METRICS_FILE, NEGATIVES_FILE, PER_QUERY_FILE, TRAINED

NEEDED = ("benchmark", "setting", "query_id", "query_language", "candidate_language", "map", "rank_distance")
"""The columns of per_query.parquet that a report cannot do without."""
WELCOME = (*(name for name in NAMES if name != "map"), "language_preference", "same_language@10")
"""Columns that it uses where they are present."""
AGAIN = "remove that folder and run the job again, or name only the other runs in runs="


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run. metrics: its metrics.json. settings: its configuration as path -> value, without what cannot
    change the result; of the evaluation of a run, that run's beside its own. per_query: the columns of its
    per_query.parquet that a report uses."""

    folder: Path
    metrics: dict[str, Any]
    settings: dict[str, Any]
    per_query: pa.Table

    @property
    def seed(self) -> int | None:
        """None for the evaluation of an encoder that was not trained here."""
        return self.metrics.get("seed")

    @property
    def benchmarks(self) -> tuple[str, ...]:
        return tuple(self.metrics["benchmarks"])


@dataclass(frozen=True, slots=True)
class Found:
    """runs: in the order of their folders' names. unfinished, repeated: folders that were left out, those without
    results and those whose configuration another folder has too."""

    runs: list[Run]
    unfinished: list[Path]
    repeated: list[Path]


def find_runs(folders: Iterable[Path]) -> Found:
    """The finished runs in `folders`: each may be a run, a sweep, or a folder of sweeps.

    Raises ValueError if a folder is missing, if there is no finished run, or if finished runs are damaged: then all
    of them are named, with file and remedy.
    """
    places: dict[Path, None] = {}
    folders = list(folders)
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"runs: there is no folder '{folder}'; name the folder of a run or of a sweep")
        places |= dict.fromkeys(_places(folder, 2))
    finished = [place for place in places if (place / METRICS_FILE).is_file()]
    if not finished:
        where = ", ".join(map(str, folders))
        begun = f" ({len(places)} begun: type the command that began them again)" if places else ""
        raise ValueError(
            f"runs: no finished run in {where}{begun}; a finished run is a folder with {METRICS_FILE}, such as "
            "babelbatch-train leaves in multirun/<name>"
        )
    runs, problems = [], []
    for place in finished:
        try:
            runs.append(read_run(place))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))
    once: dict[str, Run] = {}
    repeated = []
    for run in runs:
        if once.setdefault(json.dumps(run.settings, sort_keys=True), run) is not run:
            repeated.append(run.folder)
    return Found(list(once.values()), [place for place in places if place not in finished], repeated)


def read_run(folder: Path) -> Run:
    """The finished run in `folder`. Raises ValueError, with file and remedy, if a file is missing or damaged."""
    metrics = _metrics(folder / METRICS_FILE)
    path = folder / CONFIG_FILE
    try:
        settings = identity(OmegaConf.load(path))
    except FileNotFoundError:
        raise ValueError(f"{path} is missing, so nobody knows what the run was; {AGAIN}") from None
    except (OmegaConfBaseException, yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} is no configuration ({_line(error)}); {AGAIN}") from None
    return Run(folder, metrics, _with_trained(settings, metrics), _per_query(folder / PER_QUERY_FILE, metrics))


def _with_trained(settings: dict[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an evaluation and of the run that it evaluated, so that evaluations are compared as their runs
    would be. Where the run lies is not one of them, but which .ckpt file of it is."""
    trained = dict(
        current_setting(key.removeprefix(TRAINED), value) for key, value in metrics.items() if key.startswith(TRAINED)
    )
    if not trained:
        return settings
    own = {key: value for key, value in settings.items() if key != "checkpoint" and not key.startswith("encoder.")}
    checkpoint = Path(str(settings.get("checkpoint")))
    return trained | own | ({"checkpoint": checkpoint.name} if checkpoint.suffix == ".ckpt" else {})


def read_curves(run: Run) -> dict[str, list[tuple[int, float]]]:
    """metric -> (step, value) of a run's CSV log; nothing if it kept none."""
    path = run.folder / "csv" / "metrics.csv"
    curves: dict[str, list[tuple[int, float]]] = {}
    if not path.is_file():
        return curves
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.DictReader(file):
            step = row.get("step") or ""
            if not step.isdecimal():
                continue
            for name, value in row.items():
                if name and value and "/loss" in name:
                    try:
                        curves.setdefault(name, []).append((int(step) + 1, float(value)))
                    except ValueError:  # a row that is being written
                        continue
    return curves


def _places(folder: Path, depth: int) -> list[Path]:
    """The folders of runs in `folder`, down to `depth` levels; a run has none inside. A mined table is no run."""
    if (folder / NEGATIVES_FILE).is_file():
        return []
    if (folder / METRICS_FILE).is_file() or (folder / CONFIG_FILE).is_file():
        return [folder]
    if depth == 0:
        return []
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    return [place for path in inside for place in _places(path, depth - 1)]


def _metrics(path: Path) -> dict[str, Any]:
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({_line(error)}); {AGAIN}") from None
    if not isinstance(metrics, dict) or not metrics.get("benchmarks"):
        raise ValueError(f"{path} names no benchmarks; {AGAIN}")
    for name in metrics["benchmarks"]:
        if f"fingerprint/{name}" not in metrics:
            raise ValueError(f"{path} has no 'fingerprint/{name}'; {AGAIN}")
        metric = metrics.get(f"metric/{name}", "map")
        scored = [setting for setting in SETTINGS if any(key.startswith(f"{name}/{setting}/") for key in metrics)]
        for key in [f"{name}/{setting}/{metric}" for setting in scored or ["multilingual"]]:
            if key not in metrics:
                raise ValueError(f"{path} has no '{key}'; {AGAIN}")
    return metrics


def _per_query(path: Path, metrics: Mapping[str, Any]) -> pa.Table:
    try:
        names = pq.read_schema(path).names
        missing = [name for name in NEEDED if name not in names]
        if missing:
            raise ValueError(f"{path} has no column '{missing[0]}'; {AGAIN}")
        columns = [*NEEDED, *(name for name in (*WELCOME, *custom_metrics(metrics)) if name in names)]
        table = pq.read_table(path, columns=columns, read_dictionary=list(NEEDED[:5]))
    except FileNotFoundError:
        raise ValueError(f"{path} is missing; {AGAIN}") from None
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read, it may have been cut short ({_line(error)}); {AGAIN}") from None
    absent = set(metrics["benchmarks"]) - set(table["benchmark"].unique().to_pylist())
    if absent:
        raise ValueError(f"{path} has no rows of {', '.join(sorted(absent))}; {AGAIN}")
    return table


def custom_metrics(metrics: Mapping[str, Any]) -> dict[str, bool]:
    """name -> whether more is better, of the user's own metrics that a run was scored with (`evaluation.metrics`)."""
    return {key.removeprefix(CUSTOM): said != "lower" for key, said in metrics.items() if key.startswith(CUSTOM)}


def _line(error: Exception) -> str:
    """The first line of an error, which is about content; paths are said beside it."""
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__

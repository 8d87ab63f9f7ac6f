"""Reads finished runs from disk and checks them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import OmegaConf

from babelbatch.configuration.former_targets import current_setting
from babelbatch.configuration.identity import identity
from babelbatch.configuration.saved import UnreadableConfig, load_config
from babelbatch.evaluation.custom import CUSTOM
from babelbatch.evaluation.metrics import NAMES, SETTINGS
from babelbatch.foreign import SYSTEM_FILE
from babelbatch.progress import bar
from babelbatch.report.contrasts import Contrast, contrasts_of
from babelbatch.report.selection_rule import Rule, rule_of
from babelbatch.runs.files import CONFIG_FILE, METRICS_FILE, NEGATIVES_FILE, PER_QUERY_FILE, TRAINED
from babelbatch.runs.metrics_file import DamagedMetrics, read_metrics

REQUIRED_COLUMNS = ("benchmark", "setting", "query_id", "query_language", "candidate_language", "map", "rank_distance")
"""Columns of per_query.parquet without which there is no report."""
OPTIONAL_COLUMNS = (
    "cluster",
    "relevant",
    *(name for name in NAMES if name != "map"),
    "language_preference",
    "same_language@10",
)
"""Columns that a report uses where they exist."""
REMEDY = "remove that folder and run the job again, or name only the other runs in runs="


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run. metrics: the content of metrics.json. settings: configuration path -> value, only those that can
    change the result; an evaluation has the settings of the run that it evaluated too. per_query: the columns of
    per_query.parquet that a report uses. contrasts: the comparisons that it was planned for. selection: how
    hyperparameters are to be selected, if they are. system: its name if it was measured elsewhere."""

    folder: Path
    metrics: dict[str, Any]
    settings: dict[str, Any]
    per_query: pa.Table
    contrasts: tuple[Contrast, ...] = ()
    selection: Rule | None = None
    system: str | None = None

    @property
    def seed(self) -> int | None:
        """None for the evaluation of an encoder that no run trained."""
        seed: int | None = self.metrics.get("seed")
        return seed

    @property
    def benchmarks(self) -> tuple[str, ...]:
        return tuple(self.metrics["benchmarks"])


@dataclass(frozen=True, slots=True)
class FoundRuns:
    """runs: sorted by folder. unfinished: folders without results, left out. repeated: folders with the configuration
    of an earlier folder, left out. not_selected: how many more runs were candidates that were not selected. notes: what
    a reader must know of systems that were measured elsewhere, and of planned comparisons without runs."""

    runs: list[Run]
    unfinished: list[Path]
    repeated: list[Path]
    not_selected: int = 0
    notes: tuple[str, ...] = ()


def find_runs(folders: Iterable[Path], *, required: bool = True) -> FoundRuns:
    """The finished runs in `folders`: each is the folder of a run, of a sweep, or of several sweeps.

    required: whether there has to be one. Raises ValueError if a folder is missing, if no run is finished, or if
    finished runs are damaged; the message names every damaged file and the remedy.
    """
    places: dict[Path, None] = {}
    folders = list(folders)
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"runs: there is no folder '{folder}'; name the folder of a run or of a sweep")
        places |= dict.fromkeys(_run_folders(folder, 2))
    finished = [place for place in places if (place / METRICS_FILE).is_file()]
    if not finished and required:
        where = ", ".join(map(str, folders))
        begun = f" ({len(places)} unfinished: run their command again)" if places else ""
        raise ValueError(
            f"runs: no finished run in {where}{begun}; a finished run is a folder with {METRICS_FILE}, as "
            "babelbatch-train writes it in multirun/<name>"
        )
    runs, problems = [], []
    with bar("reading the runs", len(finished), "runs") as progress:
        for place in finished:
            try:
                runs.append(read_run(place))
            except ValueError as error:
                problems.append(str(error))
            progress.advance(1)
    if problems:
        raise ValueError("\n".join(problems))
    distinct: dict[str, Run] = {}
    repeated = []
    for run in runs:
        merged = [run.metrics.get(key) for key in ("seed", "merged/config_hashes")]  # which its settings do not have
        if distinct.setdefault(json.dumps([run.settings, *merged], sort_keys=True), run) is not run:
            repeated.append(run.folder)
    return FoundRuns(list(distinct.values()), [place for place in places if place not in finished], repeated)


def read_run(folder: Path) -> Run:
    """The finished run in `folder`. Raises ValueError, with file and remedy, if a file is missing or damaged."""
    metrics = _metrics(folder / METRICS_FILE)
    path = folder / CONFIG_FILE
    try:
        config = load_config(path)
        settings = identity(config)
    except FileNotFoundError:
        raise ValueError(f"{path} is missing, and the report needs it to name the run; {REMEDY}") from None
    except (UnreadableConfig, OSError) as error:
        raise ValueError(f"{path} is not a configuration ({_first_line(error)}); {REMEDY}") from None
    per_query = _per_query(folder / PER_QUERY_FILE, metrics)
    try:
        planned = {"report": OmegaConf.to_container(config["report"])} if "report" in config else {}
        contrasts, selection = contrasts_of(planned), rule_of(planned, tuple(custom_metrics(metrics)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}; {REMEDY}") from None
    return Run(folder, metrics, _with_trained(settings, metrics), per_query, contrasts, selection)


def _with_trained(settings: dict[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an evaluation joined with those of the run that it evaluated, so that evaluations are grouped as
    their runs would be. They omit the run's folder but keep the name of its .ckpt file."""
    trained = dict(
        current_setting(key.removeprefix(TRAINED), value) for key, value in metrics.items() if key.startswith(TRAINED)
    )
    if not trained:
        return settings
    own = {key: value for key, value in settings.items() if key != "checkpoint" and not key.startswith("encoder.")}
    checkpoint = Path(str(settings.get("checkpoint")))
    return trained | own | ({"checkpoint": checkpoint.name} if checkpoint.suffix == ".ckpt" else {})


def is_loss(name: str) -> bool:
    """Whether a logged metric is a loss."""
    return "/loss" in name


def read_curves(run: Run, wanted: Callable[[str], bool] = is_loss) -> dict[str, list[tuple[int, float]]]:
    """metric -> (step, value) of a run's CSV log; empty if it has no log. wanted: by name, which metrics."""
    path = run.folder / "csv" / "metrics.csv"
    curves: dict[str, list[tuple[int, float]]] = {}
    if run.system is not None or not path.is_file():
        return curves
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.DictReader(file):
            step = row.get("step") or ""
            if not step.isdecimal():
                continue
            for name, value in row.items():
                if name and value and wanted(name):
                    try:
                        curves.setdefault(name, []).append((int(step) + 1, float(value)))
                    except ValueError:  # the last row may be half written
                        continue
    return curves


def system_folders(folders: Iterable[Path]) -> list[Path]:
    """The folders in `folders` that declare systems measured elsewhere, at most two levels down."""
    found: dict[Path, None] = {}
    for folder in folders:
        inside = sorted(path.parent for depth in ("", "*/", "*/*/") for path in folder.glob(f"{depth}{SYSTEM_FILE}"))
        found |= dict.fromkeys(inside)
    return list(found)


def _run_folders(folder: Path, depth: int) -> list[Path]:
    """The folders of runs in `folder`, at most `depth` levels down. A run contains no run; tables of mined
    negatives and systems that were measured elsewhere are none."""
    if (folder / NEGATIVES_FILE).is_file() or (folder / SYSTEM_FILE).is_file():
        return []
    if (folder / METRICS_FILE).is_file() or (folder / CONFIG_FILE).is_file():
        return [folder]
    if depth == 0:
        return []
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    return [place for path in inside for place in _run_folders(path, depth - 1)]


def _metrics(path: Path) -> dict[str, Any]:
    try:
        metrics = read_metrics(path.parent)
    except DamagedMetrics as error:
        raise ValueError(f"{error}; {REMEDY}") from None
    if not metrics.get("benchmarks"):
        raise ValueError(f"{path} names no benchmarks; {REMEDY}")
    for name in metrics["benchmarks"]:
        if f"fingerprint/{name}" not in metrics:
            raise ValueError(f"{path} has no 'fingerprint/{name}'; {REMEDY}")
        metric = metrics.get(f"metric/{name}", "map")
        scored = [setting for setting in SETTINGS if any(key.startswith(f"{name}/{setting}/") for key in metrics)]
        for key in [f"{name}/{setting}/{metric}" for setting in scored or ["multilingual"]]:
            if key not in metrics:
                raise ValueError(f"{path} has no '{key}'; {REMEDY}")
    return metrics


def _per_query(path: Path, metrics: Mapping[str, Any]) -> pa.Table:
    try:
        names = pq.read_schema(path).names
        missing = [name for name in REQUIRED_COLUMNS if name not in names]
        if missing:
            raise ValueError(f"{path} has no column '{missing[0]}'; {REMEDY}")
        columns = [
            *REQUIRED_COLUMNS,
            *(name for name in (*OPTIONAL_COLUMNS, *custom_metrics(metrics)) if name in names),
        ]
        table = pq.read_table(
            path, columns=columns, read_dictionary=list(REQUIRED_COLUMNS[:5]), page_checksum_verification=True
        )
    except FileNotFoundError:
        raise ValueError(f"{path} is missing; {REMEDY}") from None
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read, it may be cut short ({_first_line(error)}); {REMEDY}") from None
    absent = set(metrics["benchmarks"]) - set(table["benchmark"].unique().to_pylist())
    if absent:
        raise ValueError(f"{path} has no rows of {', '.join(sorted(absent))}; {REMEDY}")
    return table


def custom_metrics(metrics: Mapping[str, Any]) -> dict[str, bool]:
    """name -> whether more is better, of the user's own metrics that a run was scored with (`evaluation.metrics`)."""
    return {key.removeprefix(CUSTOM): better != "lower" for key, better in metrics.items() if key.startswith(CUSTOM)}


def _first_line(error: Exception) -> str:
    """The first line of a message: the caller names the file."""
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__

"""Compact copies of what a report reads of its runs, to publish or to keep: the same report can be made from them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from omegaconf import OmegaConf

from babelbatch.configuration.saved import load_config
from babelbatch.evaluation.metrics import NAMES
from babelbatch.progress import bar
from babelbatch.report.measures import measures_of
from babelbatch.report.runs import Run, find_runs
from babelbatch.runs.files import CONFIG_FILE, METRICS_FILE, PER_QUERY_FILE
from babelbatch.storage import replaced_file, write_atomically

_CURVES = Path("csv", "metrics.csv")


def store_scores(folders: Sequence[Path], output: Path) -> None:
    """Writes one folder a finished run, `output`/<sweep>/<job>, with its configuration, metrics, loss curves and the
    scores by query that its report uses, compressed: a few hundred kB a benchmark, without the encoder and without
    the path of the run's folder.

    Copies of an earlier call are replaced. Raises ValueError for runs that are damaged, or would get one name, and if
    `output` is among the folders.
    """
    if any(output.resolve() == folder.resolve() for folder in folders):
        raise ValueError(f"scores: {output} is also in runs=; name another folder")
    runs = find_runs(folders).runs
    places: dict[Path, Run] = {}
    for run in runs:
        place = output / run.folder.resolve().parent.name / run.folder.name
        if place in places:
            raise ValueError(f"scores: {places[place].folder} and {run.folder} would both be {place}; rename one sweep")
        places[place] = run
    with bar("storing scores", len(runs), "runs") as progress:
        for place, run in places.items():
            _store(run, place)
            progress.advance(1)


def _store(run: Run, place: Path) -> None:
    """metrics.json comes last: without it the copy is no finished run."""
    place.mkdir(parents=True, exist_ok=True)
    (place / METRICS_FILE).unlink(missing_ok=True)
    scores = run.per_query.select(_used_columns(run))
    with_dictionary = [name for name in scores.column_names if name != "query_id"]  # which repeats, cell after cell
    with replaced_file(place / PER_QUERY_FILE) as file:
        pq.write_table(
            scores,
            file,
            compression="zstd",
            compression_level=19,
            use_dictionary=with_dictionary,
            write_page_checksum=True,
        )
    if (run.folder / _CURVES).is_file():
        (place / _CURVES).parent.mkdir(exist_ok=True)
        shutil.copyfile(run.folder / _CURVES, place / _CURVES)
    config = load_config(run.folder / CONFIG_FILE)
    config.output_dir = "."  # where the run was is nobody's business
    write_atomically(place / CONFIG_FILE, OmegaConf.to_yaml(config))
    with replaced_file(place / METRICS_FILE) as file:
        file.write((run.folder / METRICS_FILE).read_bytes())


def _used_columns(run: Run) -> list[str]:
    """The columns of the scores by query without the shipped metrics that no benchmark is read by first."""
    first = (run.metrics.get(f"metric/{name}", "map") for name in run.metrics["benchmarks"])
    used = {"map", *(measure.metric for metric in first for measure in measures_of(metric))}
    return [name for name in run.per_query.column_names if name in used or name not in NAMES]

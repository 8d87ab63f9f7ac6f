"""Tables of finished runs in the terminal, and the same as Markdown."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from babelbatch.evaluation.metrics import POOL_NAMES, SETTINGS, TITLES
from babelbatch.progress import percent_at_least
from babelbatch.report.numbers import fixed, with_unit
from babelbatch.report.places import without_html
from babelbatch.runs.files import METRICS_FILE
from babelbatch.runs.metrics_file import DamagedMetrics, read_metrics

log = logging.getLogger(__name__)

_NEEDED = ("strategy", "alpha", "seed", "seconds/train", "benchmarks")
COLUMNS = ("strategy", "alpha", "seed", "mono", "cross", "multi", "rank distance", "time")
_RANKED = ("map", "map@20", "recall@1", "recall@10")  # fits 80 characters together with the rank distance
_SEARCHED = ("ndcg@10", "map@20", "recall@1", "recall@10", "recall@100")  # all that the top 100 give


@dataclass(frozen=True, slots=True)
class Row:
    """One run on one benchmark: macro scores of the three settings, None where the benchmark lacks a setting.

    run: name of its folder. seconds: of training. metric: of the scores, as papers write it.
    """

    run: str
    benchmark: str
    strategy: str
    alpha: float
    seed: int
    monolingual: float | None
    crosslingual: float | None
    multilingual: float | None
    rank_distance: float | None
    seconds: float
    metric: str

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of `COLUMNS`."""
        scores = (self.monolingual, self.crosslingual, self.multilingual)
        return (
            self.strategy,
            f"{self.alpha:g}",
            str(self.seed),
            *("-" if score is None else fixed(score, 4) for score in scores),
            "-" if self.rank_distance is None else fixed(self.rank_distance, 1),
            with_unit(fixed(self.seconds, 0), "s"),
        )


def read_rows(folders: Iterable[Path]) -> list[Row]:
    """The rows of the finished training runs in `folders`, sorted by benchmark and metric. Skips other folders, such
    as evaluations."""
    finished = [folder for folder in folders if (folder / METRICS_FILE).exists()]
    trained = []
    for folder in finished:
        try:
            run = read_metrics(folder)
        except DamagedMetrics as error:
            log.warning("%s; it is left out of the table", error)
            continue
        if "seconds/train" not in run:
            continue
        if missing := [key for key in _NEEDED if run.get(key) is None]:
            log.warning("%s has no '%s'; it is left out of the table", folder / METRICS_FILE, missing[0])
            continue
        trained.append((folder.name, run))
    rows = [_row(name, benchmark, run) for name, run in trained for benchmark in run["benchmarks"]]
    return sorted(rows, key=lambda row: (row.benchmark, row.metric))


def _row(name: str, benchmark: str, run: dict[str, Any]) -> Row:
    metric = run.get(f"metric/{benchmark}", "map")
    return Row(
        run=name,
        benchmark=benchmark,
        strategy=run["strategy"],
        alpha=run["alpha"],
        seed=run["seed"],
        monolingual=run.get(f"{benchmark}/monolingual/{metric}"),
        crosslingual=run.get(f"{benchmark}/crosslingual/{metric}"),
        multilingual=run.get(f"{benchmark}/multilingual/{metric}"),
        rank_distance=run.get(f"{benchmark}/multilingual/rank_distance"),
        seconds=run["seconds/train"],
        metric=TITLES.get(metric, metric),
    )


def tables(rows: list[Row]) -> dict[tuple[str, str], list[tuple[str, ...]]]:
    """(benchmark, metric) -> header and rows of a table. Where several runs have the same strategy, alpha and seed, the
    last column is the name of the run's folder."""
    found = {}
    for benchmark, metric in dict.fromkeys((row.benchmark, row.metric) for row in rows):
        chosen = [row for row in rows if (row.benchmark, row.metric) == (benchmark, metric)]
        ambiguous = len({(row.strategy, row.alpha, row.seed) for row in chosen}) < len(chosen)
        header = (*COLUMNS, "run") if ambiguous else COLUMNS
        found[benchmark, metric] = [header, *((*row.cells(), row.run) if ambiguous else row.cells() for row in chosen)]
    return found


def print_tables(rows: list[Row]) -> None:
    """Prints one table a benchmark. Names of folders are too long for a column, so it has numbers, and the names follow
    below."""
    for (benchmark, metric), (header, *lines) in tables(rows).items():
        names = [line[-1] for line in lines] if header[-1] == "run" else []
        if names:
            lines = [(*line[:-1], str(number)) for number, line in enumerate(lines, 1)]
        distances = any(line[COLUMNS.index("rank distance")] != "-" for line in lines)
        note = "; rank distance (less is better)" if distances else ""
        table = Table(title=f"{benchmark}: {metric} by setting{note}")
        for column in header:
            table.add_column(column, justify="left" if column == "strategy" else "right", overflow="fold")
        for line in lines:
            table.add_row(*line)
        Console().print(table)
        for number, name in enumerate(names, 1):
            print(f"  {number:{len(str(len(names)))}}  {name}")


def print_scores(folders: Iterable[Path]) -> None:
    """Prints the macro scores of finished runs, one table a run and benchmark."""
    folders = list(folders)
    for folder in folders:
        metrics = read_metrics(folder)
        for benchmark in metrics["benchmarks"]:
            title = f"{benchmark}: {folder.name}" if len(folders) > 1 else benchmark
            searched = f"search/{benchmark}" in metrics
            first = metrics.get(f"metric/{benchmark}", "map")
            names = _SEARCHED if searched else _RANKED
            names = names if first in names else (first, names[0], *names[2:])
            columns = names if searched else (*names, "rank dist.", "of pool")
            table = Table(Column("setting", no_wrap=True), *columns, title=title)
            names = names if searched else (*names, *POOL_NAMES)
            for setting in SETTINGS:
                keys = [f"{benchmark}/{setting}/{metric}" for metric in names]
                table.add_row(setting, *(_score(key, metrics) for key in keys))
            Console().print(table)
            if found := _recall(benchmark, metrics):
                Console().print(found, markup=False, highlight=False)


def _recall(benchmark: str, metrics: Mapping[str, float]) -> str:
    """How much an approximate index finds, over the pool and in the languages. Empty if none was measured."""
    prefix = f"search_recall/{benchmark}/"
    recalls = {key.removeprefix(prefix): share for key, share in metrics.items() if key.startswith(prefix)}
    over_all = recalls.pop("all", None)
    parts = [] if over_all is None else [f"{percent_at_least(over_all, 1)} over the pool of all languages"]
    if recalls:
        worst = min(recalls, key=lambda language: recalls[language])
        parts.append(f"{percent_at_least(recalls[worst], 1)} or more within each language (least in {worst})")
    return f"Of the exact top 100 of a sample of queries the index finds {', '.join(parts)}." if parts else ""


def print_states(folder: Path, states: Iterable[tuple[str, str, str]]) -> None:
    """Prints the outcome of every job of a sweep. states: (state, name of the folder, reason or "")."""
    rows = list(states)
    print(f"\n{len(rows)} jobs in {folder}:")
    width = max((len(state) for state, _, _ in rows), default=0)
    for state, name, reason in rows:
        print(f"  {state:{width}}  {name}{': ' if reason else ''}{reason}")


def _score(key: str, metrics: Mapping[str, float]) -> str:
    if key not in metrics:
        return "-"
    return fixed(metrics[key], 1 if key.endswith("rank_distance") else 4)


def to_markdown(rows: list[Row]) -> str:
    """The tables of `print_tables` as Markdown."""
    text = ""
    for (benchmark, metric), (header, *lines) in tables(rows).items():
        rule = ["---" if column in {"strategy", "run"} else "---:" for column in header]
        table = "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))
        text += f"{benchmark}, {metric} by setting:\n\n{table}\n"
    return without_html(text)

"""Finished runs on disk, side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from babelbatch.metrics import POOL_NAMES, SETTINGS
from babelbatch.run_files import METRICS_FILE

COLUMNS = ("strategy", "alpha", "seed", "mono", "cross", "multi", "rank distance", "time")
_IN_TERMINAL = ("map", "map@20", "recall@1", "recall@10")  # what 80 characters hold beside the rank distance


@dataclass(frozen=True, slots=True)
class Row:
    """One run on one benchmark: macro mAP of the three settings, rank distance, training time in seconds.

    run: the name of its folder.
    """

    run: str
    benchmark: str
    strategy: str
    alpha: float
    seed: int
    monolingual: float
    crosslingual: float | None
    multilingual: float
    rank_distance: float
    seconds: float

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of `COLUMNS`."""
        crosslingual = "-" if self.crosslingual is None else f"{self.crosslingual:.4f}"
        return (
            self.strategy,
            f"{self.alpha:g}",
            str(self.seed),
            f"{self.monolingual:.4f}",
            crosslingual,
            f"{self.multilingual:.4f}",
            f"{self.rank_distance:.1f}",
            f"{self.seconds:.0f} s",
        )


def read_rows(folders: Iterable[Path]) -> list[Row]:
    """The rows of the finished runs among `folders`, by benchmark, in the order given."""
    finished = [folder for folder in folders if (folder / METRICS_FILE).exists()]
    runs = [(folder.name, json.loads((folder / METRICS_FILE).read_text())) for folder in finished]
    rows = [_row(name, benchmark, run) for name, run in runs for benchmark in run["benchmarks"]]
    return sorted(rows, key=lambda row: row.benchmark)


def _row(name: str, benchmark: str, run: dict) -> Row:
    return Row(
        run=name,
        benchmark=benchmark,
        strategy=run["strategy"],
        alpha=run["alpha"],
        seed=run["seed"],
        monolingual=run[f"{benchmark}/monolingual/map"],
        crosslingual=run.get(f"{benchmark}/crosslingual/map"),
        multilingual=run[f"{benchmark}/multilingual/map"],
        rank_distance=run[f"{benchmark}/multilingual/rank_distance"],
        seconds=run["seconds/train"],
    )


def tables(rows: list[Row]) -> dict[str, list[tuple[str, ...]]]:
    """For each benchmark, the header and the rows of its table. Runs that strategy, alpha and seed do not tell apart
    are told apart by a last column with the name of their folder."""
    found = {}
    for benchmark in dict.fromkeys(row.benchmark for row in rows):
        chosen = [row for row in rows if row.benchmark == benchmark]
        ambiguous = len({(row.strategy, row.alpha, row.seed) for row in chosen}) < len(chosen)
        header = (*COLUMNS, "run") if ambiguous else COLUMNS
        found[benchmark] = [header, *((*row.cells(), row.run) if ambiguous else row.cells() for row in chosen)]
    return found


def print_tables(rows: list[Row]) -> None:
    """One table a benchmark, in the terminal."""
    for benchmark, (header, *lines) in tables(rows).items():
        table = Table(title=f"{benchmark}: mAP by setting; rank distance (less is less language bias)")
        for column in header:
            table.add_column(column, justify="left" if column in {"strategy", "run"} else "right", overflow="fold")
        for line in lines:
            table.add_row(*line)
        Console().print(table)


def print_scores(folders: Iterable[Path]) -> None:
    """The macro scores of finished runs, one table a benchmark, in the terminal."""
    for folder in folders:
        metrics = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
        for benchmark in metrics["benchmarks"]:
            table = Table("setting", *_IN_TERMINAL, "rank dist.", "of pool", title=benchmark)
            for setting in SETTINGS:
                keys = [f"{benchmark}/{setting}/{metric}" for metric in (*_IN_TERMINAL, *POOL_NAMES)]
                table.add_row(setting, *(_shown(key, metrics) for key in keys))
            Console().print(table)


def print_states(place: Path, states: Iterable[tuple[str, str, str]]) -> None:
    """What became of the jobs of a sweep, a line each. states: (state, name of the folder, reason or "")."""
    rows = list(states)
    print(f"\n{len(rows)} jobs in {place}:")
    width = max((len(state) for state, _, _ in rows), default=0)
    for state, name, reason in rows:
        print(f"  {state:{width}}  {name}{': ' if reason else ''}{reason}")


def _shown(key: str, metrics: Mapping[str, float]) -> str:
    if key not in metrics:
        return "-"
    return f"{metrics[key]:.1f}" if key.endswith("rank_distance") else f"{metrics[key]:.4f}"


def to_markdown(rows: list[Row]) -> str:
    """The same tables for a document."""
    text = ""
    for benchmark, (header, *lines) in tables(rows).items():
        rule = ["---" if column in {"strategy", "run"} else "---:" for column in header]
        table = "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))
        text += f"{benchmark}, mAP by setting:\n\n{table}\n"
    return text

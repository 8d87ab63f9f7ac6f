"""The commands. They stay light: torch and Lightning are imported when a job starts, not before."""

from __future__ import annotations

import sys
from pathlib import Path

from babelbatch.launch import launch


def train() -> None:
    """babelbatch-train"""
    launch("train", _compare)


def evaluate() -> None:
    """babelbatch-evaluate"""
    launch("evaluate", _score)


def dashboard() -> None:
    """babelbatch-dashboard"""
    from babelbatch.dashboard import main

    sys.exit(main(sys.argv[1:]))


def _compare(folders: list[Path], sweep: bool) -> None:
    """The finished runs of a command, side by side: printed, and of a sweep also as comparison.md beside them."""
    from babelbatch.report import print_tables, read_rows, to_markdown
    from babelbatch.run_files import write_atomically

    rows = read_rows(folders)
    if not rows:
        return
    print()
    print_tables(rows)
    if sweep:
        place = folders[0].parent
        write_atomically(place / "comparison.md", to_markdown(rows))
        print(f"The results lie in {place}\n  comparison.md, and a folder a run: ", end="")
    else:
        print(f"The results lie in {folders[0]}\n  ", end="")
    print("metrics.json, per_query.parquet, <benchmark>_map.png, encoder/ (the trained model)")


def _score(folders: list[Path], sweep: bool) -> None:
    """The scores of the finished evaluations of a command."""
    from babelbatch.report import print_scores

    print_scores(folders)
    print("The results lie in", *folders, sep="\n  ")
    print("metrics.json (every cell), per_query.parquet, <benchmark>_map.png")

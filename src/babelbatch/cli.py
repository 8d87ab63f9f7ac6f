"""The commands. They stay light: torch and Lightning are imported when a job starts, not before."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from babelbatch.launch import launch


def train() -> None:
    """babelbatch-train"""

    def job(cfg: DictConfig, folder: Path) -> None:
        from babelbatch.train import train as run

        run(cfg, folder)

    launch(job, "train", _compare)


def evaluate() -> None:
    """babelbatch-evaluate"""

    def job(cfg: DictConfig, folder: Path) -> None:
        from babelbatch.evaluate import evaluate as run

        run(cfg, folder)

    launch(job, "evaluate", lambda folders, sweep: None)


def _compare(folders: list[Path], sweep: bool) -> None:
    """The finished runs of a command, side by side: printed, and of a sweep also as comparison.md beside them."""
    from babelbatch.report import print_tables, read_rows, to_markdown
    from babelbatch.run_folder import write_atomically

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

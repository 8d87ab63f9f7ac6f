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

    launch(job, "evaluate", lambda folders: None)


def _compare(folders: list[Path]) -> None:
    """The finished jobs of a sweep, side by side: printed, and as comparison.md beside their folders."""
    from babelbatch.report import print_tables, read_rows, to_markdown
    from babelbatch.run_folder import write_atomically

    rows = read_rows(folders)
    if not rows:
        return
    print()
    print_tables(rows)
    sweep = folders[0].parent
    write_atomically(sweep / "comparison.md", to_markdown(rows))
    print(
        f"\nThe results lie in {sweep}: a folder a job (metrics.json, per_query.parquet, pictures), and comparison.md"
    )

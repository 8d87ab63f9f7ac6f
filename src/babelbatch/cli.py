"""The commands. They stay light: torch and Lightning are imported when a job starts, not before."""

from __future__ import annotations

import sys
from pathlib import Path

from babelbatch.jobs.launch import launch


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


def data() -> None:
    """babelbatch-data"""
    from babelbatch.describe import main

    sys.exit(main(sys.argv[1:]))


def report() -> None:
    """babelbatch-report"""
    from babelbatch.report.command import main

    main()


def mine() -> None:
    """babelbatch-mine"""
    launch("mine", _mined)


def _compare(folders: list[Path], sweep: bool) -> None:
    """The finished runs of a command, side by side: printed; and of a sweep, as comparison.md and as a report, all
    finished runs in its folder, also those of earlier commands."""
    from babelbatch.report.terminal import print_tables, read_rows, to_markdown
    from babelbatch.runs.files import METRICS_FILE
    from babelbatch.storage import write_atomically

    rows = read_rows(folders)
    if not rows:
        return
    print()
    print_tables(rows)
    place = folders[0].parent if sweep else folders[0]
    if sweep:
        all_rows = read_rows(sorted(file.parent for file in place.glob(f"*/{METRICS_FILE}")))
        write_atomically(place / "comparison.md", to_markdown(all_rows))
    print(f"The results lie in {place}\n  {'comparison.md, and a folder a run: ' if sweep else ''}", end="")
    print("metrics.json, per_query.parquet, <benchmark>_<metric>.png, encoder/ (the trained model)")
    if sweep:
        _report(place, folders)


def _report(place: Path, folders: list[Path]) -> None:
    """Writes the report of a sweep's folder and prints where it is. Where not all of its runs can be compared, the
    report is of this command's. That there is none is told, and is no failure of the runs."""
    from babelbatch.report.page import write_report

    try:
        try:
            page = write_report([place], place / "report")
        except ValueError as refusal:
            page = write_report(folders, place / "report")
            print(f"The report is of this command's runs only. Of all in the folder: {refusal}")
    except Exception as error:  # whatever it is, the runs are finished and stay so
        print(f"There is no report. {error if isinstance(error, (ValueError, OSError)) else repr(error)}")
    else:
        print(f"Who leads, and how sure that is:\n  {page}")


def _score(folders: list[Path], sweep: bool) -> None:
    """The scores of the finished evaluations of a command; and of a sweep, a report."""
    from babelbatch.report.terminal import print_scores

    print_scores(folders)
    print("The results lie in", *folders, sep="\n  ")
    print("metrics.json (every cell), per_query.parquet, <benchmark>_<metric>.png")
    if sweep:
        _report(folders[0].parent, folders)


def _mined(folders: list[Path], sweep: bool) -> None:
    """What the finished minings of a command found, a line each, and how to train on it."""
    import json

    from babelbatch.runs.files import METRICS_FILE, NEGATIVES_FILE

    for folder in folders:
        found = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
        slots = f"{found['slots_filled']:,} of {found['slots']:,} questions (an item in a language)"
        told = [f"{found['negatives']:,} hard negatives for {slots}"]
        if found["negatives"]:
            told.append(f"median rank {found['median_rank']:g}")
            told.append(f"mean score {found['mean_score']:.3f}, right passages {found['mean_positive_score']:.3f}")
        if recalls := [value for key, value in found.items() if key.startswith("recall/")]:
            told.append(f"the index finds {min(recalls):.1%} or more of the exact neighbours")
        print(f"{'; '.join(told)}; {found['seconds/mine']:.0f} s")
        if found["negatives"]:
            print(f"To train on them: babelbatch-train ... negatives={folder / NEGATIVES_FILE}")
        else:
            print("All that was found scores too near the right passage; lower mining.relative_margin")

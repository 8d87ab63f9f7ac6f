"""The commands. torch and Lightning are imported when a job starts, not before."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from babelbatch import use_own_hub_cache
from babelbatch.distributed.ranks import global_rank
from babelbatch.jobs.uncollected import uncollected_imports

if TYPE_CHECKING:
    from omegaconf import DictConfig

_WITHOUT_NEGATIVES = {
    "only_answers": "every passage that was found answers the query; mining.languages=any searches more passages",
    "outside_ranks": "no other passage is in the ranks mining.first_rank to mining.last_rank",
    "too_close": "all in these ranks score too close to the positive; lower mining.relative_margin or absolute_margin",
}
_INSTEAD_OF_JOBS = ("-h", "--help", "--hydra-help", "-c", "--cfg", "-i", "--info", "-sc", "--shell-completion")


def train() -> None:
    """babelbatch-train"""
    _run_jobs("train", _compare_runs)


def evaluate() -> None:
    """babelbatch-evaluate"""
    _run_jobs("evaluate", _print_evaluations)


def mine() -> None:
    """babelbatch-mine"""
    _run_jobs("mine", _print_minings)


def fetch() -> None:
    """babelbatch-fetch"""
    _begin()
    _say("checking the configuration")
    use_own_hub_cache(create=True)
    from babelbatch.jobs.fetching import main

    sys.exit(main(sys.argv[1:]))


def merge() -> None:
    """babelbatch-merge"""
    _begin()
    _say("reading the runs")
    with uncollected_imports():
        from babelbatch.commands.merge_command import main

    main()


def search() -> None:
    """babelbatch-search"""
    _begin()
    _say("checking the configuration")
    from babelbatch.jobs.direct import run_directly

    def work(cfg: DictConfig) -> None:
        _say("importing torch and Transformers")
        with uncollected_imports():
            from babelbatch.commands.search import search

        search(cfg)

    run_directly("search", work, texts=("query",))


def encode() -> None:
    """babelbatch-encode"""
    _begin()
    _say("checking the configuration")
    from babelbatch.jobs.direct import run_directly

    def work(cfg: DictConfig) -> None:
        _say("importing torch and Transformers")
        with uncollected_imports():
            from babelbatch.commands.encode import encode

        encode(cfg)

    run_directly("encode", work)


def export() -> None:
    """babelbatch-export"""
    _begin()
    _say("checking the configuration")
    from babelbatch.jobs.direct import run_directly

    def work(cfg: DictConfig) -> None:
        _say("importing torch and Transformers")
        with uncollected_imports():
            from babelbatch.commands.export import export

        export(cfg)

    run_directly("export", work)


def dashboard() -> None:
    """babelbatch-dashboard"""
    _begin()
    _say("reading the runs")
    from babelbatch.dashboard import main

    sys.exit(main(sys.argv[1:]))


def data() -> None:
    """babelbatch-data"""
    _begin()
    _say("checking the configuration")
    from babelbatch.describe import main

    sys.exit(main(sys.argv[1:]))


def report() -> None:
    """babelbatch-report"""
    _begin()
    if sys.argv[1:]:  # else it prints how to use it
        _say("reading the runs")
    from babelbatch.report.command import main

    main()


def _run_jobs(root: str, show: Callable[[list[Path], bool], None]) -> None:
    _begin()
    _say("checking the configuration")
    from babelbatch.jobs.launch import launch

    launch(root, show)


def _begin() -> None:
    """Prints babelbatch's version if that is asked for; Hydra's own `--version` prints Hydra's. Puts the home into
    `--config-dir=~/...`, which not every shell does."""
    place = re.compile(r"(--config-dir=|-cd=?)?(~.*)")
    for number, argument in enumerate(sys.argv[1:], 1):
        found = place.fullmatch(argument)
        if found and (found[1] or sys.argv[number - 1] in ("--config-dir", "-cd")):
            sys.argv[number] = (found[1] or "") + os.path.expanduser(found[2])
    if "--version" in sys.argv[1:]:
        from babelbatch.runs.provenance import version_text

        print(version_text())
        sys.exit()


def _say(message: str) -> None:
    """Prints what begins now, before the imports that it needs, unless the command only prints something. Not logged:
    before the jobs nothing is set up, and after them the log is that of the last job."""
    options = [argument.partition("=")[0] for argument in sys.argv[1:]]
    if global_rank() == 0 and not any(option in _INSTEAD_OF_JOBS for option in options):
        print(f"babelbatch: {message}", file=sys.stderr, flush=True)


def _compare_runs(folders: list[Path], multirun: bool) -> None:
    """Prints a table of a command's finished runs. For a sweep it also writes comparison.md and a report, with all
    finished runs in its folder, including those of earlier commands."""
    from babelbatch.report.terminal import print_tables, read_rows, to_markdown
    from babelbatch.runs.files import METRICS_FILE
    from babelbatch.storage import write_atomically

    rows = read_rows(folders)
    if not rows:
        return
    print()
    print_tables(rows)
    place = folders[0].parent if multirun else folders[0]
    if multirun:
        all_rows = read_rows(sorted(file.parent for file in place.glob(f"*/{METRICS_FILE}")))
        write_atomically(place / "comparison.md", to_markdown(all_rows))
    print(f"Results: {place}\n  {'comparison.md, and for each run a folder with ' if multirun else ''}", end="")
    print("metrics.json, per_query.parquet, <benchmark>_<metric>.png, encoder/ (the trained model)")
    if multirun:
        _write_report(place, folders)


def _write_report(place: Path, folders: list[Path]) -> None:
    """Writes the report of a sweep's folder and prints its path. If its runs cannot all be compared, the report has
    those of this command only. A failure of the report is printed and does not fail the command."""
    _say("writing the report")
    from babelbatch.report.page import write_report

    try:
        try:
            page = write_report([place], place / "report")
        except ValueError as error:
            page = write_report(folders, place / "report")
            print(f"The report compares the runs of this command only. All runs in the folder: {error}")
    except Exception as error:  # the runs are finished nevertheless
        print(f"No report was written. {error if isinstance(error, (ValueError, OSError)) else repr(error)}")
    else:
        print(f"Report, with confidence intervals and tests:\n  {page}")


def _print_evaluations(folders: list[Path], multirun: bool) -> None:
    """Prints the scores of the finished evaluations of a command. For a sweep it also writes a report."""
    from babelbatch.report.terminal import print_scores

    print_scores(folders)
    print("Results:", *folders, sep="\n  ")
    print("metrics.json (every cell), per_query.parquet, <benchmark>_<metric>.png")
    if multirun:
        _write_report(folders[0].parent, folders)


def _print_minings(folders: list[Path], multirun: bool) -> None:
    """Prints what each finished mining of a command found, and how to train on it."""
    from babelbatch.progress import percent_at_least
    from babelbatch.runs.files import NEGATIVES_FILE
    from babelbatch.runs.metrics_file import read_metrics

    for folder in folders:
        found = read_metrics(folder)
        queries = f"{found['slots_filled']:,} of {found['slots']:,} queries (an item in a language)"
        parts = [f"{found['negatives']:,} hard negatives for {queries}"]
        if found["negatives"]:
            parts.append(f"median rank {found['median_rank']:g}")
            parts.append(f"mean score {found['mean_score']:.3f}, of their positives {found['mean_positive_score']:.3f}")
        if (of_all := found.get("mean_slot_score")) is not None:
            parts.append(f"of the positives of all queries {of_all:.3f}")
        if recalls := [value for key, value in found.items() if key.startswith("recall/")]:
            pools = "" if len(recalls) == 1 else " in each pool"
            parts.append(f"the index finds {percent_at_least(min(recalls), 1)} of the exact neighbours or more{pools}")
        print(f"{'; '.join(parts)}; {found['seconds/mine']:.0f} s")
        for reason, sentence in _WITHOUT_NEGATIVES.items():
            if count := found.get(f"slots_{reason}"):
                print(f"{count:,} without: {sentence}")
        if found["negatives"]:
            print(f"To train on them: babelbatch-train ... negatives={folder / NEGATIVES_FILE}")

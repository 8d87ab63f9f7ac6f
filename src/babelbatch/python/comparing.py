"""The comparison of finished runs as a data frame."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

import pandas as pd

from babelbatch.progress import silent
from babelbatch.report.page import compared_runs
from babelbatch.report.settings import Settings
from babelbatch.report.tables import comparisons_data

_NAMES = {"a minus b": "difference", "p by Holm": "p_holm"}


def compare(
    run_folders: str | Path | Iterable[str | Path],
    *,
    benchmarks: Iterable[str] = (),
    level: float = 0.95,
    margin: float = 0.01,
    progress: bool = True,
) -> pd.DataFrame:
    """The tests of babelbatch-report: a row for each benchmark, pair of groups and measure.

    Groups `a` and `b` (the runs that differ in the seed alone), `setting`, `metric`, the estimates `value_a` and
    `value_b`, their `difference` (a minus b) with its interval `low` to `high`, `p` and `p_holm`, corrected over all
    pairs and measures of a benchmark, and `better`: the group that is significantly better, or missing. The further
    columns are those of the report's comparisons.csv. A pair that cannot be tested has one row, with the reason in
    `not_tested`.

    run_folders: of runs, of sweeps, or of several sweeps. benchmarks, level, margin: as of babelbatch-report. progress:
        whether to show bars. Raises ValueError for runs that are missing, damaged, or cannot be compared.
    """
    folders = [run_folders] if isinstance(run_folders, str | Path) else list(run_folders)
    settings = Settings(level=level, margin=margin, benchmarks=tuple(benchmarks))
    with nullcontext() if progress else silent():
        studies = compared_runs([Path(folder).expanduser() for folder in folders], settings).studies
    data = comparisons_data(studies)
    frame = pd.DataFrame(data.rows, columns=[_NAMES.get(name, name.replace(" ", "_")) for name in data.columns])
    pairs = [(study, pair) for study in studies for pair in study.pairs]
    values = {
        side: [study.estimates[getattr(pair, side), pair.measure].value for study, pair in pairs] for side in ("a", "b")
    }
    place = frame.columns.get_loc("difference")
    assert isinstance(place, int)
    frame.insert(place, "value_a", values["a"])
    frame.insert(place + 1, "value_b", values["b"])
    frame["better"] = [pair.better() if pair.settled(study.level) else None for study, pair in pairs]
    frame["not_tested"] = None
    untested = [
        {"benchmark": study.benchmark, "a": each.a, "b": each.b, "not_tested": each.reason}
        for study in studies
        for each in study.untested
    ]
    return pd.concat([frame, pd.DataFrame(untested, columns=frame.columns)], ignore_index=True) if untested else frame

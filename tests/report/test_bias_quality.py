"""Language bias tested, and read at equal quality over the evaluations during training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from babelbatch.report.bias_quality import bias_at_quality, curve_of
from babelbatch.report.bias_tests import bias_tests
from babelbatch.report.comparisons import MULTILINGUAL, RANK_DISTANCE, Study, study
from babelbatch.report.grouping import grouped
from babelbatch.report.page import write_report
from babelbatch.report.runs import find_runs, read_run
from babelbatch.report.svg import SERIES
from babelbatch.statistics import holm
from run_folders import write_run

HEAD = "step,facts/multilingual/map,facts/multilingual/rank_distance,train/loss/x_x"


def logged(folder: Path, points: Sequence[tuple[float, float]]) -> None:
    """An evaluation every 25 steps of 100, a loss between, and the final evaluation after the last step."""
    (folder / "csv").mkdir(exist_ok=True)
    lines = [HEAD, "9,,,2.5"]
    lines += [f"{25 * (number + 1) - 1},{quality},{bias}," for number, (quality, bias) in enumerate(points)]
    (folder / "csv" / "metrics.csv").write_text("\n".join([*lines, "100,0.99,1.0,"]) + "\n")


def studied(place: Path) -> Study:
    return study("facts", grouped(find_runs([place]).runs))


def two_strategies(place: Path, less: float = 0.0, begins: float = 0.2, seeds: int = 3) -> Path:
    """Rank distance falls by 100 for each 0.1 of mAP in both; that of X-Y is `less` lower, and X-Y learns faster."""
    for strategy, alpha, speed, shift in (("x_x", 1.0, 0.1, 0.0), ("x_y", 0.0, 0.2, -less)):
        for seed in range(seeds):
            start = 0.1 if strategy == "x_x" else begins
            qualities = [start + speed * number for number in range(4)]
            folder = write_run(place / f"{strategy}{seed}", strategy, alpha, seed, bias=True)
            logged(folder, [(quality, 1000 - 1000 * quality + shift + seed) for quality in qualities])
    return place


def test_a_curve_has_the_evaluations_during_training(tmp_path: Path) -> None:
    run = read_run(two_strategies(tmp_path) / "x_x0")
    assert curve_of(run, "facts", MULTILINGUAL, RANK_DISTANCE) == [
        (0.1, 900),
        (0.2, 800),
        (0.30000000000000004, 700),
        (0.4, 600),
    ]


def test_more_strategies_than_colours_are_counted(tmp_path: Path) -> None:
    for number in range(SERIES + 1):
        logged(write_run(tmp_path / str(number), "hybrid", number / 10, bias=True), [(0.1, 900), (0.2, 800)])
    section = bias_at_quality(studied(two_strategies(tmp_path)))
    assert section is not None
    assert [figure.title for figure in section.figures] == [
        "Rank distance against mAP over the pool, 6 of 9 strategies"
    ]


def test_one_line_is_no_difference_and_another_is(tmp_path: Path) -> None:
    alike = bias_at_quality(studied(two_strategies(tmp_path / "alike")))
    assert alike is not None
    assert alike.sentences == ("At equal quality no difference in language bias is significant.",)
    section = bias_at_quality(studied(two_strategies(tmp_path / "less", less=50.0)))
    assert section is not None
    (sentence,) = section.sentences
    assert sentence.startswith(
        "At equal mAP over the pool, 0.400, X-Y has less rank distance than X-X: 551.0 against 601.0 (p"
    )
    ((label, _, ((shown, _),)),) = section.grid.rows
    assert (label, shown) == ("X-Y", "−50.0 at 0.400")
    (figure,) = section.figures
    assert figure.title == "Rank distance against mAP over the pool"
    assert [row[:2] for row in figure.data.rows] == [(name, n) for name in ("X-Y", "X-X") for n in (1, 2, 3, 4)]


def test_curves_that_do_not_overlap_are_said_not_to_be_comparable(tmp_path: Path) -> None:
    section = bias_at_quality(studied(two_strategies(tmp_path, begins=0.5)))
    assert section is not None
    assert section.sentences == ("X-Y and X-X, rank distance: not comparable, because their curves do not overlap.",)
    assert len(section.figures) == 1


def test_one_run_each_is_drawn_and_not_tested(tmp_path: Path) -> None:
    section = bias_at_quality(studied(two_strategies(tmp_path, seeds=1)))
    assert section is not None
    assert section.sentences == (
        "The run of X-Y and the run of X-X, rank distance: not tested, because a test over runs takes two of each.",
    )


def test_without_evaluations_during_training_there_is_no_section(tmp_path: Path) -> None:
    for name, alpha in (("x_x", 1.0), ("x_y", 0.0)):
        write_run(tmp_path / name, name, alpha, curves=True)
    assert bias_at_quality(studied(tmp_path)) is None


def test_preference_is_tested_against_x_x(tmp_path: Path) -> None:
    section = bias_tests(studied(two_strategies(tmp_path)))
    assert section is not None
    (sentence,) = section.sentences
    assert sentence.startswith(
        "X-Y and X-X do not differ significantly in how often the best-ranked relevant candidate is in the query's "
        "language (0."
    )
    (row,) = section.data.rows
    assert row[1:4] == ("X-Y", "X-X", "language_preference")
    assert [row[-1]] == holm([row[-2]])


def test_a_preference_that_differs_is_said_beside_the_quality(tmp_path: Path) -> None:
    for strategy, alpha in (("x_x", 1.0), ("x_y", 0.0)):
        for seed in range(3):
            folder = write_run(tmp_path / f"{strategy}{seed}", strategy, alpha, seed, bias=True)
            table = pq.read_table(folder / "per_query.parquet")
            place = table.column_names.index("language_preference")
            random = np.random.default_rng((seed, int(alpha)))
            rates = [
                None if value is None else float(random.random() < (0.8 if alpha else 0.2))
                for value in table["language_preference"].to_pylist()
            ]
            pq.write_table(
                table.set_column(place, "language_preference", pa.array(rates)), folder / "per_query.parquet"
            )
    section = bias_tests(studied(tmp_path))
    assert section is not None
    (sentence,) = section.sentences
    assert sentence.startswith(
        "With X-Y the best-ranked relevant candidate is in the query's language less often than with X-X (0."
    )
    assert sentence.endswith("Their mAP over the pool is not significantly different.")
    page = write_report([tmp_path], tmp_path / "report").read_text("utf-8")
    assert "does language bias differ?" in page
    assert json.loads((tmp_path / "x_x0" / "metrics.json").read_text())["seed"] == 0

"""Heat-maps: cells have the numbers, colours and texts of the runs."""

from pathlib import Path

import numpy as np
import pytest

from babelbatch.report.comparisons import study
from babelbatch.report.grouping import grouped
from babelbatch.report.heatmaps import Heatmap, cell_scores, difference_maps
from babelbatch.report.runs import find_runs
from run_folders import write_sweep


def test_cells_and_differences_are_means_over_seeds(tmp_path: Path) -> None:
    levels = {0.0: {"crosslingual": 0.5}, 1.0: {"crosslingual": 0.1}}
    found = study("facts", grouped(find_runs([write_sweep(tmp_path, levels, seeds=2)]).runs))
    xy, xx = found.groups
    row, column = found.languages.index("hi"), found.languages.index("th")
    expected = np.mean([run.metrics["facts/crosslingual/map/hi-th"] for run in xy.runs])
    assert cell_scores(found, xy)[row, column] == pytest.approx(expected)
    assert cell_scores(found, xy)[row, row] == pytest.approx(
        np.mean([run.metrics["facts/monolingual/map/hi"] for run in xy.runs])
    )
    (difference,) = difference_maps(found, xx)
    assert difference.title == "X-Y minus X-X"
    np.testing.assert_allclose(difference.values, cell_scores(found, xy) - cell_scores(found, xx))
    assert difference.largest == np.abs(difference.values).max()


def test_colours_and_texts_of_a_map() -> None:
    values = np.array([[0.5, -0.25], [np.nan, 0.001]])
    drawn = Heatmap("t", "n", ("de", "en"), values, 0.5, diverging=True)
    assert [drawn.shade(row, column) for row in (0, 1) for column in (0, 1)] == [100, 50, None, 0]
    assert [drawn.text(row, column) for row in (0, 1) for column in (0, 1)] == ["+.50", "−.25", "", ".00"]
    assert drawn.data.rows[2] == ("en", "de", None)
    assert Heatmap("t", "n", ("de",), np.array([[1.0]]), 1.0).text(0, 0) == "1.00"


def test_classes_choose_the_ink_that_is_readable_in_each_theme() -> None:
    drawn = Heatmap("t", "n", ("de", "en"), np.array([[0.1, 0.7], [0.85, -1.0]]), 1.0, diverging=True)
    assert [drawn.classes(row, column) for row in (0, 1) for column in (0, 1)] == [
        "plus", "plus bright", "plus strong bright", "minus strong bright",
    ]  # fmt: skip


def test_more_languages_than_a_phone_shows_are_wide() -> None:
    assert not Heatmap("t", "n", ("de",) * 11, np.zeros((11, 11)), 1.0).wide
    assert Heatmap("t", "n", ("de",) * 12, np.zeros((12, 12)), 1.0).wide

"""A second quantity where two groups of training curves are equally good."""

from __future__ import annotations

import math
import re
import runpy
from pathlib import Path

import pytest

from babelbatch.statistics import compare_at_equal_quality
from babelbatch.statistics.equal_quality import at_quality, common_quality

SIMULATION = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "equal_quality_simulation.py"))
SLOW = [(0.1, 0.9), (0.2, 0.8), (0.3, 0.7)]
FAST = [(0.2, 0.8), (0.5, 0.5), (0.6, 0.4)]


def moved(curve: list[tuple[float, float]], by: float) -> list[tuple[float, float]]:
    return [(quality, other + by) for quality, other in curve]


def test_a_curve_is_read_off_where_it_first_reaches_a_quality() -> None:
    assert at_quality(SLOW, 0.25) == pytest.approx(0.75)
    assert at_quality(SLOW, 0.1) == 0.9
    assert at_quality([(0.1, 1.0), (0.3, 3.0), (0.2, 9.0), (0.4, 9.0)], 0.25) == pytest.approx(2.5)
    with pytest.raises(ValueError, match=r"^the curve does not pass through 0\.4$"):
        at_quality(SLOW, 0.4)


def test_the_common_quality_is_the_highest_that_all_reach() -> None:
    assert common_quality([SLOW, FAST]) == 0.3
    assert common_quality([SLOW, [(0.31, 0.5), (0.6, 0.4)]]) is None
    assert common_quality([SLOW, [(0.3, 0.5), (0.6, 0.4)]]) == 0.3


def test_one_line_of_bias_by_quality_is_no_difference_however_fast_it_is_walked() -> None:
    found = compare_at_equal_quality([SLOW, moved(SLOW, 0.02)], [FAST, moved(FAST, 0.02)])
    assert found is not None
    assert (found.quality, found.runs) == (0.3, (2, 2))
    assert found.difference == pytest.approx(0, abs=1e-12)
    assert found.p_value == pytest.approx(1)


def test_a_difference_beside_its_interval_and_p_value() -> None:
    a = [moved(SLOW, by) for by in (0.10, 0.11, 0.12)]
    b = [moved(FAST, by) for by in (0.00, 0.01, 0.02)]
    found = compare_at_equal_quality(a, b)
    assert found is not None
    assert found.difference == pytest.approx(0.1)
    assert found.low < 0.1 < found.high
    assert found.p_value < 0.01
    assert (found.low + found.high) / 2 == pytest.approx(0.1)
    same = compare_at_equal_quality([SLOW, SLOW], [FAST, FAST])
    assert same is not None
    assert same.p_value in (0.0, 1.0)  # nothing varies


def test_curves_that_do_not_overlap_are_not_compared() -> None:
    assert compare_at_equal_quality([SLOW, SLOW], [[(0.4, 0.5), (0.6, 0.4)]] * 2) is None


def test_one_run_shows_no_variance() -> None:
    with pytest.raises(
        ValueError, match=f"^{re.escape('a has 1 and b has 2 runs; a test over runs takes two of each')}$"
    ):
        compare_at_equal_quality([SLOW], [FAST, FAST])


def test_the_level_is_kept_where_the_last_evaluations_would_not_keep_it() -> None:
    repetitions = 400
    tolerance = 400 * math.sqrt(0.05 * 0.95 / repetitions)
    found = SIMULATION["rates"](SIMULATION["CASES"]["a learns 1.5 times as fast"], (3, 3), repetitions)
    assert found.level <= 5 + tolerance
    assert found.covered >= 95 - tolerance
    assert found.at_the_end > 15

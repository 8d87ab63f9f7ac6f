"""Joint regions of two measures, and the test of dominance."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from babelbatch.statistics import Scores, compare, dominance_p_value, estimate, joint_region, seed_correlation

SIMULATION = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "front_simulation.py"))


def runs(values: np.ndarray) -> list[Scores]:
    """(S, K) one cell."""
    names = tuple(f"q{row:02}" for row in range(values.shape[1]))
    return [Scores(names, ("en",), row[:, None], np.ones((len(row), 1), np.int64)) for row in values]


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, 3, 20))


def test_a_region_of_one_run_is_that_of_the_queries(noise: np.ndarray) -> None:
    """One run: the covariance of two means over queries, and Hotelling's ellipse with known shape."""
    x, y = noise[0, :1], 0.5 * noise[0, :1] + noise[1, :1]
    found = joint_region(runs(x), runs(y), of_seeds=0.0)
    covariance = np.cov(x[0], y[0]) / 20
    assert found.centre == pytest.approx((x.mean(), y.mean()))
    assert found.deviations == pytest.approx(np.sqrt(np.diag(covariance)))
    assert found.correlation == pytest.approx(np.corrcoef(x[0], y[0])[0, 1])
    assert found.radius == pytest.approx(math.sqrt(2 * stats.f.ppf(0.95, 2, 19)))


def test_a_region_contains_its_centre_and_ends_at_its_outline(noise: np.ndarray) -> None:
    found = joint_region(runs(noise[0]), runs(noise[1]), of_seeds=0.3)
    centre = np.array(found.centre)
    assert found.contains(found.centre)
    for x, y in found.outline(12):
        inside, outside = centre + 0.999 * ([x, y] - centre), centre + 1.001 * ([x, y] - centre)
        assert found.contains(tuple(inside))
        assert not found.contains(tuple(outside))


def test_a_region_is_wider_than_either_interval(noise: np.ndarray) -> None:
    found = joint_region(runs(noise[0]), runs(noise[1]), of_seeds=0.0)
    mean = estimate(runs(noise[0]))
    assert found.outline(720)[:, 0].max() > mean.high


def test_the_correlation_over_seeds_is_pooled_over_groups(noise: np.ndarray) -> None:
    up, down = np.array([[1.0], [2.0], [3.0]]), np.array([[3.0], [2.0], [1.0]])
    ones = np.ones((3, 20))
    assert seed_correlation([runs(up * ones)], [runs(2 * up * ones)]) == pytest.approx(1)
    both = seed_correlation([runs(up * ones), runs(up * ones)], [runs(up * ones), runs(down * ones)])
    assert both == pytest.approx(0)
    assert seed_correlation([runs(noise[0, :1])], [runs(noise[1, :1])]) == 0
    aligned, opposed = (joint_region(runs(up * ones + noise[0]), runs(up * ones + noise[1]), of) for of in (0.9, -0.9))
    assert aligned.correlation > 0.5 > -0.5 > opposed.correlation


def test_dominance_takes_no_loss_anywhere_and_a_gain_somewhere(noise: np.ndarray) -> None:
    base = runs(noise[0] * 0.01)
    better, same, worse = (
        compare(runs(noise[0] * 0.01 + by + noise[1] * 0.001), base) for by in (0.1, 0.0, -0.1)
    )  # fmt: skip
    assert dominance_p_value([better, same, same], 0.05) < 0.001
    assert dominance_p_value([better, better, worse], 0.05) > 0.99
    assert dominance_p_value([same, same, same], 0.05) > 0.05
    expected = max(
        float(stats.t.sf((same.difference + 0.05) / same.error, same.freedom)), 3 * better.p_value / 2
    )  # fmt: skip
    assert dominance_p_value([better, same, same], 0.05) == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"^margin is 0; it must be positive, in the units of the metric$"):
        dominance_p_value([better], 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("world", ["seed deviation 0.002, correlation -0.5", "seed deviation 0.028, correlation 0.9"])
def test_coverage_and_level(world: str, seeds: int) -> None:
    repetitions = 200
    tolerance = 400 * math.sqrt(0.05 * 0.95 / repetitions)
    found = SIMULATION["rates"](SIMULATION["WORLDS"][world], seeds, repetitions)
    assert found.covered >= 95 - tolerance
    assert max(found.equal, found.worse) <= 5 + tolerance

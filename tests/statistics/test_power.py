"""Detectable differences beside normal theory, and beside tests that were made."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from babelbatch.statistics import Design, Scores, compare, design, detectable_by, smallest_p_value
from babelbatch.statistics.power import detectable


def full(table: np.ndarray) -> Scores:
    names = tuple(f"q{row:04}" for row in range(len(table)))
    return Scores(names, ("de", "en"), table, np.ones(table.shape, np.int64))


def test_many_degrees_of_freedom_are_normal_theory() -> None:
    """1.96 + 0.84 standard errors."""
    expected = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    assert detectable(1.0, 1e6) == pytest.approx(expected, rel=1e-4)
    assert detectable(0.5, 1e6, alpha=0.001, power=0.9) == pytest.approx(
        (stats.norm.isf(0.0005) + stats.norm.isf(0.1)) / 2, rel=1e-4
    )
    assert detectable(0.0, 4) == 0


@pytest.mark.parametrize("freedom", [2, 4, 30])
def test_the_test_finds_it_with_that_probability(freedom: int) -> None:
    random = np.random.default_rng(0)
    truth = detectable(2.0, freedom)
    errors = 2.0 * np.sqrt(random.chisquare(freedom, 200_000) / freedom)
    found = (truth + 2.0 * random.standard_normal(200_000)) / errors > stats.t.isf(0.025, freedom)
    assert found.mean() == pytest.approx(0.8, abs=0.005)


def test_of_a_comparison() -> None:
    random = np.random.default_rng(1)
    a, b = ([full(random.random((50, 2)) + seed / 50) for seed in range(3)] for _ in "ab")
    found = compare(a, b)
    assert detectable_by(found) == pytest.approx(detectable(found.error, found.freedom))
    assert detectable_by(found, alpha=0.001) > detectable_by(found) > found.high - found.difference


def test_a_design_is_read_off_the_runs() -> None:
    """Queries that all score the same: runs alone vary, by 0.01 and 0.02 around their means."""
    a, b = ([full(np.full((20, 2), 0.5 + step)) for step in (-size, 0.0, size)] for size in (0.01, 0.02))
    found = design(a, b)
    assert found.seed_variances == pytest.approx((0.0001, 0.0004))
    assert (found.freedoms, found.clusters) == ((2, 2), 20)
    assert found.query_variance == pytest.approx(0, abs=1e-12)
    beside_fixed = design(a, b[:1], fixed_b=True)
    assert (beside_fixed.seed_variances, beside_fixed.freedoms) == (pytest.approx((0.0001, 0)), (2, 0))


def test_how_many_seeds_a_difference_takes() -> None:
    """The paper's gain of 0.0059 beside a seed deviation of 0.004: eight seeds each, if queries did not vary."""
    plan = Design((0.004**2, 0.004**2), (2, 2), 1e-9, 1_190)
    needed = plan.seeds_for(0.0059)
    assert needed == 8 + 1
    assert plan.detectable(needed) <= 0.0059 < plan.detectable(needed - 1)
    assert plan.seeds_for(0.0059, alpha=0.05 / 12) > needed


def test_where_queries_are_too_few_no_seeds_help() -> None:
    plan = Design((0.004**2, 0.004**2), (2, 2), 0.01**2, 50)
    assert plan.seeds_for(0.01) is None


def test_clusters_too_few_for_any_p_value_find_nothing() -> None:
    """Eight clusters: the smallest of 2**8 two-sided p-values is 1/128, above .05/12 and below .05."""
    few = Design((1e-4, 1e-4), (2, 2), 1e-3, 8)
    assert few.detectable(5, 0.05 / 12) == math.inf
    assert few.seeds_for(0.5, 0.05 / 12) is None
    assert few.power(0.5, (5, 5), 0.05 / 12) == 0
    assert 0 < few.detectable(5) < 1
    random = np.random.default_rng(2)
    a, b = ([full(random.normal(level, 0.001, (8, 2))) for _ in range(3)] for level in (0.9, 0.1))
    found = compare(a, b)
    assert smallest_p_value(8) / 2 <= found.p_value <= smallest_p_value(8)  # however large the difference
    assert detectable_by(found, 0.05 / 12) == math.inf
    assert 0 < detectable_by(found, 0.05) < math.inf


def test_one_run_each_plans_nothing() -> None:
    run = full(np.random.default_rng(2).random((10, 2)))
    with pytest.raises(ValueError, match=r"^a single run does not show .*; planning takes two seeds or more$"):
        design([run], [run])

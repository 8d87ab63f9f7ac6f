"""Tails of the permutation distribution beside all permutations, and beside the binomial distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from babelbatch.statistics.permutation import permutation_p_value, tail_of_signed_sums
from babelbatch.statistics.variance import Group

ALL_OF_18 = 1 - 2 * ((np.arange(2**18)[:, None] >> np.arange(18)) & 1).astype(np.int8)


def units_of(draw: str) -> np.ndarray:
    random = np.random.default_rng(0)
    units = random.normal(size=18) if draw == "normal" else random.exponential(size=18)
    return units / math.sqrt(units @ units)


def one_run_each(clusters: int) -> list[Group]:
    """The groups of a comparison of one run each, whose p-value depends on the parts alone."""
    return [Group(np.zeros(1), np.zeros((1, clusters))) for _ in "ab"]


def several_runs(macros: list[float], clusters: int) -> list[Group]:
    return [Group(np.array(macros), np.zeros((len(macros), clusters))) for _ in "ab"]


@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_the_saddlepoint_tail_is_that_of_all_permutations(draw: str) -> None:
    units = units_of(draw)
    sums = np.abs(ALL_OF_18 @ units)
    tail = tail_of_signed_sums(units, 3.2)
    for value in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        expected = np.mean(sums >= value)
        assert float(tail(value)) == pytest.approx(expected, rel=0.06), value


def test_a_p_value_has_no_floor() -> None:
    """400 clusters that all favour a: a number of random draws could not say more than one over itself."""
    parts = np.full(400, 0.1)
    parts[:150] = -0.1  # 250 of 400 are positive
    found = permutation_p_value(parts, one_run_each(400))
    assert found == pytest.approx(2 * stats.binom.sf(249, 400, 0.5), rel=0.03)
    all_positive = permutation_p_value(np.linspace(0.1, 0.2, 400), one_run_each(400))
    assert 0 < all_positive < 1e-100


@pytest.mark.parametrize("positive", [28, 32, 36, 40])
def test_parts_of_one_size_are_the_sign_test(positive: int) -> None:
    """As recall@1 in one language: differences of 1, -1 and 0. McNemar's exact test, whose sums lie on a lattice."""
    parts = np.concatenate([np.ones(positive), -np.ones(50 - positive), np.zeros(200)]) / 250
    expected = 2 * stats.binom.sf(positive - 1, 50, 0.5)
    assert permutation_p_value(parts, one_run_each(250)) == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("deviation", [0.01, 0.05, 0.4])
def test_several_runs_are_students_t_of_the_signed_sums(deviation: float) -> None:
    """All 2**18 permutations, averaged over the chi-square of the standard error by its distribution function."""
    parts = units_of("exponential") * np.where(np.arange(18) % 3, 1, -1) + 0.03
    groups = several_runs([-deviation, 0.0, deviation], 18)
    of_seeds = 2 * deviation**2 / 3
    variance = of_seeds + parts @ parts
    freedom = (2 * of_seeds + parts @ parts) ** 2 / (4 * of_seeds**2 / 4)
    sums = ALL_OF_18 @ parts / math.sqrt(parts @ parts)
    statistic = parts.sum() / math.sqrt(variance)
    expected = special.gammainc(freedom / 2, freedom / 2 * (sums / statistic) ** 2).mean()
    assert permutation_p_value(parts, groups) == pytest.approx(expected, rel=0.03)


def test_many_equal_clusters_and_few_seeds_are_students_t() -> None:
    """Two groups of three runs with equal variances and next to no scatter over queries: four degrees of freedom."""
    parts = np.random.default_rng(1).normal(0.00005, 1e-6, 4_000)
    groups = several_runs([-0.05, 0.0, 0.05], 4_000)
    error = math.sqrt(2 * 0.05**2 / 3)
    expected = 2 * stats.t.sf(parts.sum() / error, 4)
    assert permutation_p_value(parts, groups) == pytest.approx(expected, rel=0.01)


def test_groups_that_do_not_differ() -> None:
    assert permutation_p_value(np.zeros(30), one_run_each(30)) == 1
    assert permutation_p_value(np.array([1.0, -1.0] * 15), one_run_each(30)) == 1

"""Regression over language pairs beside least squares and permutations by loops."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from babelbatch.statistics.regression import mrqap


def distances(size: int, random: np.random.Generator) -> np.ndarray:
    points = random.standard_normal((size, 2))
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def test_beside_least_squares_and_all_permutations() -> None:
    random = np.random.default_rng(0)
    one, two = distances(5, random), distances(5, random)
    outcome = 0.8 * one - 0.3 * two + random.standard_normal((5, 5))
    off = ~np.eye(5, dtype=bool)

    def z(values: np.ndarray) -> np.ndarray:
        return (values[off] - values[off].mean()) / values[off].std()

    design = np.column_stack([np.ones(20), z(one), z(two)])
    expected = np.linalg.lstsq(design, z(outcome), rcond=None)[0]
    found = mrqap(outcome, {"one": one, "two": two})
    assert [(each.predictor, each.beta) for each in found] == [
        ("one", pytest.approx(expected[1])),
        ("two", pytest.approx(expected[2])),
    ]

    def t_of(x: np.ndarray) -> float:
        full = np.column_stack([np.ones(20), z(two), x])
        beta, square, *_ = np.linalg.lstsq(full, z(outcome), rcond=None)
        return beta[2] / np.sqrt(square[0] / 17 * np.linalg.inv(full.T @ full)[2, 2])

    others = np.column_stack([np.ones(20), z(two)])
    residual = np.zeros((5, 5))
    residual[off] = z(one) - others @ np.linalg.lstsq(others, z(one), rcond=None)[0]
    tests = [abs(t_of(residual[np.ix_(order, order)][off])) for order in itertools.permutations(range(5))]
    assert found[0].p_value == pytest.approx(np.mean(np.array(tests) >= tests[0] * (1 - 1e-9)))


def test_a_relation_that_another_predictor_explains_is_none() -> None:
    """The outcome follows one distance; another that goes with it adds nothing."""
    random = np.random.default_rng(1)
    cause = distances(11, random)
    beside = cause + 0.7 * distances(11, random)
    outcome = cause + 0.1 * random.standard_normal((11, 11))
    (alone,) = mrqap(outcome, {"beside": beside})
    assert alone.p_value < 0.01
    found = {each.predictor: each for each in mrqap(outcome, {"cause": cause, "beside": beside})}
    assert found["cause"].p_value == pytest.approx(1 / 5_000)
    assert found["beside"].p_value > 0.05


def test_the_level_is_kept_where_languages_have_effects_of_their_own() -> None:
    """Effects of query and candidate languages make pairs dependent."""
    random = np.random.default_rng(2)
    p_values = []
    for _ in range(400):
        outcome = random.standard_normal((8, 1)) + random.standard_normal((1, 8)) + random.standard_normal((8, 8))
        p_values.append(mrqap(outcome, {"far": distances(8, random)})[0].p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(
    ("outcome", "predictors", "message"),
    [
        (np.ones((4, 4)), {}, "4 languages are too few for a regression over pairs; at least 5 are needed"),
        (np.ones((5, 5)), {"x": np.eye(5)}, "the outcome is constant over the language pairs; leave it out"),
        (np.arange(25.0).reshape(5, 5), {"x": np.eye(5)}, "x is constant over the language pairs; leave it out"),
        (np.arange(25.0).reshape(5, 5) ** 2, {"x": np.arange(25.0).reshape(5, 5), "y": -np.arange(25.0).reshape(5, 5)},
         "x follows from the other predictors; leave it out"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted(outcome: np.ndarray, predictors: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        mrqap(outcome, predictors)

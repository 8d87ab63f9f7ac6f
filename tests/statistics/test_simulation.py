"""Coverage of the intervals and level of the tests on simulated runs (bench/statistics_simulation.py, fewer times).

The tolerances are four binomial standard errors: with 600 repetitions 3.6 points about 5 % and about 95 %.
"""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SIMULATION = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "statistics_simulation.py"))
WORLDS = SIMULATION["WORLDS"]
REPETITIONS = 600
TOLERANCE = 400 * math.sqrt(0.05 * 0.95 / REPETITIONS)


@pytest.mark.parametrize(("world", "seeds"), [*((world, 3) for world in WORLDS), ("both", 5)])
def test_levels_and_coverage(world, seeds):
    """Errors are no more frequent than they should be, whatever varies. More seldom they may be: where only runs vary
    the variance has a floor."""
    found = SIMULATION["rates"](WORLDS[world], seeds, REPETITIONS)
    # A group whose trainings vary ten times as much has next to two degrees of freedom, and Welch's three runs are few.
    level = 5 + TOLERANCE + (2 if world == "training noise 10 : 1" else 0)
    # With log-normal effects of questions the mean of 200 is skewed itself, and its interval covers less.
    of_means = 85 if world == "both, heavy tails" else 95 - TOLERANCE
    assert found.level <= level
    assert found.inferior <= level
    assert found.difference >= 100 - level
    assert found.mean >= of_means


def test_power_with_three_seeds():
    """A gain of 0.05 where its standard error is 0.014, and more seeds find it more often."""
    three, five = (SIMULATION["rates"](WORLDS["both"], seeds, 200) for seeds in (3, 5))
    assert three.power > 75
    assert five.power > three.power


def test_one_run_each_says_nothing_about_seeds():
    """The level that a comparison over questions alone keeps, and the one that it does not claim to keep."""
    assert SIMULATION["rates"](WORLDS["questions only"], 1, REPETITIONS).level <= 5 + TOLERANCE
    assert SIMULATION["rates"](WORLDS["training noise 2 : 1"], 1, 200).level > 30


@pytest.mark.parametrize("languages", [7, 11])
def test_correlations(languages):
    repetitions = 60
    tolerance = 400 * math.sqrt(0.05 * 0.95 / repetitions)
    nothing = SIMULATION["correlation_rates"](0.0, repetitions, languages)
    something = SIMULATION["correlation_rates"](0.3, repetitions, languages)
    assert nothing.level <= 5 + tolerance
    assert min(nothing.covered, something.covered) >= 95 - tolerance
    assert something.level > nothing.level + 20

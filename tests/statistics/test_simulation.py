"""Coverage of the intervals and level of the tests on simulated runs (bench/statistics_simulation.py, fewer times).

The tolerances are four binomial standard errors: with 240 repetitions 5.6 points about 5 % and about 95 %.
"""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SIMULATION = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "statistics_simulation.py"))
WORLDS = SIMULATION["WORLDS"]
REPETITIONS = 240
TOLERANCE = 400 * math.sqrt(0.05 * 0.95 / REPETITIONS)
THREE_OR_MORE = [
    (name, seeds)
    for name, (world, numbers) in WORLDS.items()
    for seeds in numbers
    if seeds[0] == 3 and (seeds[1] >= 3 or world.fixed)
]


@pytest.mark.parametrize(("name", "seeds"), THREE_OR_MORE)
def test_levels_and_coverage(name: str, seeds: tuple[int, int]) -> None:
    """Errors are no more frequent than 5 %, whatever varies, and not much less frequent. The power is the planned
    one."""
    found = SIMULATION["rates"](WORLDS[name][0], seeds, REPETITIONS)
    assert found.level <= 5 + TOLERANCE
    assert found.inferior <= 5 + TOLERANCE
    assert found.difference >= 95 - TOLERANCE
    assert found.mean >= 95 - TOLERANCE
    assert found.power == pytest.approx(found.planned, abs=5 + 200 * math.sqrt(0.25 / REPETITIONS))


def test_one_run_each_says_nothing_about_seeds() -> None:
    """The level that a comparison over queries alone has, and the one that it does not claim to have."""
    assert SIMULATION["rates"](WORLDS["queries only"][0], (1, 1), REPETITIONS).level <= 5 + TOLERANCE
    assert SIMULATION["rates"](WORLDS["seeds : queries 1 : 1"][0], (1, 1), 200).level > 15


def test_clusters_that_are_not_known_cost_the_level() -> None:
    """Five queries an article, a design effect of 1.8: the test that takes queries as independent has a level of
    14 %."""
    world = WORLDS["queries only, clusters of 5"][0]
    assert SIMULATION["rates"](world, (1, 1), REPETITIONS).level <= 5 + TOLERANCE
    assert SIMULATION["rates"](world, (1, 1), REPETITIONS, known_clusters=False).level > 9


@pytest.mark.parametrize("languages", [7, 11])
def test_correlations(languages: int) -> None:
    repetitions = 60
    tolerance = 400 * math.sqrt(0.05 * 0.95 / repetitions)
    nothing = SIMULATION["correlation_rates"](0.0, repetitions, languages)
    something = SIMULATION["correlation_rates"](0.3, repetitions, languages)
    assert nothing.level <= 5 + tolerance
    assert min(nothing.covered, something.covered) >= 95 - tolerance
    assert something.level > nothing.level + 20

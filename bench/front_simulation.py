"""Do joint regions cover, and does the test of dominance keep its level? Simulated runs of which the truth is known.

    python bench/front_simulation.py
    python bench/front_simulation.py --repetitions 500

Groups of runs answer 200 queries in eleven languages, by three measures. Effects of queries and of trainings are
correlated between the measures. Percentages are over repetitions:

    covered     of joint 95 % regions of a group's means by the first two measures that contain both true means
                (wanted: 95)
    equal       of groups that are equal on all measures, where a is said to dominate b at 0.05 (at most 5)
    worse       the same where a is better by 0.2 on two measures and worse by the margin on the third (at most 5)
    power       the same where a is better by 0.05 on one measure and equal on the others
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np

from babelbatch.statistics import Scores, compare, dominance_p_value, joint_region, seed_correlation

QUERIES, LANGUAGES, MEASURES = 200, 11, 3
MARGIN = 0.02
CELLS = tuple(f"l{language:02}" for language in range(LANGUAGES))
NAMES = tuple(f"q{row:03}" for row in range(QUERIES))
COUNTS = np.ones((QUERIES, LANGUAGES), np.int64)


class World(NamedTuple):
    """training: standard deviation of a run's score over seeds. correlation: of effects between the measures."""

    training: float
    correlation: float


WORLDS = {
    "seed deviation 0.002, correlation -0.5": World(0.002, -0.5),
    "seed deviation 0.028, correlation 0.9": World(0.028, 0.9),
}
"""The standard error of a mean over the queries is 0.01."""
SEEDS = (2, 3, 5)


class Rates(NamedTuple):
    """In percent; see the top of the file."""

    covered: float
    equal: float
    worse: float
    power: float


def group(random: np.random.Generator, world: World, shared: np.ndarray, seeds: int) -> list[list[Scores]]:
    """By measure, the runs of a group whose true means are 0.5."""
    mix = factors(world.correlation)
    own = 0.1 * correlated(random, mix, (QUERIES, 1)) + 0.1 * correlated(random, mix, (QUERIES, LANGUAGES))
    runs: list[list[Scores]] = [[] for _ in range(MEASURES)]
    for _ in range(seeds):
        training = world.training * correlated(random, mix, (1, 1))
        noise = 0.05 * random.standard_normal((MEASURES, QUERIES, LANGUAGES))
        for measure, values in enumerate(0.5 + shared + own + training + noise):
            runs[measure].append(Scores(NAMES, CELLS, values, COUNTS))
    return runs


def factors(correlation: float) -> np.ndarray:
    """(3, 3) factor of the correlation of effects: of the first two measures `correlation`, the third independent."""
    table = np.eye(MEASURES)
    table[0, 1] = table[1, 0] = correlation
    return np.linalg.cholesky(table)


def correlated(random: np.random.Generator, mix: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.einsum("ij,jkl->ikl", mix, random.standard_normal((MEASURES, *shape)))


def raised(runs: list[Scores], by: float) -> list[Scores]:
    return [Scores(run.clusters, run.cells, run.sums + by * run.counts, run.counts) for run in runs]


def rates(world: World, seeds: int, repetitions: int) -> Rates:
    random = np.random.default_rng(seeds)
    found = np.zeros(4)
    for _ in range(repetitions):
        shared = 0.3 * (random.exponential(size=(1, QUERIES, 1)) - 1)
        a, b = (group(random, world, shared, seeds) for _ in range(2))
        of_seeds = seed_correlation([a[0], b[0]], [a[1], b[1]])
        found[0] += joint_region(a[0], a[1], of_seeds).contains((0.5, 0.5))
        for place, gains in enumerate(((0.0, 0.0, 0.0), (0.2, 0.2, -MARGIN), (0.05, 0.0, 0.0)), start=1):
            tests = [compare(raised(x, by), y) for x, y, by in zip(a, b, gains, strict=True)]
            found[place] += dominance_p_value(tests, MARGIN) <= 0.05
    return Rates(*(100 * found / repetitions).tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2_000)
    arguments = parser.parse_args()
    print(f"| what varies | runs | {' | '.join(Rates._fields)} |")
    print(f"|---|---:|{'---:|' * len(Rates._fields)}")
    for name, world in WORLDS.items():
        for seeds in SEEDS:
            found = rates(world, seeds, arguments.repetitions)
            print(f"| {name} | {seeds} | {' | '.join(f'{rate:.1f}' for rate in found)} |", flush=True)


if __name__ == "__main__":
    main()

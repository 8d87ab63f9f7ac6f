"""Do the intervals cover, and do the tests keep their level? Simulated runs of which the truth is known.

    python bench/statistics_simulation.py
    python bench/statistics_simulation.py --repetitions 10000 --correlations 2000

Two groups of runs answer 200 questions in eleven languages, again and again with new questions and new trainings.
Scores have skewed question effects that all runs share, question effects of a group, and noise of runs: as a whole, by
language, and by question. In truth the groups do not differ. Percentages are over repetitions:

    level       of two-sided p-values at or below 0.05 (wanted: 5)
    difference  of 95 % intervals of a minus b that hold the truth (wanted: 95)
    mean        of 95 % intervals of a that hold the truth (wanted: 95)
    inferior    of groups worse by exactly the margin that are called non-inferior at level 0.95 (wanted: 5)
    power       as level, where a is better by 0.05

and, for the correlation with a distance between eleven languages, level and coverage where differences have nothing to
do with the distances, and coverage where they have.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from babelbatch.statistics import Scores, clustered_spearman, compare, estimate, non_inferior

QUESTIONS, LANGUAGES = 200, 11
MARGIN, GAIN = 0.02, 0.05


class World(NamedTuple):
    """Standard deviations of what makes scores differ, on the scale of mAP, and what part of the rows is missing.

    of_group: effects of questions, and of questions in a language, that all runs of a group share.
    training: effects of a run on all scores, and on those of a language, in group a and in group b.
    of_run: effects of a run on single questions, and on questions in a language.
    """

    of_group: float = 0.1
    training: tuple[float, float] = (0.0, 0.0)
    of_run: float = 0.0
    missing: float = 0.0
    heavy_tails: bool = False


WORLDS = {
    "questions only": World(),
    "seeds only": World(of_group=0.0, training=(0.02, 0.02)),
    "both": World(training=(0.01, 0.01), of_run=0.1),
    "both, 40 % of the rows missing": World(training=(0.01, 0.01), of_run=0.1, missing=0.4),
    "both, heavy tails": World(training=(0.01, 0.01), of_run=0.1, heavy_tails=True),
    "training noise 2 : 1": World(training=(0.02, 0.01)),
    "training noise 10 : 1": World(training=(0.03, 0.003)),
}


class Rates(NamedTuple):
    """In percent; see the top of the file."""

    level: float
    difference: float
    mean: float
    inferior: float
    power: float


def rates(world: World, seeds: int, repetitions: int, permutations: int = 999) -> Rates:
    """Of `repetitions` simulated studies with `seeds` runs in each group."""
    random = np.random.default_rng(seeds)
    found = np.zeros(len(Rates._fields))
    for _ in range(repetitions):
        counts = (random.random((QUESTIONS, LANGUAGES)) >= world.missing).astype(np.int64)
        counts[:, 0] = 1
        shared = 0.5 + effects(random, 0.3, heavy_tails=world.heavy_tails)
        a, b = (
            group(random, shared + effects(random, world.of_group), sd, world.of_run, counts, seeds)
            for sd in world.training
        )
        comparison, mean = compare(a, b, permutations=permutations), estimate(a)
        found += (
            comparison.p_value <= 0.05,
            comparison.low <= 0 <= comparison.high,
            mean.low <= 0.5 <= mean.high,
            non_inferior(raised(a, -MARGIN), b, MARGIN).holds,
            compare(raised(a, GAIN), b, permutations=permutations).p_value <= 0.05,
        )
    return Rates(*(100 * found / repetitions).tolist())


def effects(random: np.random.Generator, deviation: float, *, heavy_tails: bool = False) -> np.ndarray:
    """Of questions, skewed, and of questions in a language; both of mean 0 and of this standard deviation."""
    if heavy_tails:  # log-normal, as rank distances are: the largest of 200 is about ten deviations off
        sigma = 1.5
        skewed = random.lognormal(-(sigma**2) / 2, sigma, (QUESTIONS, 1)) - 1
        skewed /= np.sqrt(np.exp(sigma**2) - 1)
    else:
        skewed = random.exponential(size=(QUESTIONS, 1)) - 1
    return deviation * (skewed + random.standard_normal((QUESTIONS, LANGUAGES)))


def group(
    random: np.random.Generator, scores: np.ndarray, training: float, of_run: float, counts: np.ndarray, seeds: int
) -> list[Scores]:
    shape = scores.shape
    return [
        named(
            scores
            + training * (random.standard_normal() + random.standard_normal(shape[1]))
            + of_run * (random.standard_normal((shape[0], 1)) + random.standard_normal(shape)),
            counts,
            [f"l{language:02}" for language in range(shape[1])],
        )
        for _ in range(seeds)
    ]


def named(scores: np.ndarray, counts: np.ndarray, cells: Sequence[str]) -> Scores:
    return Scores(tuple(f"q{row:03}" for row in range(len(scores))), tuple(cells), scores * counts, counts)


def raised(runs: list[Scores], by: float) -> list[Scores]:
    return [Scores(run.clusters, run.cells, run.sums + by * run.counts, run.counts) for run in runs]


class CorrelationRates(NamedTuple):
    """In percent: p-values at or below 0.05, and 95 % intervals that hold the correlation of many languages."""

    level: float
    covered: float


def correlation_rates(slope: float, repetitions: int, languages: int = LANGUAGES) -> CorrelationRates:
    """Of clustered_spearman, where the difference of a pair is slope * distance + effects of both languages + noise."""
    random = np.random.default_rng(0)
    truth = true_correlation(slope)
    found = np.zeros(2)
    names = [f"l{language:02}" for language in range(languages)]
    off_diagonal = ~np.eye(languages, dtype=bool)
    cells = [f"{row}-{column}" for row in names for column in names if row != column]
    ones = np.ones((QUESTIONS, len(cells)), np.int64)
    for _ in range(repetitions):
        distances, differences = pairs(random, languages, slope)
        b = random.standard_normal(ones.shape)
        a = b + differences[off_diagonal] + random.standard_normal(ones.shape)
        correlation = clustered_spearman([named(a, ones, cells)], [named(b, ones, cells)], names, distances)
        found += correlation.p_value <= 0.05, correlation.low <= truth <= correlation.high
    return CorrelationRates(*(100 * found / repetitions).tolist())


def true_correlation(slope: float) -> float:
    """Spearman's, of the differences without the noise of questions, over many languages."""
    distances, differences = pairs(np.random.default_rng(1), 1_000, slope)
    off_diagonal = ~np.eye(1_000, dtype=bool)
    left, right = (np.argsort(np.argsort(table[off_diagonal])) for table in (distances, differences))
    return float(np.corrcoef(left, right)[0, 1])


def pairs(random: np.random.Generator, languages: int, slope: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances between points in a plane, and differences: (L, L) each."""
    points = random.standard_normal((languages, 2))
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    of_languages = random.standard_normal((languages, 1)) + random.standard_normal((1, languages))
    noise = 0.5 * random.standard_normal((languages, languages))
    return distances, slope * distances + 0.3 * of_languages + noise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2_000)
    parser.add_argument("--correlations", type=int, default=300)
    arguments = parser.parse_args()
    print(f"{'':32}seeds" + "".join(f"{name:>12}" for name in Rates._fields))
    for name, world in WORLDS.items():
        for seeds in (1, 2, 3, 5):
            found = rates(world, seeds, arguments.repetitions)
            print(f"{name:32}{seeds:5}" + "".join(f"{rate:12.1f}" for rate in found), flush=True)
    for slope in (0.0, 0.3):
        for languages in (7, 11):
            found = correlation_rates(slope, arguments.correlations, languages)
            about = f"correlation {true_correlation(slope):.2f}, {languages} languages"
            print(f"{about:32}     " + "".join(f"{name} {rate:.1f}  " for name, rate in found._asdict().items()))


if __name__ == "__main__":
    main()

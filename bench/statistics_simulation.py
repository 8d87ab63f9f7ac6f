"""Do the intervals cover, and do the tests keep their level? Simulated runs of which the truth is known.

    python bench/statistics_simulation.py
    python bench/statistics_simulation.py --repetitions 10000 --correlations 2000

Two groups of runs answer 200 queries in eleven languages, again and again with new queries and new trainings. Scores
have query effects that all runs share, query effects of a group, and noise of runs: as a whole, by language, and by
query. In truth the groups do not differ. Percentages are over repetitions:

    level       of two-sided p-values at or below 0.05 (wanted: 5)
    difference  of 95 % intervals of a minus b that contain the truth (wanted: 95)
    mean        of 95 % intervals of a that contain the truth (wanted: 95)
    inferior    of groups worse by exactly the margin that are called non-inferior at level 0.95 (wanted: 5)
    power       as level, where a is better by 0.05
    planned     the power that `design` gives, with the variances of its parts averaged over repetitions

and, for the correlation with a distance between eleven languages, level and coverage where differences have nothing to
do with the distances, and coverage where they have.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from babelbatch.statistics import Design, Scores, clustered_spearman, compare, design, estimate, non_inferior

QUERIES, LANGUAGES = 200, 11
MARGIN, GAIN = 0.02, 0.05


class World(NamedTuple):
    """Standard deviations of what makes scores differ, on the scale of mAP, and the shape of the data.

    of_group: effects of queries, and of queries in a language, that all runs of a group share.
    training: effects of a run on all scores, and on those of a language, in group a and in group b.
    of_run: effects of a run on single queries, and on queries in a language.
    missing: share of the rows that are missing, as in a benchmark that is partly parallel.
    shape: of the query effects: `skewed` (exponential), `heavy` (log-normal, as rank distances) or `precision` (scores
        as average precision has them: 20 % zeros and 53 % ones).
    per_cluster: queries of a cluster, which share effects, so that the variance of a mean is 1.8 times as large.
    fixed: b is a system without a seed.
    """

    of_group: float = 0.1
    training: tuple[float, float] = (0.0, 0.0)
    of_run: float = 0.0
    missing: float = 0.0
    shape: str = "skewed"
    per_cluster: int = 1
    fixed: bool = False


def seeds_to_queries(ratio: float, b_to_a: float = 1.0) -> World:
    """A world in which the seed variance of one run is `ratio` times the query variance of a group's mean."""
    of_queries = (0.1 * np.sqrt(1 + 1 / LANGUAGES)) / np.sqrt(QUERIES)
    deviation = float(np.sqrt(ratio) * of_queries / np.sqrt(1 + 1 / LANGUAGES))
    return World(training=(deviation, deviation * float(np.sqrt(b_to_a))), of_run=0.05)


WORLDS: dict[str, tuple[World, tuple[tuple[int, int], ...]]] = {
    "queries only": (World(), ((1, 1), (2, 2), (3, 3), (5, 5))),
    "seeds only": (World(of_group=0.0, training=(0.02, 0.02)), ((2, 2), (3, 3), (5, 5))),
    "seeds : queries 1 : 4": (seeds_to_queries(0.25), ((2, 2), (3, 3), (5, 5))),
    "seeds : queries 1 : 1": (seeds_to_queries(1), ((1, 1), (2, 2), (3, 3), (5, 5))),
    "seeds : queries 4 : 1": (seeds_to_queries(4), ((2, 2), (3, 3), (5, 5))),
    "seeds : queries 16 : 1": (seeds_to_queries(16), ((2, 2), (3, 3), (5, 5))),
    "1 : 1, a 16 times as noisy as b": (seeds_to_queries(1, 1 / 16), ((2, 2), (3, 3), (5, 5), (3, 5), (5, 3))),
    "16 : 1, a 16 times as noisy as b": (
        seeds_to_queries(16, 1 / 16),
        ((2, 2), (2, 5), (3, 3), (3, 5), (5, 3), (3, 10), (5, 5)),
    ),
    "16 : 1, b is a fixed system": (seeds_to_queries(16)._replace(fixed=True), ((2, 1), (3, 1), (5, 1))),
    "1 : 1, b is a fixed system": (seeds_to_queries(1)._replace(fixed=True), ((2, 1), (3, 1), (5, 1))),
    "1 : 1, 40 % of the rows missing": (seeds_to_queries(1)._replace(missing=0.4), ((3, 3), (3, 5))),
    "4 : 1, 75 % of the rows missing": (seeds_to_queries(4)._replace(missing=0.75), ((3, 3), (3, 5))),
    "1 : 1, log-normal queries": (seeds_to_queries(1)._replace(shape="heavy"), ((3, 3), (5, 5))),
    "1 : 1, average precision": (seeds_to_queries(1)._replace(shape="precision"), ((1, 1), (3, 3), (3, 5))),
    "4 : 1, average precision": (seeds_to_queries(4)._replace(shape="precision"), ((3, 3),)),
    "1 : 1, clusters of 5": (seeds_to_queries(1)._replace(per_cluster=5), ((1, 1), (3, 3), (5, 5))),
    "queries only, clusters of 5": (World(per_cluster=5), ((1, 1), (3, 3))),
}
"""Each with the numbers of runs of a and b that it is simulated with."""


class Rates(NamedTuple):
    """In percent; see the top of the file."""

    level: float
    difference: float
    mean: float
    inferior: float
    power: float
    planned: float


def rates(world: World, seeds: tuple[int, int], repetitions: int, *, known_clusters: bool = True) -> Rates:
    """Of `repetitions` simulated studies with these numbers of runs. known_clusters: whether the tests know which
    queries share a cluster."""
    random = np.random.default_rng(seeds)
    found = np.zeros(5)
    planned = []
    fixed = world.fixed
    for _ in range(repetitions):
        counts = (random.random((QUERIES, LANGUAGES)) >= world.missing).astype(np.int64)
        counts[:, 0] = 1
        clusters = np.arange(QUERIES) // world.per_cluster
        known = clusters if known_clusters else np.arange(QUERIES)
        shared = 0.5 + shared_effects(random, world)
        a, b = (
            group(random, shared + of_group(random, world, clusters), sd, world, counts, known, runs)
            for sd, runs in zip(world.training if not fixed else (world.training[0], 0.0), seeds, strict=True)
        )
        comparison, mean = compare(a, b, fixed_b=fixed), estimate(a)
        found += (
            comparison.p_value <= 0.05,
            comparison.low <= 0 <= comparison.high,
            mean.low <= 0.5 <= mean.high,
            non_inferior(raised(a, -MARGIN), b, MARGIN, fixed_b=fixed).holds,
            compare(raised(a, GAIN), b, fixed_b=fixed).p_value <= 0.05,
        )
        if seeds[0] > 1 and (seeds[1] > 1 or fixed):
            planned.append(design(a, b, fixed_b=fixed))
    return Rates(*(100 * found / repetitions).tolist(), 100 * power_of(planned) if planned else float("nan"))


def power_of(designs: Sequence[Design]) -> float:
    """The probability of finding GAIN with as many runs again."""
    a, b = (float(np.mean([plan.seed_variances[side] for plan in designs])) for side in (0, 1))
    of_queries = float(np.mean([plan.query_variance for plan in designs]))
    plan = Design((a, b), designs[0].freedoms, of_queries, designs[0].clusters)
    return plan.power(GAIN, (plan.freedoms[0] + 1, plan.freedoms[1] + 1))


def shared_effects(random: np.random.Generator, world: World) -> np.ndarray:
    """(Q, L) of all runs, of mean 0: what the queries are like."""
    if world.shape == "precision":
        kind = random.random((QUERIES, 1))
        difficulty = np.where(kind < 0.2, 0.0, np.where(kind < 0.73, 1.0, random.random((QUERIES, 1))))
        return np.broadcast_to(difficulty - (0.53 + 0.27 / 2), (QUERIES, LANGUAGES))
    return effects(random, 0.3, heavy_tails=world.shape == "heavy")


def of_group(random: np.random.Generator, world: World, clusters: np.ndarray) -> np.ndarray:
    """(Q, L) effects of queries that the runs of one group share."""
    found = effects(random, world.of_group)
    if world.per_cluster > 1:  # correlation 0.2 within a cluster of five: a design effect of 1.8
        of_cluster = random.standard_normal((clusters.max() + 1, 1))[clusters]
        found = np.sqrt(0.8) * found + np.sqrt(0.2) * world.of_group * np.sqrt(1 + 1 / LANGUAGES) * of_cluster
    return found


def effects(random: np.random.Generator, deviation: float, *, heavy_tails: bool = False) -> np.ndarray:
    """Of queries, skewed, and of queries in a language; both of mean 0 and of this standard deviation."""
    if heavy_tails:  # log-normal, as rank distances are: the largest of 200 is about ten deviations off
        sigma = 1.5
        skewed = random.lognormal(-(sigma**2) / 2, sigma, (QUERIES, 1)) - 1
        skewed /= np.sqrt(np.exp(sigma**2) - 1)
    else:
        skewed = random.exponential(size=(QUERIES, 1)) - 1
    return deviation * (skewed + random.standard_normal((QUERIES, LANGUAGES)))


def group(
    random: np.random.Generator,
    scores: np.ndarray,
    training: float,
    world: World,
    counts: np.ndarray,
    clusters: np.ndarray,
    seeds: int,
) -> list[Scores]:
    shape = scores.shape
    return [
        named(
            scores
            + training * (random.standard_normal() + random.standard_normal(shape[1]))
            + world.of_run * (random.standard_normal((shape[0], 1)) + random.standard_normal(shape)),
            counts,
            [f"l{language:02}" for language in range(shape[1])],
            clusters,
        )
        for _ in range(seeds)
    ]


def named(scores: np.ndarray, counts: np.ndarray, cells: Sequence[str], clusters: np.ndarray | None = None) -> Scores:
    """The rows of each cluster together."""
    if clusters is None:
        clusters = np.arange(len(scores))
    starts = np.flatnonzero(np.diff(clusters, prepend=-1))
    return Scores(
        query_names(len(starts)),
        tuple(cells),
        np.add.reduceat(scores * counts, starts),
        np.add.reduceat(counts, starts),
    )


@cache
def query_names(number: int) -> tuple[str, ...]:
    return tuple(f"q{row:03}" for row in range(number))


def raised(runs: list[Scores], by: float) -> list[Scores]:
    return [Scores(run.clusters, run.cells, run.sums + by * run.counts, run.counts) for run in runs]


class CorrelationRates(NamedTuple):
    """In percent: p-values at or below 0.05, and 95 % intervals that contain the correlation of many languages."""

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
    ones = np.ones((QUERIES, len(cells)), np.int64)
    for _ in range(repetitions):
        distances, differences = pairs(random, languages, slope)
        b = random.standard_normal(ones.shape)
        a = b + differences[off_diagonal] + random.standard_normal(ones.shape)
        correlation = clustered_spearman([named(a, ones, cells)], [named(b, ones, cells)], names, distances)
        found += correlation.p_value <= 0.05, correlation.low <= truth <= correlation.high
    return CorrelationRates(*(100 * found / repetitions).tolist())


def true_correlation(slope: float) -> float:
    """Spearman's, of the differences without the noise of queries, over many languages."""
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
    print(f"{'':34}{'runs':>6}" + "".join(f"{name:>12}" for name in Rates._fields))
    for name, (world, numbers) in WORLDS.items():
        for seeds in numbers:
            found = rates(world, seeds, arguments.repetitions)
            print(f"{name:34}{seeds[0]:3}{seeds[1]:3}" + "".join(f"{rate:12.1f}" for rate in found), flush=True)
    for slope in (0.0, 0.3):
        for languages in (7, 11):
            found = correlation_rates(slope, arguments.correlations, languages)
            about = f"correlation {true_correlation(slope):.2f}, {languages} languages"
            print(f"{about:40}" + "".join(f"{name} {rate:.1f}  " for name, rate in found._asdict().items()))


if __name__ == "__main__":
    main()

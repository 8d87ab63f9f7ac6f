"""Does the planning table of the report promise the power that tests then have?

    python bench/planning_simulation.py
    python bench/planning_simulation.py --repetitions 500

The worlds are those of `statistics_simulation.py`: 200 queries in eleven languages. The plan is that of the report, the
smallest difference that 3, 5, 10 or 20 seeds of each group find with probability 0.8, from pilots of five seeds. The
variances are averaged over 200 pilots, so that the plan is judged and not the luck of one pilot. Then studies with so
many seeds and just that true difference are simulated, and tested as the report tests them. Percentages are of the
studies in which the difference is found, at level 0.05 and at the level of the first of four planned comparisons.
"""

from __future__ import annotations

import argparse

import numpy as np

from babelbatch.statistics import Design, Scores, compare, design
from statistics_simulation import QUERIES, World, group, of_group, raised, seeds_to_queries, shared_effects

SEEDS = (3, 5, 10, 20)
LEVELS = (0.05, 0.05 / 4)
PILOTS, OF_A_PILOT = 200, 5
WORLDS = {
    "seeds : queries 1 : 4": seeds_to_queries(0.25),
    "seeds : queries 1 : 1": seeds_to_queries(1),
    "seeds : queries 4 : 1": seeds_to_queries(4),
}


def study(random: np.random.Generator, world: World, seeds: int) -> tuple[list[Scores], list[Scores]]:
    """Two groups of `seeds` runs that do not differ in truth; a fixed system has one."""
    counts = (random.random((QUERIES, 11)) >= world.missing).astype(np.int64)
    counts[:, 0] = 1
    clusters = np.arange(QUERIES) // world.per_cluster
    shared = 0.5 + shared_effects(random, world)
    of_b = (0.0, 1) if world.fixed else (world.training[1], seeds)
    a, b = (
        group(random, shared + of_group(random, world, clusters), deviation, world, counts, clusters, runs)
        for deviation, runs in ((world.training[0], seeds), of_b)
    )
    return a, b


def plan(world: World) -> Design:
    """The design of a pilot, with variances averaged over many."""
    random = np.random.default_rng(1)
    found = [design(*study(random, world, OF_A_PILOT), fixed_b=world.fixed) for _ in range(PILOTS)]
    a, b = (float(np.mean([each.seed_variances[side] for each in found])) for side in (0, 1))
    of_queries = float(np.mean([each.query_variance for each in found]))
    return Design((a, b), found[0].freedoms, of_queries, found[0].clusters)


def power(world: World, planned: Design, seeds: int, repetitions: int) -> list[tuple[float, float]]:
    """(detectable difference, share of studies in which it is found) at each of `LEVELS`."""
    random = np.random.default_rng(seeds)
    smallest = [planned.detectable(seeds, level) for level in LEVELS]
    found = np.zeros(len(LEVELS))
    for _ in range(repetitions):
        a, b = study(random, world, seeds)
        for place, (difference, level) in enumerate(zip(smallest, LEVELS, strict=True)):
            found[place] += compare(raised(a, difference), b, fixed_b=world.fixed).p_value <= level
    return list(zip(smallest, (found / repetitions).tolist(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2_000)
    arguments = parser.parse_args()
    print("| what varies | seeds | detectable at 0.05 | found | detectable at 0.0125 | found |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, world in WORLDS.items():
        planned = plan(world)
        for seeds in SEEDS:
            cells = [
                f"{difference:.4f} | {100 * share:.1f}"
                for difference, share in power(world, planned, seeds, arguments.repetitions)
            ]
            print(f"| {name} | {seeds} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

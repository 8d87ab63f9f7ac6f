"""Does the comparison at equal quality keep its level? Simulated training curves of which the truth is known.

    python bench/equal_quality_simulation.py

Runs learn at speeds of their own, are evaluated ten times, and end at other qualities. Their bias is a function of
their quality, the same in both groups, plus an effect of the run and noise of each evaluation. Percentages are over
repetitions:

    level      of p-values at or below 0.05 at equal quality (wanted: 5)
    covered    of 95 % intervals that contain 0 (wanted: 95)
    at the end of p-values at or below 0.05 where the last evaluations are compared instead: what equal quality mends
    compared   of repetitions in which the curves overlap
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
from scipy import stats

from babelbatch.statistics import Curve, compare_at_equal_quality

EVALUATIONS = 10
CASES = {
    "equal speeds": (1.0, 1.0, 0.0),
    "a learns 1.5 times as fast": (1.5, 1.0, 0.0),
    "1.5 times as fast, noisy evaluations": (1.5, 1.0, 0.01),
}
"""Speeds of a and of b, and the standard deviation of the noise of quality and bias at an evaluation."""
SEEDS = ((2, 2), (3, 3), (5, 5), (3, 10))


class Rates(NamedTuple):
    """In percent; see the top of the file."""

    level: float
    covered: float
    at_the_end: float
    compared: float


def curve(random: np.random.Generator, speed: float, noise: float) -> Curve:
    """Quality rises towards 0.6 and bias falls with it, from 0.9 by 1 for each 1 of quality."""
    own = speed * float(np.exp(0.2 * random.standard_normal()))
    quality = 0.6 * (1 - np.exp(-own * np.arange(1, EVALUATIONS + 1) / 5))
    bias = 0.9 - quality + 0.02 * random.standard_normal()
    noisy = [values + noise * random.standard_normal(EVALUATIONS) for values in (quality, bias)]
    return list(zip(*(values.tolist() for values in noisy), strict=True))


def rates(case: tuple[float, float, float], seeds: tuple[int, int], repetitions: int) -> Rates:
    random = np.random.default_rng(seeds)
    *speeds, noise = case
    found = np.zeros(3)
    compared = 0
    for _ in range(repetitions):
        a, b = ([curve(random, speed, noise) for _ in range(count)] for speed, count in zip(speeds, seeds, strict=True))
        ends = [[each[-1][1] for each in group] for group in (a, b)]
        found[2] += stats.ttest_ind(*ends, equal_var=False).pvalue <= 0.05
        test = compare_at_equal_quality(a, b)
        if test is not None:
            compared += 1
            found[:2] += test.p_value <= 0.05, test.low <= 0 <= test.high
    level, covered = 100 * found[:2] / max(1, compared)
    return Rates(float(level), float(covered), float(100 * found[2] / repetitions), 100 * compared / repetitions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2_000)
    arguments = parser.parse_args()
    print("| what varies | runs | level | covered | at the end | compared |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, case in CASES.items():
        for seeds in SEEDS:
            found = rates(case, seeds, arguments.repetitions)
            cells = " | ".join(f"{rate:.1f}" for rate in found)
            print(f"| {name} | {seeds[0]}, {seeds[1]} | {cells} |", flush=True)


if __name__ == "__main__":
    main()

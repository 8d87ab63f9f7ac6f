"""What the runs say about the groups: estimates with intervals, every pair tested, and non-inferiority to X-X."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import pyarrow.compute as pc

from babelbatch.evaluation.metrics import TITLES
from babelbatch.report.grouping import Group
from babelbatch.report.numbers import fixed, interval
from babelbatch.report.runs import Run, custom_metrics
from babelbatch.statistics import (
    Comparison,
    Estimate,
    NonInferiority,
    Scores,
    compare,
    estimate,
    holm,
    non_inferior,
    scores_of,
)


@dataclass(frozen=True, slots=True)
class Measure:
    """A quantity that groups are compared by. title: where it looks. digits: after the point, in tables."""

    setting: str
    metric: str
    title: str
    name: str
    higher_is_better: bool
    digits: int

    def shown(self, value: float) -> str:
        return fixed(value, self.digits)

    def interval(self, low: float, high: float) -> str:
        return interval(low, high, self.digits)


PLACES = {
    "monolingual": "within a language",
    "crosslingual": "across languages",
    "multilingual": "over the pool of all languages",
}


def of_setting(setting: str, metric: str) -> Measure:
    """A retrieval metric in one of the three settings."""
    return Measure(setting, metric, PLACES[setting], TITLES[metric], True, 4)


MONOLINGUAL, CROSSLINGUAL, MULTILINGUAL = (of_setting(setting, "map") for setting in PLACES)
RANK_DISTANCE = Measure("multilingual", "rank_distance", "over the pool of all languages", "rank distance", False, 1)
MEASURES = (MONOLINGUAL, CROSSLINGUAL, MULTILINGUAL, RANK_DISTANCE)
"""Where mAP is the metric to read first."""
PREFERENCE = Measure("multilingual", "language_preference", "in the pool", "language preference", False, 3)
SAME_LANGUAGE = Measure("multilingual", "same_language@10", "in the pool", "same language in the top 10", False, 3)


@dataclass(frozen=True, slots=True)
class Pair:
    """Group `a` minus group `b`. p_value: adjusted by Holm over all pairs and measures of the benchmark."""

    a: str
    b: str
    measure: Measure
    comparison: Comparison
    p_value: float

    def settled(self, level: float) -> bool:
        return self.p_value < 1 - level

    def better(self) -> str:
        return self.a if (self.comparison.difference > 0) == self.measure.higher_is_better else self.b


@dataclass(frozen=True, slots=True)
class Margin:
    """Whether `group` is worse than `reference` by no more than the margin. p_value: adjusted by Holm."""

    group: str
    reference: str
    test: NonInferiority
    p_value: float


@dataclass(frozen=True, slots=True)
class Study:
    """All that is said of one benchmark. estimates: (group, measure) -> interval. scores:
    (group, seed, measure) -> scores. unpaired: pairs of groups that were not
    compared, one of a single run whose seed the other lacks. metric: the one to read first."""

    benchmark: str
    metric: str
    languages: tuple[str, ...]
    groups: tuple[Group, ...]
    measures: tuple[Measure, ...]
    estimates: dict[tuple[str, Measure], Estimate]
    pairs: tuple[Pair, ...]
    margins: tuple[Margin, ...]
    unpaired: tuple[tuple[str, str], ...]
    level: float
    scores: dict[tuple[str, int | None, Measure], Scores] = field(repr=False)

    def main(self, setting: str) -> Measure | None:
        """The metric to read first in a setting; None if the benchmark does not have the setting."""
        measure = of_setting(setting, self.metric)
        return measure if measure in self.measures else None

    @property
    def widest(self) -> Measure:
        """The metric to read first, over the pool of all languages, or else across languages, or within one."""
        return next(measure for setting in reversed(PLACES) if (measure := self.main(setting)) is not None)

    def of(self, group: Group, measure: Measure, seeds: Sequence[int | None] | None = None) -> list[Scores]:
        """The scores of a group's runs, or of those with `seeds`."""
        return [self.scores[group.label, seed, measure] for seed in (group.seeds if seeds is None else seeds)]

    def pair(self, a: str, b: str, measure: Measure) -> Pair | None:
        found = [pair for pair in self.pairs if pair.measure == measure and {pair.a, pair.b} == {a, b}]
        return found[0] if found else None

    def best(self, measure: Measure) -> list[str]:
        """The groups by their estimates, best first."""
        sign = -1 if measure.higher_is_better else 1
        return sorted(
            (group.label for group in self.groups if (group.label, measure) in self.estimates),
            key=lambda label: sign * self.estimates[label, measure].value,
        )

    def winner(self, measure: Measure) -> str | None:
        """The group that the tests say is better than every other; None if they do not."""
        first, *others = self.best(measure) or [None]
        pairs = [self.pair(first, other, measure) for other in others] if first else []
        if not pairs or not all(pair and pair.settled(self.level) and pair.better() == first for pair in pairs):
            return None
        return first

    def not_told_from_the_best(self, measure: Measure) -> set[str]:
        """The groups that the tests do not tell from the one with the best estimate."""
        first, *others = self.best(measure) or [None]
        pairs = {other: self.pair(first, other, measure) for other in others} if first else {}
        return {other for other, pair in pairs.items() if not pair or not pair.settled(self.level)}


def study(benchmark: str, groups: Sequence[Group], level: float = 0.95, margin: float = 0.01) -> Study:
    """Estimates, comparisons and non-inferiority of the groups on one benchmark.

    level: of the intervals; differences count as settled below 1 - level. margin: of the metric, for non-inferiority.
    """
    metric = metric_of(groups[0].runs[0], benchmark)
    asked = (*measures_of(metric), *_custom_measures(groups))
    scores = {
        (group.label, run.seed, measure): found
        for group in groups
        for run in group.runs
        for measure in (*asked, PREFERENCE, SAME_LANGUAGE)
        if (found := scores_of_run(run, benchmark, measure)) is not None
    }
    estimates = {}
    for group in groups:
        for measure in (*asked, PREFERENCE, SAME_LANGUAGE):
            of_seeds = [scores.get((group.label, seed, measure)) for seed in group.seeds]
            if all(found is not None for found in of_seeds):
                estimates[group.label, measure] = estimate(of_seeds, level)
    measures = tuple(measure for measure in asked if all((group.label, measure) in estimates for group in groups))
    if not any(measure.metric == metric for measure in measures):
        raise ValueError(
            f"runs: not all of them have {TITLES[metric]} on {benchmark}; evaluate them again, or leave it out"
        )
    tested, unpaired = [], []
    for a, b in combinations(groups, 2):
        sides = comparable(a, b)
        if sides is None:
            unpaired.append((a.label, b.label))
            continue
        for measure in measures:
            of_both = [
                [scores[group.label, seed, measure] for seed in seeds]
                for group, seeds in zip((a, b), sides, strict=True)
            ]
            tested.append((a.label, b.label, measure, compare(*of_both, level)))
    adjusted = holm([comparison.p_value for *_, comparison in tested]) if tested else []
    pairs = tuple(Pair(*test, p_value) for test, p_value in zip(tested, adjusted, strict=True))
    return Study(
        benchmark,
        metric,
        languages_of(groups[0].runs[0], benchmark),
        tuple(groups),
        measures,
        estimates,
        pairs,
        _margins(groups, scores, of_setting("monolingual", metric), level, margin),
        tuple(unpaired),
        level,
        scores,
    )


def comparable(a: Group, b: Group) -> tuple[Sequence[int | None], Sequence[int | None]] | None:
    """The seeds of a and of b that a comparison uses: all, but where one group has a single run, the run of the other
    with that seed, since one run does not show how training varies. None if there is no such run."""
    if (len(a.seeds) > 1) == (len(b.seeds) > 1):
        return a.seeds, b.seeds
    shared = [seed for seed in a.seeds if seed in b.seeds]
    return (shared, shared) if shared else None


def scores_of_run(run: Run, benchmark: str, measure: Measure) -> Scores | None:
    """The scores of a run by question id and cell; None where the measure is not defined."""
    if measure.metric not in run.per_query.column_names:
        return None
    table = run.per_query.filter(
        pc.and_(pc.equal(run.per_query["benchmark"], benchmark), pc.equal(run.per_query["setting"], measure.setting))
    )
    table = table.filter(pc.is_valid(table[measure.metric]))
    if len(table) == 0:
        return None
    cells = table["query_language"].cast("string")
    if measure.setting == "crosslingual":
        cells = pc.binary_join_element_wise(cells, table["candidate_language"].cast("string"), "-")
    clusters = table["query_id"].cast("string").to_pylist()
    return scores_of(clusters, cells.to_pylist(), table[measure.metric].to_numpy())


def reference_of(groups: Sequence[Group]) -> Group | None:
    """X-X, that others may not fall behind within a language: the strategy, or hybrid with alpha 1."""
    for strategy in ("x_x", "hybrid"):
        found = [group for group in groups if group.strategy == strategy and group.alpha == 1]
        if found:
            return found[0]
    return None


def languages_of(run: Run, benchmark: str) -> tuple[str, ...]:
    """The languages of a benchmark, from metrics.json."""
    prefix = f"{benchmark}/monolingual/{metric_of(run, benchmark)}/"
    said = run.metrics.get(f"languages/{benchmark}")
    return tuple(said or (key.removeprefix(prefix) for key in run.metrics if key.startswith(prefix)))


def metric_of(run: Run, benchmark: str) -> str:
    """The metric that the benchmark is read by; nDCG@10 where a search could not tell it."""
    return run.metrics.get(f"metric/{benchmark}", "map")


def measures_of(metric: str) -> tuple[Measure, ...]:
    """What groups are compared by where `metric` is the one to read first. Beside nDCG@10 stands recall@100, as in
    MIRACL (arXiv 2210.09984)."""
    second = ("recall@100",) if metric == "ndcg@10" else ()
    return (*(of_setting(setting, name) for name in (metric, *second) for setting in PLACES), RANK_DISTANCE)


def _custom_measures(groups: Sequence[Group]) -> tuple[Measure, ...]:
    """Metrics of the user's own, in every setting."""
    found = {
        name: higher for group in groups for run in group.runs for name, higher in custom_metrics(run.metrics).items()
    }
    return tuple(
        Measure(setting, name, place, name, higher, 4)
        for name, higher in found.items()
        for setting, place in PLACES.items()
    )


def _margins(
    groups: Sequence[Group], scores: dict, measure: Measure, level: float, margin: float
) -> tuple[Margin, ...]:
    reference = reference_of(groups)
    if reference is None or any((group.label, seed, measure) not in scores for group in groups for seed in group.seeds):
        return ()
    tests = []
    for group in groups:
        sides = None if group is reference else comparable(group, reference)
        if sides is None:
            continue
        of_both = [
            [scores[each.label, seed, measure] for seed in seeds]
            for each, seeds in zip((group, reference), sides, strict=True)
        ]
        tests.append((group.label, reference.label, non_inferior(*of_both, margin, level)))
    adjusted = holm([test.p_value for *_, test in tests]) if tests else []
    return tuple(Margin(*test, p_value) for test, p_value in zip(tests, adjusted, strict=True))

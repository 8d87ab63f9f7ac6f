"""What the runs say about the groups: estimates with intervals, every pair tested, and non-inferiority to X-X."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations

from babelbatch.evaluation.metrics import TITLES
from babelbatch.foreign import Aggregate
from babelbatch.progress import bar
from babelbatch.report.contrasts import Contrast
from babelbatch.report.grouping import Group
from babelbatch.report.measures import (
    CROSSLINGUAL,
    MEASURES,
    MONOLINGUAL,
    MULTILINGUAL,
    PLACES,
    PREFERENCE,
    RANK_DISTANCE,
    SAME_LANGUAGE,
    Measure,
    measures_of,
    of_setting,
)
from babelbatch.report.outcomes import Better, NotDifferent, NotTested, Outcome, Pair, corrected, why_not_tested
from babelbatch.report.planned import Planned, planned_tests
from babelbatch.report.run_scores import Clusters, clusters_of, scores_of_run
from babelbatch.report.runs import Run, custom_metrics
from babelbatch.statistics import Comparison, Estimate, NonInferiority, Scores, compare, estimate, holm, non_inferior

__all__ = [
    "CROSSLINGUAL",
    "MEASURES",
    "MONOLINGUAL",
    "MULTILINGUAL",
    "PLACES",
    "PREFERENCE",
    "RANK_DISTANCE",
    "SAME_LANGUAGE",
    "Margin",
    "Measure",
    "Pair",
    "Study",
    "of_setting",
    "reference_of",
    "study",
]

AllScores = dict[tuple[str, int | None, Measure], Scores]
"""(group, seed, measure) -> scores."""


@dataclass(frozen=True, slots=True)
class Margin:
    """Whether `group` is worse than `reference` by less than the margin (`keeps`), or by more (`costs`).

    p_value, loss_p_value: of the two one-sided tests, adjusted by Holm over all of them.
    """

    group: str
    reference: str
    test: NonInferiority
    p_value: float
    loss_p_value: float

    def keeps(self, level: float) -> bool:
        return self.p_value < 1 - level

    def costs(self, level: float) -> bool:
        return self.loss_p_value < 1 - level


@dataclass(frozen=True)
class Study:
    """Estimates and tests on one benchmark.

    metric: the one to read first. clusters: which queries are independent. estimates: (group, measure) -> interval.
    cut: those whose interval is cut at an end of the measure's range.
    pairs: the tests of every pair of groups on every measure. untested: pairs of groups that were not tested, and why.
    margins: non-inferiority to X-X. planned: the tests of `report.contrasts`, a family of their own.
    aggregates: systems without scores by query, which are not groups.
    level: of the intervals; differences are significant below 1 - level.
    """

    benchmark: str
    metric: str
    languages: tuple[str, ...]
    clusters: Clusters
    groups: tuple[Group, ...]
    measures: tuple[Measure, ...]
    estimates: dict[tuple[str, Measure], Estimate]
    cut: tuple[tuple[str, Measure], ...]
    pairs: tuple[Pair, ...]
    untested: tuple[NotTested, ...]
    margins: tuple[Margin, ...]
    planned: tuple[Planned, ...]
    level: float
    scores: AllScores = field(repr=False)
    aggregates: tuple[Aggregate, ...] = ()

    def main(self, setting: str) -> Measure | None:
        """The metric to read first in a setting; None if the benchmark does not have the setting."""
        measure = of_setting(setting, self.metric)
        return measure if measure in self.measures else None

    @property
    def metric_title(self) -> str:
        """The metric to read first, as papers write it."""
        return TITLES[self.metric]

    @property
    def widest(self) -> Measure:
        """The metric to read first, over the pool of all languages, or else across languages, or within one."""
        return next(measure for setting in reversed(PLACES) if (measure := self.main(setting)) is not None)

    def having(self, measure: Measure) -> tuple[Group, ...]:
        """The groups that have scores by query on a measure; a system that was measured elsewhere may lack some."""
        return tuple(group for group in self.groups if (group.label, measure) in self.estimates)

    @property
    def replicated(self) -> tuple[Group, ...]:
        """The groups that strategies can be judged by: of several runs, and fixed systems, which have one."""
        return tuple(group for group in self.groups if group.fixed or len(group.runs) > 1)

    @property
    def of_runs(self) -> bool:
        """Whether only single runs can be compared: there are fewer than two such groups, or runs of which none has
        another seed beside fixed systems."""
        trained = [group for group in self.groups if not group.fixed]
        single = bool(trained) and all(len(group.runs) == 1 for group in trained)
        return single or len(self.replicated) < 2

    @property
    def judged_all(self) -> bool:
        """Whether what is said of strategies is said of all of them."""
        return len(self.replicated) == len(self.groups) and not self.aggregates

    def subject(self, label: str) -> str:
        """What a sentence calls a group."""
        return next(group.subject for group in self.groups if group.label == label)

    @cached_property
    def _pair_of(self) -> dict[tuple[frozenset[str], Measure], Pair]:
        return {(frozenset((pair.a, pair.b)), pair.measure): pair for pair in self.pairs}

    def of(self, group: Group, measure: Measure) -> list[Scores]:
        """The scores of a group's runs."""
        return [self.scores[group.label, seed, measure] for seed in group.seeds]

    def pair(self, a: str, b: str, measure: Measure) -> Pair | None:
        """The test of two groups on a measure, in either order; None if there was none."""
        return self._pair_of.get((frozenset((a, b)), measure))

    def outcome(self, a: str, b: str, measure: Measure) -> Outcome:
        """What the comparison of two groups on a measure came to."""
        pair = self.pair(a, b, measure)
        if pair is None:
            for each in self.untested:
                if {each.a, each.b} == {a, b}:
                    return each
            lack = [label for label in (a, b) if (label, measure) not in self.estimates]
            return NotTested(a, b, f"{' and '.join(lack)} has no {measure.name} {measure.title} by query")
        if not pair.settled(self.level):
            return NotDifferent(pair)
        winner = pair.better()
        return Better(winner, b if winner == a else a, pair)

    def best(self, measure: Measure) -> list[str]:
        """The groups by their estimates, best first."""
        sign = -1 if measure.higher_is_better else 1
        return sorted(
            (group.label for group in self.groups if (group.label, measure) in self.estimates),
            key=lambda label: sign * self.estimates[label, measure].value,
        )

    def leader(self, measure: Measure) -> str | None:
        """The group with the best estimate among `replicated`; None if there are fewer than two of these."""
        names = {group.label for group in self.replicated}
        return None if self.of_runs else next((label for label in self.best(measure) if label in names), None)

    def winner(self, measure: Measure) -> str | None:
        """The group that is significantly better than every other that strategies can be judged by."""
        first = self.leader(measure)
        others = [group.label for group in self.replicated if group in self.having(measure) and group.label != first]
        if (
            first is None
            or not others
            or not all(
                isinstance(found := self.outcome(first, other, measure), Better) and found.winner == first
                for other in others
            )
        ):
            return None
        return first

    def like_the_leader(self, measure: Measure) -> list[str]:
        """The groups that were tested against the leader and are not significantly different, best first."""
        first = self.leader(measure)
        if first is None:
            return []
        names = {group.label for group in self.replicated} - {first}
        return [
            label
            for label in self.best(measure)
            if label in names and isinstance(self.outcome(first, label, measure), NotDifferent)
        ]


def study(
    benchmark: str,
    groups: Sequence[Group],
    level: float = 0.95,
    margin: float = 0.01,
    contrasts: Sequence[Contrast] = (),
    *,
    tested: bool = True,
) -> Study:
    """Estimates, comparisons and non-inferiority of the groups on one benchmark.

    level: of the intervals; differences are significant below 1 - level. margin: of the metric, for non-inferiority.
    contrasts: planned comparisons. tested: whether to compare at all; False gives estimates alone.
    """
    runs = [run for group in groups for run in group.runs]
    metric = metric_of(runs[0], benchmark)
    asked = (*measures_of(metric), *_custom_measures(groups))
    clusters = clusters_of(runs, benchmark)
    scores = {
        (group.label, run.seed, measure): found
        for group in groups
        for run in group.runs
        for measure in (*asked, PREFERENCE, SAME_LANGUAGE)
        if (found := scores_of_run(run, benchmark, measure, clusters)) is not None
    }
    estimates, cut = _estimates(groups, (*asked, PREFERENCE, SAME_LANGUAGE), scores, level)
    # A system that was measured elsewhere may lack a measure, and then is not tested on it.
    complete = [group for group in groups if not group.foreign]
    measures = tuple(
        measure
        for measure in asked
        if all((group.label, measure) in estimates for group in complete)
        and any((group.label, measure) in estimates for group in groups)
    )
    if not any(measure.metric == metric for measure in measures):
        raise ValueError(
            f"runs: not all of them have {TITLES[metric]} on {benchmark}; evaluate them again, or leave it out"
        )
    tests, untested = _pairwise(benchmark, groups, measures, scores, level) if tested else ([], [])
    return Study(
        benchmark,
        metric,
        languages_of(runs[0], benchmark),
        clusters,
        tuple(groups),
        measures,
        estimates,
        tuple(each for each in cut if each[1] in measures),
        corrected(tests, level),
        tuple(untested),
        _margins(groups, scores, of_setting("monolingual", metric), level, margin) if tested else (),
        planned_tests(contrasts, groups, metric, scores, level),
        level,
        scores,
    )


def _estimates(
    groups: Sequence[Group],
    measures: Sequence[Measure],
    scores: AllScores,
    level: float,
) -> tuple[dict[tuple[str, Measure], Estimate], list[tuple[str, Measure]]]:
    """The mean of each group in each measure that all of its seeds have, and where an interval was cut to the range."""
    estimates: dict[tuple[str, Measure], Estimate] = {}
    cut: list[tuple[str, Measure]] = []
    for group in groups:
        for measure in measures:
            of_seeds = [own for seed in group.seeds if (own := scores.get((group.label, seed, measure)))]
            if len(of_seeds) == len(group.seeds):
                mean = estimate(of_seeds, level)
                low, high = measure.within(mean.low, mean.high)
                estimates[group.label, measure] = replace(mean, low=low, high=high)
                if (low, high) != (mean.low, mean.high):
                    cut.append((group.label, measure))
    return estimates, cut


def _pairwise(
    benchmark: str,
    groups: Sequence[Group],
    measures: Sequence[Measure],
    scores: Mapping[tuple[str, int | None, Measure], Scores],
    level: float,
) -> tuple[list[tuple[Group, Group, Measure, Comparison]], list[NotTested]]:
    """Every pair in every measure that both have; and the pairs that cannot be tested, with the reason."""
    tests, untested = [], []
    pairs = list(combinations(groups, 2))
    with bar(f"comparing the strategies on {benchmark}", len(pairs), "pairs") as progress:
        for a, b in pairs:
            progress.advance(1)
            if (reason := why_not_tested(a, b)) is not None:
                untested.append(NotTested(a.label, b.label, reason))
                continue
            for measure in measures:
                of_a, of_b = (
                    [own for seed in group.seeds if (own := scores.get((group.label, seed, measure)))]
                    for group in (a, b)
                )
                if len(of_a) == len(a.seeds) and len(of_b) == len(b.seeds):
                    tests.append((a, b, measure, compare(of_a, of_b, level, fixed_a=a.fixed, fixed_b=b.fixed)))
    return tests, untested


def reference_of(groups: Sequence[Group]) -> Group | None:
    """X-X, which others are compared with: the strategy, or hybrid with alpha 1."""
    for strategy in ("x_x", "hybrid"):
        found = [group for group in groups if group.strategy == strategy and group.alpha == 1]
        if found:
            return min(found, key=_is_debiased)
    return None


def _is_debiased(group: Group) -> bool:
    return bool(group.runs[0].settings.get("evaluation.debias", "none") != "none")


def languages_of(run: Run, benchmark: str) -> tuple[str, ...]:
    """The languages of a benchmark, from metrics.json."""
    prefix = f"{benchmark}/monolingual/{metric_of(run, benchmark)}/"
    recorded = run.metrics.get(f"languages/{benchmark}")
    return tuple(recorded or (key.removeprefix(prefix) for key in run.metrics if key.startswith(prefix)))


def metric_of(run: Run, benchmark: str) -> str:
    """The metric that the benchmark is read by; nDCG@10 where a search cannot compute its own."""
    return str(run.metrics.get(f"metric/{benchmark}", "map"))


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
    groups: Sequence[Group], scores: AllScores, measure: Measure, level: float, margin: float
) -> tuple[Margin, ...]:
    reference = reference_of(groups)
    groups = [group for group in groups if all((group.label, seed, measure) in scores for seed in group.seeds)]
    if reference is None or reference not in groups:
        return ()
    tests = []
    for group in groups:
        if group is reference or why_not_tested(group, reference) is not None:
            continue
        own, other = ([scores[each.label, seed, measure] for seed in each.seeds] for each in (group, reference))
        found = non_inferior(own, other, margin, level, fixed_a=group.fixed, fixed_b=reference.fixed)
        tests.append((group.label, reference.label, found))
    adjusted = holm([p_value for *_, test in tests for p_value in (test.p_value, test.loss_p_value)])
    return tuple(
        Margin(*test, keeps, costs) for test, keeps, costs in zip(tests, adjusted[::2], adjusted[1::2], strict=True)
    )

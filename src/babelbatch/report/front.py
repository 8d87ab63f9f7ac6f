"""The front of monolingual, crosslingual and multilingual quality: which strategy dominates which?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations

import numpy as np

from babelbatch.report.comparisons import Measure, Study
from babelbatch.report.enumeration import some
from babelbatch.report.figure import Figure
from babelbatch.report.grouping import Group
from babelbatch.report.measures import PLACES
from babelbatch.report.numbers import MISSING, p_text, percent
from babelbatch.report.outcomes import why_not_tested
from babelbatch.report.section import Section
from babelbatch.report.svg import SERIES
from babelbatch.report.svg_regions import Mark, regions
from babelbatch.report.tables import Data, Grid
from babelbatch.statistics import Comparison, Region, dominance_p_value, holm, joint_region, seed_correlation


@dataclass(frozen=True, slots=True)
class Dominance:
    """The test of `winner` dominating `loser`. p_value: adjusted by Holm over both directions of all pairs."""

    winner: str
    loser: str
    raw: float
    p_value: float


def front(study: Study, margin: float) -> Section | None:
    """Who dominates whom over the settings of the benchmark, with pictures; None with one group or one setting. Groups
    without scores in a setting are left out."""
    measures = [measure for setting in PLACES if (measure := study.main(setting)) is not None]
    complete = tuple(group for group in study.groups if all(group in study.having(measure) for measure in measures))
    everything = len(study.groups) + len(study.aggregates)
    study = replace(study, groups=complete)
    if len(measures) < 2 or len(study.groups) < 2:
        return None
    tests = dominances(study, measures, margin)
    wins: dict[str, list[str]] = {group.label: [] for group in study.groups}
    losses: dict[str, list[str]] = {group.label: [] for group in study.groups}
    for test in tests:
        if test.p_value < 1 - study.level:
            wins[test.winner].append(test.loser)
            losses[test.loser].append(test.winner)
    figures = [_panel(study, x, y, losses) for x, y in combinations(measures, 2)]
    settings = " and ".join([", ".join(PLACES[each.setting] for each in measures[:-1]), PLACES[measures[-1].setting]])
    return Section(
        f"front-{study.benchmark}",
        f"{study.benchmark}: which strategy dominates which?",
        tuple(_sentences(study, tests, wins, losses, everything)),
        f"A strategy dominates another if its {study.metric_title} is lower by {margin:g} or more in no setting "
        f"({settings}) and higher in at least one: an intersection-union test of non-inferiority in every setting and "
        "superiority in any, p by Holm over both directions of all pairs. Ellipses are joint "
        f"{percent(study.level)} regions of a strategy's two means, over queries and, with several runs, seeds; a ring "
        "is a strategy that another one dominates. Overlapping ellipses do not mean that strategies are equal: the "
        "tests are paired by query.",
        _table(study, wins, losses, tests),
        Data(
            f"{study.benchmark}_dominance",
            ("winner", "loser", "margin", "p", "p by Holm", "dominates"),
            [(t.winner, t.loser, margin, t.raw, t.p_value, t.p_value < 1 - study.level) for t in tests],
        ),
        figures=tuple(figures),
    )


def dominances(study: Study, measures: Sequence[Measure], margin: float) -> list[Dominance]:
    """The tests of both directions of every pair that can be tested."""
    made: list[tuple[str, str, float]] = []
    for a, b in permutations(study.groups, 2):
        if why_not_tested(a, b) is not None:
            continue
        of_all = [_towards(study, a, b, measure) for measure in measures]
        found = [each for each in of_all if each is not None]
        if len(found) == len(measures):
            made.append((a.label, b.label, dominance_p_value(found, margin)))
    adjusted = holm([p_value for *_, p_value in made])
    return [Dominance(*test, p_value) for test, p_value in zip(made, adjusted, strict=True)]


def _towards(study: Study, a: Group, b: Group, measure: Measure) -> Comparison | None:
    """The comparison a minus b on a measure."""
    pair = study.pair(a.label, b.label, measure)
    if pair is None or pair.a == a.label:
        return None if pair is None else pair.comparison
    both = pair.comparison
    return replace(both, difference=-both.difference, low=-both.high, high=-both.low)


def _panel(study: Study, x: Measure, y: Measure, losses: Mapping[str, Sequence[str]]) -> Figure:
    of_seeds = seed_correlation(*([study.of(group, measure) for group in study.groups] for measure in (x, y)))
    marks, rows = [], []
    for number, group in enumerate(study.groups):
        found = joint_region(study.of(group, x), study.of(group, y), of_seeds, study.level)
        outline = np.clip(found.outline(), [x.least, y.least], [x.most, y.most])
        marks.append(Mark(str(number + 1), found.centre, outline, number, hollow=bool(losses[group.label])))
        rows.append(_row(group.label, found))
    x_title, y_title = (f"{measure.name} {measure.title}" for measure in (x, y))
    where = "; ".join(f"{label}: {a:.3f}, {b:.3f}" for label, a, b, *_ in rows)
    title = f"{PLACES[y.setting]} against {PLACES[x.setting]}"
    labels = [(f"{number + 1} {group.label}", number % SERIES) for number, group in enumerate(study.groups)]
    return Figure(
        title[0].upper() + title[1:],
        regions(marks, f"{title}. {where}", x_title, y_title),
        tuple(labels),
        Data(
            f"{study.benchmark}_front_{x.setting}_{y.setting}",
            ("group", x_title, y_title, "error of the first", "error of the second", "correlation", "radius in errors"),
            rows,
        ),
    )


def _row(label: str, found: Region) -> tuple[str, float, float, float, float, float, float]:
    return (label, *found.centre, *found.deviations, found.correlation, found.radius)


def _table(
    study: Study, wins: Mapping[str, Sequence[str]], losses: Mapping[str, Sequence[str]], tests: Sequence[Dominance]
) -> Grid:
    tested = {test.winner for test in tests}
    lines: list[tuple[str, str, tuple[tuple[str, str], ...]]] = []
    for number, group in enumerate(study.groups):
        own, other = wins[group.label], losses[group.label]
        opponents = sum(test.winner == group.label for test in tests)
        neither = opponents - len({*own, *other})  # with a large margin two may dominate each other
        cells: tuple[tuple[str, str], ...] = ((MISSING, ""),) * 3
        if group.label in tested:
            cells = (
                (str(len(own)), some(own)), (str(len(other)), some(other)), (str(neither), "")
            )  # fmt: skip
        lines.append(
            (f"{number + 1} {group.label}", "" if other or group.label not in tested else "on the front", cells)
        )
    return Grid("strategy", ("dominates", "dominated by", "neither"), lines, wraps=True)


def _sentences(
    study: Study,
    tests: Sequence[Dominance],
    wins: Mapping[str, Sequence[str]],
    losses: Mapping[str, Sequence[str]],
    everything: int,
) -> list[str]:
    """everything: how many systems the benchmark has, with those that could not be tested."""
    if not tests:
        return ["No two strategies have runs that can be compared."]
    tested = {test.winner for test in tests}
    of_label = {group.label: group.subject for group in study.groups if group.label in tested}
    free = [label for label in of_label if not losses[label]]
    if not any(wins.values()):
        return ["No strategy significantly dominates another."]
    lines = []
    for label in of_label:
        if wins[label] and (label in free or set(wins[label]) & set(losses[label])):
            largest = max(test.p_value for test in tests if test.winner == label and test.loser in wins[label])
            line = f"{of_label[label]} dominates {some([of_label[loser] for loser in wins[label]])} ({p_text(largest)}"
            lines.append(f"{line}{' at most' if len(wins[label]) > 1 else ''}).")
    if free:
        names = some([of_label[label] for label in free])
        others = "any other" if len(tests) == everything * (everything - 1) else "any that it was tested against"
        lines.append(f"Not significantly dominated by {others}: {names}.")
    return [f"{line[0].upper()}{line[1:]}" if line.split()[0].isalpha() else line for line in lines]

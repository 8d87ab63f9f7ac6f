"""The front of several validation scores: the settings that no other one beats in one score without losing in another.

It selects what is compared on benchmarks. It is an order of means, not a test: `front.py` has the tests, on benchmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from babelbatch.evaluation.metrics import TITLES
from babelbatch.report.enumeration import some
from babelbatch.report.figure import Figure
from babelbatch.report.grouping import Group, compared
from babelbatch.report.measures import PLACES
from babelbatch.report.numbers import MISSING, fixed
from babelbatch.report.scored_weights import judged
from babelbatch.report.section import Section
from babelbatch.report.selection import higher_is_better, refuse_unscored
from babelbatch.report.selection_rule import Rule
from babelbatch.report.svg_regions import Mark, regions
from babelbatch.report.tables import Data, Grid


@dataclass(frozen=True, slots=True)
class Candidates:
    """tried: settings with validation scores. scores: (settings, metrics), means over the seeds that all of them have.
    on_front: which of them no other one beats. seeds: those. kept: systems that were not trained here, which are no
    candidates and are compared anyway."""

    tried: tuple[Group, ...]
    scores: NDArray[np.float64]
    on_front: tuple[bool, ...]
    seeds: tuple[int | None, ...]
    kept: tuple[Group, ...]

    @property
    def selected(self) -> list[Group]:
        """In the order of the groups that they were chosen among, systems last."""
        return [*(group for group, on in zip(self.tried, self.on_front, strict=True) if on), *self.kept]


def validation_front(groups: Sequence[Group], rule: Rule) -> Candidates:
    """The candidates among groups and their front. Raises ValueError, with everything that is wrong: runs without a
    score, scored on other validation items, or groups without a common seed."""
    tried = tuple(group for group in groups if not group.fixed and not group.foreign)
    kept = tuple(group for group in groups if group.fixed or group.foreign)
    if not tried:
        raise ValueError("select: no run was trained here, so there is nothing to select; leave it out")
    runs = [run for group in tried for run in group.runs]
    shared = tuple(seed for seed in tried[0].seeds if all(seed in group.seeds for group in tried))
    problems = []
    for metric in rule.metrics:
        try:
            refuse_unscored(runs, shared, replace(rule, metric=metric, others=()))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(dict.fromkeys(problems)))
    scores = np.array([
        [np.mean([run.metrics[metric] for run in group.runs if run.seed in shared]) for metric in rule.metrics]
        for group in tried
    ])  # fmt: skip
    signs = [1 if higher_is_better(metric, runs) else -1 for metric in rule.metrics]
    return Candidates(tried, scores, not_dominated(scores * signs), shared, kept)


def not_dominated(scores: NDArray[np.float64]) -> tuple[bool, ...]:
    """For each row of (n, m) scores, of which more is better: whether no other row is at least as good in all columns
    and better in one."""
    return tuple(not bool(((scores >= own).all(axis=1) & (scores > own).any(axis=1)).any()) for own in scores)


def validation_front_section(found: Candidates, rule: Rule) -> Section:
    """How settings were selected: every candidate with its scores, and a picture of each two scores."""
    names = [_metric_name(metric) for metric in rule.metrics]
    digits = [1 if metric.endswith("rank_distance") else 4 for metric in rule.metrics]
    seeds = ", ".join(str(seed) for seed in found.seeds) or MISSING
    words = _differing_settings(found.tried)
    lines: list[tuple[str, str, tuple[tuple[str, str], ...]]] = []
    for number, (group, values, on) in enumerate(zip(found.tried, found.scores.tolist(), found.on_front, strict=True)):
        cells = tuple((fixed(value, places), "") for value, places in zip(values, digits, strict=True))
        shown = (words[number], "")
        lines.append((f"{number + 1} {group.label}", "on the front" if on else "", (shown, *cells, (seeds, ""))))
    rows = [
        (group.label, each, *values, " ".join(map(str, found.seeds)), on)
        for group, each, values, on in zip(found.tried, words, found.scores.tolist(), found.on_front, strict=True)
    ]
    return Section(
        "selection",
        "Which settings are on the front on validation?",
        tuple(_sentences(found, rule, names)),
        f"{some(names)} on validation items, which are not trained on: means over the seeds that all settings have. "
        "A setting is on the front if no other one is at least as good in all of these scores and better in one. That "
        "is an order of the scores at hand and not a test: with other seeds or validation items other settings may be "
        "on it. Only the settings on the front are compared on benchmarks; "
        f"{judged(run for group in found.tried for run in group.runs)}",
        Grid("setting", ("what differs", *names, "scored on seeds"), lines, wraps=True),
        Data("selection", ("group", "what differs", *rule.metrics, "seeds", "on the front"), rows),
        figures=tuple(_panel(found, rule, names, x, y) for x, y in combinations(range(len(names)), 2)),
    )


def _differing_settings(groups: Sequence[Group]) -> list[str]:
    """For each group the values of all settings in which any two differ; a label has only as many as tell it apart."""
    settings = [compared(group.runs[0].settings) for group in groups]
    paths = sorted({path for each in settings for path in each})
    varied = [path for path in paths if len({str(each.get(path)) for each in settings}) > 1]
    ends = [path.rpartition(".")[2] for path in varied]
    short = {path: end if ends.count(end) == 1 else path for path, end in zip(varied, ends, strict=True)}
    return [" ".join(f"{short[path]}={each.get(path, 'default')}" for path in varied) or MISSING for each in settings]


def _sentences(found: Candidates, rule: Rule, names: Sequence[str]) -> list[str]:
    labels = [group.label for group in found.tried]
    best = [label for label, on in zip(labels, found.on_front, strict=True) if on]
    lines = [
        f"On validation, {len(best)} of {len(labels)} settings {'is' if len(best) == 1 else 'are'} on the front of "
        f"{some(names)}: {some(best)}."
    ]
    if len(found.seeds) == 1:
        lines.append(
            f"Each setting is scored on one run (seed {found.seeds[0]}), so the front may owe as much to the seed as "
            "to the settings: train those on it with more seeds."
        )
    return lines


def _panel(found: Candidates, rule: Rule, names: Sequence[str], x: int, y: int) -> Figure:
    """The settings by two of the scores; rings are settings that are not on the front."""
    points = found.scores[:, [x, y]]
    marks = [
        Mark(str(number + 1), (a, b), np.array([[a, b]]), 0 if on else 1, hollow=not on)
        for number, ((a, b), on) in enumerate(zip(points.tolist(), found.on_front, strict=True))
    ]
    labels = [group.label for group in found.tried]
    where = "; ".join(f"{label}: {a:.3f}, {b:.3f}" for label, (a, b) in zip(labels, points.tolist(), strict=True))
    title = f"On validation: {names[y]} against {names[x]}"
    name = "_".join(metric.partition("/")[2].replace("/", "_") for metric in (rule.metrics[x], rule.metrics[y]))
    rows = [(label, a, b, on) for label, (a, b), on in zip(labels, points.tolist(), found.on_front, strict=True)]
    return Figure(
        title,
        regions(marks, f"{title}. {where}", names[x], names[y]),
        (("on the front", 0), ("another setting is better", 1)),
        Data(f"selection_{name}", ("group", rule.metrics[x], rule.metrics[y], "on the front"), rows),
    )


def _metric_name(metric: str) -> str:
    _, setting, name = metric.split("/", 2)
    return f"{TITLES.get(name, name.replace('_', ' '))} {PLACES[setting]}"

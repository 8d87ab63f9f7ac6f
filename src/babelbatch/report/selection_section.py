"""The section on how hyperparameters were selected: every candidate, its validation score, and who had more of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from babelbatch.evaluation.metrics import TITLES
from babelbatch.report.grouping import Group
from babelbatch.report.measures import PLACES
from babelbatch.report.numbers import MISSING, fixed
from babelbatch.report.scored_weights import judged
from babelbatch.report.section import Section
from babelbatch.report.selection import Candidate, Choice
from babelbatch.report.selection_rule import Rule
from babelbatch.report.tables import Cell, Data, Grid

_BOUNDED = ("sampling.alpha",)
"""Settings whose smallest and largest values are ends of a scale, not of a grid."""


def selection_section(made: Sequence[Choice], rule: Rule, groups: Sequence[Group]) -> Section | None:
    """groups: of the selected runs, which name the choices. Systems that were not trained here are no candidates; None
    without others."""
    made = [each for each in made if any(run.seed is not None and run.system is None for run in each.winner.runs)]
    if not made:
        return None
    label_of = {id(run): group.label for group in groups for run in group.runs}
    order = {group.label: place for place, group in enumerate(groups)}
    named = [(label_of[id(choice.winner.runs[0])], choice) for choice in made]
    named.sort(key=lambda each: order[each[0]])
    varied = {
        label: _varied([each for name, choice in named if name == label for each in choice.candidates])
        for label, _ in named
    }
    paths = [path for found in varied.values() for path in found]
    short = _short_names(paths)
    lines: list[tuple[str, str, tuple[tuple[str, str], ...]]] = []
    rows: list[tuple[Cell, ...]] = []
    for label, choice in named:
        for number, candidate in enumerate(choice.candidates):
            values = {path: candidate.hyperparameters.get(path) for path in varied[label]}
            words = _words(values, short) or "as configured"
            chosen = number == choice.chosen
            score = candidate.score
            seeds = ", ".join(str(seed) for seed in choice.seeds if seed is not None)
            shown = MISSING if score is None else _score(rule, score)
            spread = candidate.scores if len(candidate.scores) > 1 else ()
            between = f"{_score(rule, min(spread))} to {_score(rule, max(spread))}" if spread else ""
            subject = label if choice.seed is None else f"{label}, seed {choice.seed}"
            lines.append(
                (subject, words, ((shown, between), (seeds or MISSING, ""), ("selected" if chosen else "", "")))
            )
            rows.append(_row(label, choice, words, number, rule))
    metric = _metric_name(rule)
    scored = (
        "one choice for each strategy, by the mean over the seeds that all its candidates have"
        if rule.per == "strategy"
        else "one choice for each seed of a strategy"
    )
    head = ("group", "seed", "hyperparameters", rule.metric, "seeds", "selected", "candidates")
    return Section(
        "selection",
        "How were hyperparameters selected?",
        tuple(_sentences(named, rule, varied, short)),
        f"{metric} on validation items, which are not trained on: {scored}. Only the selected runs are compared on "
        f"benchmarks; {judged(run for _, choice in named for each in choice.candidates for run in each.runs)}",
        Grid("strategy", ("validation score", "scored on seeds", ""), lines),
        Data("selection", head, rows),
    )


def _row(label: str, choice: Choice, words: str, number: int, rule: Rule) -> tuple[Cell, ...]:
    seeds = " ".join(str(seed) for seed in choice.seeds if seed is not None)
    score = choice.candidates[number].score
    return (label, choice.seed, words, score, seeds, number == choice.chosen, len(choice.candidates))


def _sentences(
    named: Sequence[tuple[str, Choice]], rule: Rule, varied: Mapping[str, Sequence[str]], short: Mapping[str, str]
) -> list[str]:
    found = []
    metric = _metric_name(rule)
    for label, choice in named:
        if len(choice.candidates) == 1:
            continue
        values = _words({path: choice.winner.hyperparameters.get(path) for path in varied[label]}, short)
        score = choice.winner.score
        assert score is not None, "candidates without a score are refused"
        subject = label if choice.seed is None else f"{label}, seed {choice.seed}"
        subject = subject[0].upper() + subject[1:] if subject.split()[0].isalpha() else subject
        found.append(
            f"{subject}: {values}, the best of {len(choice.candidates)} candidates by validation {metric}, "
            f"{_score(rule, score)}.{_at_the_edge(choice, varied[label], short)}"
        )
    if not found:
        return ["Every strategy has one candidate: there was nothing to select."]
    return [*found, *_budgets(named)]


def _budgets(named: Sequence[tuple[str, Choice]]) -> list[str]:
    """Says if some trained strategies had more candidates than others."""
    counts: dict[int, list[str]] = {}
    for label, choice in named:
        labels = counts.setdefault(len(choice.candidates), [])
        labels += [] if label in labels else [label]
    if len(counts) < 2:
        return []
    parts = "; ".join(f"{count} for {', '.join(labels)}" for count, labels in sorted(counts.items()))
    return [
        f"Unequal budgets: the number of candidates is {parts}. More candidates make a better choice more likely, so a "
        "part of a difference may be due to the search."
    ]


def _at_the_edge(choice: Choice, varied: Sequence[str], short: Mapping[str, str]) -> str:
    """Says that a selected number is the smallest or largest of three or more, so that the best may lie beyond."""
    notes = []
    for path in varied:
        values = sorted({
            value
            for each in choice.candidates
            if isinstance(value := each.hyperparameters.get(path), int | float) and not isinstance(value, bool)
        })  # fmt: skip
        own = choice.winner.hyperparameters.get(path)
        if path in _BOUNDED or len(values) < 3 or own not in (values[0], values[-1]):
            continue
        notes.append(
            f" Its {short[path]} is the {'smallest' if own == values[0] else 'largest'} of {len(values)}: the best may "
            "lie beyond."
        )
    return "".join(notes)


def _varied(candidates: Sequence[Candidate]) -> list[str]:
    """The hyperparameters in which any two candidates differ, alpha first."""
    paths = sorted(
        {path for each in candidates for path in each.hyperparameters}, key=lambda path: (path not in _BOUNDED, path)
    )
    return [
        path
        for path in paths
        if any(one.hyperparameters.get(path) != other.hyperparameters.get(path) for one, other in pairwise(candidates))
    ]


def _short_names(paths: Sequence[str]) -> dict[str, str]:
    """The last word of each path, or the whole path where two end alike."""
    ends = [path.rpartition(".")[2] for path in dict.fromkeys(paths)]
    return {path: end if ends.count(end := path.rpartition(".")[2]) == 1 else path for path in paths}


def _words(values: Mapping[str, Any], short: Mapping[str, str]) -> str:
    return " ".join(f"{short[path]}={'default' if value is None else value}" for path, value in values.items())


def _metric_name(rule: Rule) -> str:
    _, setting, name = rule.metric.split("/", 2)
    return f"{TITLES.get(name, name.replace('_', ' '))} {PLACES[setting]}"


def _score(rule: Rule, value: float) -> str:
    return fixed(value, 1 if rule.metric.endswith("rank_distance") else 4)

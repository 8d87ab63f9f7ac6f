"""Selects hyperparameters by a validation score, so that none is chosen by its score on a benchmark."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from babelbatch.report.grouping import Hyperparameters, compared, strategy_of
from babelbatch.report.runs import Run, custom_metrics
from babelbatch.report.selection_rule import Rule, rule_of

_VALIDATED_ON = "fingerprint/validation_queries"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Hyperparameters that were tried. runs: by seed. score: mean validation score over the seeds that all candidates
    have; None where there was nothing to choose and no score."""

    hyperparameters: Mapping[str, Any]
    runs: tuple[Run, ...]
    scores: tuple[float, ...]

    @property
    def score(self) -> float | None:
        return float(np.mean(self.scores)) if self.scores else None


@dataclass(frozen=True, slots=True)
class Choice:
    """One selection. strategy: the settings that are no hyperparameters. seed: whose, if each seed has its own choice.
    candidates: in the order of their hyperparameters. chosen: which of them. seeds: over which they are scored."""

    strategy: str
    seed: int | None
    candidates: tuple[Candidate, ...]
    chosen: int
    seeds: tuple[int | None, ...]

    @property
    def winner(self) -> Candidate:
        return self.candidates[self.chosen]


def rule_for(runs: Sequence[Run], wanted: Mapping[str, object]) -> Rule | None:
    """The rule that is asked for, or else the one that the runs name; None without one.

    wanted: `select`, `select_per` and `select_among` from the command line. Raises ValueError for a rule that cannot be
    followed, and where the runs name several.
    """
    if wanted == {"select": "none"}:
        return None
    if wanted:
        custom = [name for run in runs for name in custom_metrics(run.metrics)]
        return rule_of({"report": wanted}, custom, root="")
    rules = {run.selection: run.folder for run in runs if run.selection is not None}
    if len(rules) > 1:
        (first, here), (second, there), *_ = rules.items()
        raise ValueError(
            f"report.select: {here} selects by {_words(first)}, {there} by {_words(second)}; set select= for both, or "
            "select=none"
        )
    return next(iter(rules), None)


def choices(runs: Sequence[Run], rule: Rule) -> list[Choice]:
    """The selection of every strategy (and seed), in the order of strategies and seeds.

    A strategy with one candidate keeps it, with or without a score. Candidates are scored over the seeds that all of
    them have; ties go to the first. Raises ValueError, with everything that is wrong: runs without the score, scored on
    other validation items, or candidates without a common seed.
    """
    hyperparameters = Hyperparameters(rule.among)
    sets: dict[tuple[str, int | None], dict[str, list[Run]]] = {}
    for run in runs:
        settings = compared(run.settings)
        own = {path: value for path, value in settings.items() if hyperparameters.includes(path)}
        strategy = json.dumps(strategy_of(settings, hyperparameters), sort_keys=True)
        key = (strategy, run.seed if rule.per == "seed" else None)
        sets.setdefault(key, {}).setdefault(json.dumps(own, sort_keys=True), []).append(run)
    found, problems = [], []
    for (strategy, seed), candidates in sorted(sets.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
        try:
            found.append(_choice(strategy, seed, candidates, rule))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))
    return found


def selected(made: Sequence[Choice]) -> list[Run]:
    """The runs of all winners, sorted by folder as runs are."""
    return sorted((run for choice in made for run in choice.winner.runs), key=lambda run: run.folder)


def _choice(strategy: str, seed: int | None, tried: Mapping[str, Sequence[Run]], rule: Rule) -> Choice:
    ordered = sorted(tried.items(), key=lambda item: _sortable(json.loads(item[0])))
    runs = [tuple(sorted(of_one, key=lambda run: run.seed or 0)) for _, of_one in ordered]
    everyone = [run for of_one in runs for run in of_one]
    shared = [found for found in _seeds(runs[0]) if all(found in _seeds(of_one) for of_one in runs)]
    if len(runs) > 1:
        refuse_unscored(everyone, shared, rule)
    scored = [
        tuple(float(run.metrics[rule.metric]) for run in of_one if run.seed in shared and rule.metric in run.metrics)
        for of_one in runs
    ]
    candidates = tuple(
        Candidate(json.loads(key), of_one, scores)
        for (key, _), of_one, scores in zip(ordered, runs, scored, strict=True)
    )
    means = [candidate.score or 0.0 for candidate in candidates]
    chosen = int(np.argmax(means) if higher_is_better(rule.metric, everyone) else np.argmin(means))
    return Choice(strategy, seed, candidates, chosen, tuple(shared))


def refuse_unscored(runs: Sequence[Run], shared: Sequence[int | None], rule: Rule) -> None:
    """Raises ValueError for candidates without the score, scored on other items, or without a seed that all have."""
    without = sorted(str(run.folder) for run in runs if rule.metric not in run.metrics)
    if without:
        known = sorted({key for run in runs for key in run.metrics if key.startswith("validation/")})
        there = f" (there are: {', '.join(known)})" if known else ""
        raise ValueError(
            f"select: no {rule.metric} in {', '.join(without)}{there}; train with validation items and "
            "data.validation_queries above 0, or set select=none"
        )
    if len({run.metrics.get(_VALIDATED_ON) for run in runs}) > 1:
        names = sorted({str(run.folder) for run in runs})
        raise ValueError(f"select: {', '.join(names)} have other validation items; train them with equal ones")
    if not shared:
        names = sorted({str(run.folder) for run in runs})
        raise ValueError(
            f"select: the candidates {', '.join(names)} have no seed in common, so they cannot be compared on "
            "validation; run all of them with one seed more"
        )


def _words(rule: Rule) -> str:
    if rule.others:
        return f"the front of {' and '.join(rule.metrics)}"
    return f"{rule.metric} per {rule.per} among {', '.join(rule.among)}"


def _seeds(runs: Sequence[Run]) -> list[int | None]:
    return [run.seed for run in runs]


def higher_is_better(metric: str, runs: Sequence[Run]) -> bool:
    """Whether a larger score is better; a metric of the user's own says so in metrics.json."""
    name = metric.split("/", 2)[2]
    own = {key: higher for run in runs for key, higher in custom_metrics(run.metrics).items()}
    return own.get(name, not name.startswith("rank_distance"))


def _sortable(values: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    return [
        (path, value if isinstance(value, int | float) else 0.0, json.dumps(value))
        for path, value in sorted(values.items())
    ]

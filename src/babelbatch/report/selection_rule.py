"""The rule by which a configuration selects hyperparameters (`report.select`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from babelbatch.configuration.rules import problems_of_report_selection

HYPERPARAMETERS = ("optimizer", "scheduler", "loss.temperature", "sampling.alpha")


@dataclass(frozen=True, slots=True)
class Rule:
    """How hyperparameters are selected: by the validation score `metric`, once for each strategy or for each of its
    seeds, among settings. others: more scores; then all settings are candidates, and those on the front of all scores
    are selected."""

    metric: str
    per: str = "strategy"
    among: tuple[str, ...] = HYPERPARAMETERS
    others: tuple[str, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        return (self.metric, *self.others)


def rule_of(config: Mapping[str, Any], custom: Sequence[str] = (), root: str = "report.") -> Rule | None:
    """The rule of a configuration's `report`; None without one. Raises ValueError with everything wrong with it."""
    if problems := list(problems_of_report_selection(config, custom, root)):
        raise ValueError("\n".join(problems))
    report = config.get("report") or {}
    if report.get("select") is None:
        return None
    first, *others = [report["select"]] if isinstance(report["select"], str) else report["select"]
    return Rule(
        first,
        report.get("select_per") or "strategy",
        tuple(report.get("select_among") or HYPERPARAMETERS),
        tuple(others),
    )

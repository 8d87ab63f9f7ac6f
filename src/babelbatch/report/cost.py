"""What each group cost: steps, tokens, operations, time and parameters."""

from __future__ import annotations

from collections.abc import Sequence

from babelbatch.report.grouping import Group
from babelbatch.report.tables import Data

COLUMNS = (
    "group", "runs", "steps", "tokens", "padded tokens", "PFLOP", "training seconds", "evaluation seconds",
    "parameters", "trained parameters",
)  # fmt: skip
_FACTS = (
    "steps", "tokens/encoded", "tokens/padded", "flops/train", "seconds/train", "seconds/evaluate", "parameters",
    "parameters_trained",
)  # fmt: skip
_UNITS = {"flops/train": 1e15}


def cost_data(groups: Sequence[Group]) -> Data:
    """Means over seeds. A fact that a run did not record is empty."""
    rows = [(group.label, len(group.runs), *(_mean(group, fact) for fact in _FACTS)) for group in groups]
    return Data("cost", COLUMNS, rows)


def _mean(group: Group, fact: str) -> float | int | None:
    values: list[float | int | None] = [run.metrics.get(fact) for run in group.runs]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    mean = sum(known) / len(known)
    if fact in _UNITS:
        return mean / _UNITS[fact]
    return round(mean) if all(isinstance(value, int) for value in known) else mean

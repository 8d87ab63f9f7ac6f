"""What the groups cost."""

from __future__ import annotations

from collections.abc import Sequence

from babelbatch.report.grouping import Group
from babelbatch.report.tables import Data


def cost_data(groups: Sequence[Group]) -> Data:
    """Means over seeds; what a run did not record is empty."""
    rows = [
        (
            group.label, len(group.runs), _mean(group, "steps"), _mean(group, "seconds/train"),
            _mean(group, "seconds/evaluate"), _mean(group, "parameters"), _mean(group, "parameters_trained"),
        )
        for group in groups
    ]  # fmt: skip
    columns = ("group", "runs", "steps", "training seconds", "evaluation seconds", "parameters", "of them trained")
    return Data("cost", columns, rows)


def _mean(group: Group, fact: str) -> float | int | None:
    values = [run.metrics.get(fact) for run in group.runs]
    if None in values:
        return None
    mean = sum(values) / len(values)
    return round(mean) if all(isinstance(value, int) for value in values) else mean

"""Settings in which strategies differ although no name in the report says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePath

from babelbatch.report.enumeration import NAMED, listed, some
from babelbatch.report.grouping import OF_THE_STRATEGY, Group, compared


def unnamed_differences(groups: Sequence[Group]) -> list[str]:
    """Clauses such as "loss.temperature is 0.05 for X-X, and 0.02 for X-Y": of each setting, apart from those that make
    a strategy, in which trained groups differ and which no label shows. What belongs to an encoder, a loss or another
    part whose name labels show is left out, and so are averages of runs.
    """
    trained = [group for group in groups if not (group.fixed or group.foreign or group.strategy == "merged")]
    values = {group.label: _values(group) for group in trained}
    paths = sorted({path for of_group in values.values() for path in of_group} - {*OF_THE_STRATEGY})
    named = [path for path in paths if any(_shows(label, path, own.get(path)) for label, own in values.items())]
    parts = {path.partition(".")[0] for path in named if path.endswith(("._target_", ".name_or_path"))}
    found: dict[str, dict[str, list[str]]] = {}
    for path in paths:
        if path in named or path.partition(".")[0] in parts:
            continue
        of_value: dict[str, list[str]] = {}
        for group in trained:
            if group.on_the_curve or not path.startswith("sampling."):  # other strategies have settings of their own
                of_value.setdefault(_shown(path, values[group.label].get(path)), []).append(group.label)
        if len(of_value) > 1:
            found.setdefault(_name(path), of_value)
    return [
        f"{name} is {listed([f'{value} for {some(labels)}' for value, labels in of_value.items()], comma=True)}"
        for name, of_value in found.items()
    ]


def note_on_settings(groups: Sequence[Group]) -> list[str]:
    """The note about them, if there are any."""
    clauses = unnamed_differences(groups)
    if not clauses:
        return []
    more = f"; and {len(clauses) - NAMED} settings more" if len(clauses) > NAMED else ""
    return [
        f"Strategies differ here in more than their names say: {'; '.join(clauses[:NAMED])}{more}. A difference "
        "between them may be due to that."
    ]


def _values(group: Group) -> dict[str, str]:
    """path -> what the runs of a group have there, as JSON; without what is null, as if it were not there."""
    settings = [compared(run.settings) for run in group.runs]
    paths = {path for each in settings for path, value in each.items() if value is not None}
    return {path: " or ".join(sorted({json.dumps(each.get(path)) for each in settings})) for path in paths}


def _shows(label: str, path: str, value: str | None) -> bool:
    end = path.rpartition(".")[2]
    if end in {"_target_", "name_or_path"} and value is not None:
        text = value.strip('"')
        return (text.rpartition(".")[2] if end == "_target_" else PurePath(text).name) in label.split()
    return f" {end}=" in f" {label}"


def _name(path: str) -> str:
    """Callbacks by their names: each has several settings."""
    return ".".join(path.split(".")[:2]) if path.startswith("callbacks.") else path


def _shown(path: str, value: str | None) -> str:
    if path.startswith("callbacks."):
        return "not set" if value is None else "set" if path.endswith("._target_") else value
    return "default" if value is None else value.replace('"', "")

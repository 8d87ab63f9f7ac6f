"""The planned comparisons of a report: those that the runs' configurations name (`report.contrasts`), or others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babelbatch.configuration.rules import problems_of_contrasts
from babelbatch.storage.documents import UnreadableDocument, parse_yaml_object, read_yaml_object

_KEY = "report.contrasts"
_EXAMPLE = "write [{group: hybrid, alpha: 0.5, against: x_x, measure: monolingual}]"


@dataclass(frozen=True, slots=True)
class Contrast:
    """Strategy `group` with strategy `against` on a measure; with a margin, whether it is worse by less than that.

    alpha, against_alpha: of `group` and of `against`, where only one share of X-X batches is meant; None: each of them.
    """

    group: str
    against: str
    measure: str
    margin: float | None = None
    alpha: float | None = None
    against_alpha: float | None = None

    def __str__(self) -> str:
        sides = ((self.group, self.alpha), (self.against, self.against_alpha))
        a, b = (name if alpha is None else f"{name} alpha={alpha:g}" for name, alpha in sides)
        margin = "" if self.margin is None else f" (margin {self.margin:g})"
        return f"{a} against {b} on {self.measure.replace('_', ' ')}{margin}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Planned comparisons. source: where they come from, if not from the configurations of the runs. of_some: those
    that not all of the runs that they compare had planned."""

    contrasts: tuple[Contrast, ...] = ()
    source: str | None = None
    of_some: tuple[Contrast, ...] = ()

    @property
    def note(self) -> str | None:
        """What a reader must know of a plan that is not the runs' own."""
        if self.source is None:
            return None
        if not self.contrasts:
            return "Nothing was planned for this report (contrasts=none), whatever its runs had planned."
        return (
            f"The planned comparisons are those of {self.source}, given when this report was written, in place of "
            "those that the runs name."
        )


def contrasts_of(config: Mapping[str, Any]) -> tuple[Contrast, ...]:
    """The contrasts of a configuration. Raises ValueError with everything that is wrong with them."""
    if problems := list(problems_of_contrasts(config)):
        raise ValueError("; ".join(problems))
    found = (config.get("report") or {}).get("contrasts") or []
    return tuple(Contrast(**each) for each in found)


def plan_for(of_runs: Iterable[tuple[Contrast, ...]], wanted: str) -> Plan:
    """The plan that is asked for, or else what the runs name.

    wanted: `none`, a YAML list, the path of a YAML file that has `report.contrasts` itself (its `defaults` are not
        followed), such as that of an experiment, or nothing. Raises ValueError for anything else, with file, line and
        remedy.
    """
    if not wanted:
        return Plan(tuple(dict.fromkeys(contrast for contrasts in of_runs for contrast in contrasts)))
    if wanted == "none":
        return Plan(source="contrasts=none")
    typed = wanted.lstrip().startswith("[")
    place = "contrasts" if typed else wanted
    try:
        if typed:
            found: Mapping[str, Any] = {"report": parse_yaml_object(f"contrasts: {wanted}")}
        else:
            found = read_yaml_object(Path(wanted).expanduser())
    except UnreadableDocument as error:
        line = f", line {error.line}" if error.line and not typed else ""
        raise ValueError(f"{place}{line}: {error}; {_EXAMPLE}") from None
    except OSError:
        raise ValueError(f"contrasts: there is no file '{wanted}'; name one that has {_KEY}, or {_EXAMPLE}") from None
    try:
        contrasts = contrasts_of(found)
    except ValueError as error:
        raise ValueError(str(error).replace(_KEY, place) if typed else f"{place}: {error}") from None
    if not contrasts:
        empty = "it is empty" if typed else f"{_KEY}: it is empty, and the file's defaults are not followed"
        raise ValueError(f"{place}: {empty}; {_EXAMPLE}, or contrasts=none")
    return Plan(contrasts, "the command line" if typed else wanted)

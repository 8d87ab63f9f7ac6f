"""The planned comparisons that a run's configuration names (`report.contrasts`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from babelbatch.configuration.rules import problems_of_contrasts


@dataclass(frozen=True, slots=True)
class Contrast:
    """Strategy `group` with strategy `against` on a measure; with a margin, whether it is worse by less than that."""

    group: str
    against: str
    measure: str
    margin: float | None = None


def contrasts_of(config: Mapping[str, Any]) -> tuple[Contrast, ...]:
    """The contrasts of a configuration. Raises ValueError with everything that is wrong with them."""
    if problems := list(problems_of_contrasts(config)):
        raise ValueError("; ".join(problems))
    found = (config.get("report") or {}).get("contrasts") or []
    return tuple(Contrast(each["group"], each["against"], each["measure"], each.get("margin")) for each in found)

"""Checks of planned comparisons, `report.contrasts`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MEASURES = ("monolingual", "crosslingual", "multilingual", "rank_distance")
_KEYS = ("group", "against", "measure", "margin")


def problems_of_contrasts(cfg: Mapping[str, Any]) -> Iterator[str]:
    """Yields `path: problem; remedy` for each problem."""
    contrasts = (cfg.get("report") or {}).get("contrasts") or []
    if not isinstance(contrasts, Sequence) or isinstance(contrasts, str):
        yield "report.contrasts: it is no list; write [{group: hybrid, against: x_x, measure: monolingual}]"
        return
    for number, contrast in enumerate(contrasts):
        path = f"report.contrasts[{number}]"
        if not isinstance(contrast, Mapping) or not set(contrast) <= set(_KEYS):
            yield (
                f"{path}: its keys are not among {', '.join(_KEYS)}; write {{group: hybrid, against: x_x, measure: "
                "monolingual}"
            )
            continue
        group, against, measure, margin = (contrast.get(key) for key in _KEYS)
        for key, value in (("group", group), ("against", against)):
            if not isinstance(value, str) or not value:
                yield f"{path}.{key}: it names no strategy; set it to a name such as hybrid or x_x"
        if group and group == against:
            yield f"{path}: {group} is compared with itself; name another strategy in against"
        if measure not in MEASURES:
            yield f"{path}.measure: {measure!r} is none of {', '.join(MEASURES)}"
        if margin is not None and not (isinstance(margin, int | float) and not isinstance(margin, bool) and margin > 0):
            yield f"{path}.margin: {margin!r} is no positive number; leave it out to test for a difference"

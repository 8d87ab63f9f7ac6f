"""Checks of planned comparisons, `report.contrasts`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MEASURES = ("monolingual", "crosslingual", "multilingual", "rank_distance")
_KEYS = ("group", "against", "measure", "margin", "alpha", "against_alpha")


def problems_of_contrasts(cfg: Mapping[str, Any]) -> Iterator[str]:
    """Yields `path: problem; remedy` for each problem."""
    report = cfg.get("report") or {}
    contrasts = (report.get("contrasts") or []) if isinstance(report, Mapping) else None
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
        group, against, measure, margin, alpha, against_alpha = (contrast.get(key) for key in _KEYS)
        for key, value in (("group", group), ("against", against)):
            if not isinstance(value, str) or not value:
                yield f"{path}.{key}: it names no strategy; set it to a name such as hybrid or x_x"
        if group and group == against and (None in (alpha, against_alpha) or alpha == against_alpha):
            yield (
                f"{path}: {group} is compared with itself; name another strategy in against, or two shares in alpha "
                "and against_alpha"
            )
        if measure not in MEASURES:
            yield f"{path}.measure: {measure!r} is none of {', '.join(MEASURES)}"
        for key, share in (("alpha", alpha), ("against_alpha", against_alpha)):
            if share is not None and not (_is_number(share) and 0 <= share <= 1):
                yield f"{path}.{key}: {share!r} is no number from 0 to 1; leave it out to compare every alpha"
        if margin is not None and not (_is_number(margin) and margin > 0):
            yield f"{path}.margin: {margin!r} is no positive number; leave it out to test for a difference"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

"""How a report selects hyperparameters on validation: what `report.select` and its kin may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from babelbatch.configuration.rules.selection import METRIC

SELECT_PER = ("strategy", "seed")
_SCORE = re.compile(rf"validation/(?:{METRIC})")
_EXAMPLE = "validation/multilingual/map"
_PATH = re.compile(r"[A-Za-z_][\w]*(\.[\w]+)*")


def problems_of_report_selection(
    cfg: Mapping[str, Any], custom: Sequence[str] = (), root: str = "report."
) -> Iterator[str]:
    """Each with its path and the remedy. custom: names of the user's own metrics. root: what precedes the keys."""
    report = cfg.get("report") or {}
    select, per, among = (report.get(key) for key in ("select", "select_per", "select_among"))
    if select is None:
        for key, value in (("select_per", per), ("select_among", among)):
            if value is not None:
                yield f"{root}{key}: nothing is selected; set {root}select={_EXAMPLE}, or leave it out"
        return
    scores = list(select) if isinstance(select, Sequence) and not isinstance(select, str) else [select]
    if not scores or len(set(map(str, scores))) < len(scores):
        yield f"{root}select: name one validation score, or for a front several, each once, such as {_EXAMPLE}"
    for score in scores:
        if not isinstance(score, str) or not is_validation_score(score, custom):
            hint = (
                " (a loss is not comparable between temperatures)" if str(score).startswith("validation/loss") else ""
            )
            yield f"{root}select: {score!r} is no validation score{hint}; name one, such as {_EXAMPLE}"
    if len(scores) > 1:
        for key, value in (("select_per", per), ("select_among", among)):
            if value is not None:
                yield f"{root}{key}: a front is of all settings, over their seeds; leave it out, or select by one score"
    if per is not None and per not in SELECT_PER:
        yield f"{root}select_per: {per!r} is none of {', '.join(SELECT_PER)}"
    if among is not None:
        paths = [] if isinstance(among, str) or not isinstance(among, Sequence) else among
        if not paths or not all(isinstance(path, str) and _PATH.fullmatch(path) for path in paths):
            yield f"{root}select_among: it is no list of settings; write [optimizer.lr, sampling.alpha]"


def is_validation_score(key: str, custom: Sequence[str]) -> bool:
    """Whether it is `validation/<setting>/<metric>` with a better end. custom: names of the user's own metrics."""
    root, setting, name = (*key.split("/", 2), "", "")[:3]
    settings = ("monolingual", "crosslingual", "multilingual")
    return bool(_SCORE.fullmatch(key)) or (root == "validation" and setting in settings and name in custom)

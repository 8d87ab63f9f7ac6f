"""What each group's encoder was trained on, and which of it comes from the sources of the benchmarks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from babelbatch.report.grouping import OF_MERGED, Group
from babelbatch.report.tables import Data

COLUMNS = ("group", "encoder", "the encoder was trained on", "trained here on", "sources shared with the benchmarks")
_NEW = ("babelbatch.encoder.tiny", "babelbatch.encoder.static")
_UNKNOWN = "not recorded"


def training_data(groups: Sequence[Group], benchmarks: Sequence[str]) -> Data | None:
    """A row a group; None unless an encoder is one of the published ones that the table of encoders has.

    Sources are those of the encoder, of the corpora that the group was trained on and of a teacher. A source that a
    benchmark shares makes its scores in-domain, not zero-shot. A translation shares the source of its original.
    """
    if not any(_encoder(group) in _table()["encoders"] for group in groups):
        return None
    tested = {source for name in benchmarks for source in _table()["benchmarks"].get(name, ())}
    rows = [(group.label, *_row(group, tested)) for group in groups]
    return Data("training_data", COLUMNS, rows)


def _row(group: Group, tested: set[str]) -> tuple[str, str, str, str]:
    settings, known = group.runs[0].settings, _table()["encoders"]
    encoder, target = _encoder(group), str(settings.get("encoder._target_"))
    corpora = _corpora(settings)
    sources = {source for name in corpora for source in _table()["corpora"].get(name, ())}
    if encoder in known:
        described = str(known[encoder]["text"])
        sources |= set(known[encoder]["sources"])
    else:
        described = "nothing before" if target in _NEW or ".lexical." in target else _UNKNOWN
    unrecorded = group.strategy == "merged" and not corpora  # by an earlier version
    here = ", ".join(corpora) or (_UNKNOWN if unrecorded else "nothing")
    if (teacher := settings.get("loss.teacher.name_or_path")) is not None:
        here += f", taught by {teacher}"
        sources |= set(known.get(teacher, {"sources": ()})["sources"])
    shared = ", ".join(sorted(sources & tested))
    if not shared:
        shared = _UNKNOWN if described == _UNKNOWN or unrecorded else "none"
    return encoder or target.rpartition(".")[2], described, here, shared


def _encoder(group: Group) -> str:
    return str(group.runs[0].settings.get("encoder.name_or_path") or "")


def _corpora(settings: Mapping[str, Any]) -> list[str]:
    """Names of the loaders of the corpus, or of the parts of a mixture; of pairs that of the data set's part. Of an
    average of runs those of all runs."""
    found = []
    for path, value in ((OF_MERGED.sub("", path), value) for path, value in settings.items()):
        if path.startswith("corpus.") and path.endswith("._target_"):
            name = str(value).rpartition(".")[0].rpartition(".")[2]
            if name != "mixture":
                found.append(path.split(".")[2] if name == "pairs" and path.startswith("corpus.parts.") else name)
    return sorted(set(found))


@cache
def _table() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (files("babelbatch.report") / "data" / "training_data.json").read_text(encoding="utf-8")
    )
    return content

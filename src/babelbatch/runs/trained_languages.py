"""The languages that a run was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from babelbatch.records import find_language
from babelbatch.runs.files import TRAINED_LANGUAGES


def trained_languages(metrics: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The languages that its batches were drawn from: of the corpus, as far as `sampling.languages` takes them. Empty
    if it does not record them.

    metrics: the content of metrics.json. settings: path -> value.
    """
    chosen = settings.get("sampling.languages")
    return tuple(code for code in metrics.get(TRAINED_LANGUAGES) or () if chosen is None or find_language(code, chosen))

"""How long texts are, in characters and in an encoder's tokens."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from babelbatch.progress import bar

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder, Role

_AT_ONCE = 65_536

Lengths = dict[str, float]
"""`median`, `p95` (19 of 20 are not longer), `max`; of tokens also `cut`, the share of texts that lose their end."""


def characters(texts: Sequence[str], what: str) -> np.ndarray:
    """(T,) int32, the characters of each text, in one pass."""
    lengths = np.empty(len(texts), np.int32)
    with bar(f"reading {what}", len(texts), unit="texts") as progress:
        sizes = map(len, texts)
        for first in range(0, len(texts), _AT_ONCE):
            some = list(islice(sizes, _AT_ONCE))
            lengths[first : first + len(some)] = some
            progress.advance(len(some))
    return lengths


def summary(lengths: np.ndarray) -> Lengths | None:
    """Of some texts; None of none."""
    if len(lengths) == 0:
        return None
    middle, long = np.percentile(lengths, (50, 95), method="inverted_cdf")
    return {"median": int(middle), "p95": int(long), "max": int(lengths.max())}


def tokens(encoder: Encoder, texts: Sequence[str], rows: np.ndarray, role: Role, sample: int) -> Lengths | None:
    """Tokens of the texts in `rows`, prefix and special ones included, before they are cut to the encoder's length.

    sample: of more distinct texts, so many, evenly spaced.
    """
    rows = np.unique(rows)
    if len(rows) == 0:
        return None
    chosen = rows[np.linspace(0, len(rows) - 1, min(sample, len(rows))).astype(np.int64)]
    prefix = encoder.settings.prefix(role)
    said = [prefix + texts[row] for row in chosen.tolist()]
    logger = logging.getLogger("transformers.tokenization_utils_base")
    before = logger.level
    logger.setLevel(logging.ERROR)  # it warns of texts that are longer than the model reads, which is what we ask
    try:
        encoded = encoder.tokenizer(said, truncation=False)["input_ids"]
    finally:
        logger.setLevel(before)
    lengths = np.array(list(map(len, encoded)))
    found = summary(lengths)
    assert found is not None
    return found | {"cut": float((lengths > encoder.settings.max_length(role)).mean()), "of": len(chosen)}

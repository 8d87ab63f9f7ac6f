"""Lengths of texts, in characters and in an encoder's tokens."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import numpy.typing as npt

from babelbatch.progress import bar, waiting

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder, Role

_BATCH = 65_536


class Lengths(TypedDict):
    """Median, 95th percentile and maximum: lengths that occur, not interpolated."""

    median: int
    p95: int
    max: int


class TokenLengths(Lengths):
    """Of a sample of the distinct texts, or of all of them. cut: share of those tokenised that the encoder truncates.
    of: number of texts that were tokenised. distinct: number of distinct texts that there are."""

    cut: float
    of: int
    distinct: int


def characters(texts: Sequence[str], name: str) -> npt.NDArray[np.int32]:
    """(T,) int32 characters of each text, in one pass. name: of the texts, for the progress bar."""
    lengths = np.empty(len(texts), np.int32)
    with bar(f"reading {name}", len(texts), "texts") as progress:
        sizes = map(len, texts)
        for first in range(0, len(texts), _BATCH):
            some = list(islice(sizes, _BATCH))
            lengths[first : first + len(some)] = some
            progress.advance(len(some))
    return lengths


def summary(lengths: npt.NDArray[np.integer]) -> Lengths | None:
    """Median, 95th percentile and maximum; None without texts."""
    if len(lengths) == 0:
        return None
    middle, long = np.percentile(lengths, (50, 95), method="inverted_cdf")
    return {"median": int(middle), "p95": int(long), "max": int(lengths.max())}


def tokens(
    encoder: Encoder,
    texts: Sequence[str],
    rows: npt.NDArray[np.integer],
    role: Role,
    sample: int,
    task: str | npt.NDArray[np.object_] | None = None,
) -> TokenLengths | None:
    """Tokens of the texts in `rows` before truncation, with prefix and special tokens; None without texts.

    sample: the number of distinct texts that are tokenised, evenly spaced, where there are more.
    task: of all texts, or of each, for the prompt.
    """
    rows = np.unique(rows)
    if len(rows) == 0:
        return None
    sampled = rows[np.linspace(0, len(rows) - 1, min(sample, len(rows))).astype(np.int64)]
    one, each = (task, None) if isinstance(task, str) else (None, task)
    inputs = [
        encoder.settings.prefix(role, one if each is None else each[row]) + texts[row] for row in sampled.tolist()
    ]
    logger = logging.getLogger("transformers.tokenization_utils_base")
    before = logger.level
    logger.setLevel(logging.ERROR)  # it warns of texts longer than the model reads, which are what is counted here
    try:
        with waiting(f"counting the tokens of {len(inputs):,} texts"):
            encoded = encoder.tokenizer(inputs, truncation=False)["input_ids"]
    finally:
        logger.setLevel(before)
    lengths = np.array(list(map(len, encoded)))
    found = summary(lengths)
    assert found is not None
    cut = float((lengths > encoder.settings.max_length(role)).mean())
    return {**found, "cut": cut, "of": len(sampled), "distinct": len(rows)}


def sample_size(lengths: Iterable[TokenLengths | None]) -> int | None:
    """Of how many texts a language the tokens were counted at most; None where those of all texts were."""
    some = [each for each in lengths if each is not None]
    return max(each["of"] for each in some) if any(each["of"] < each["distinct"] for each in some) else None

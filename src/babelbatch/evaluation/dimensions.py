"""Scores of vectors cut to their first components, which take less memory and time to search.

An encoder that was trained with `loss.matryoshka` loses little; any other shows what the objective is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # it imports torch, and the report does without
    from babelbatch.evaluation.scorer import Matrix

DIMENSIONS = "dimensions/"
"""Prefix of the keys of metrics.json, `dimensions/<size>/<benchmark>/<setting>/<metric>`: macro scores."""


def at_dimensions(
    sizes: Sequence[int],
    queries: Matrix,
    candidates: Matrix,
    *,
    whole: Mapping[str, float],
    scored: Callable[[NDArray[np.float32], NDArray[np.float32]], Mapping[str, float]],
    normalise: bool,
) -> dict[str, float]:
    """The macro scores at each size and at d, under the keys that `DIMENSIONS` describes.

    queries, candidates: (n, d) whole vectors. whole: their metrics. scored: from vectors to metrics.
    normalise: scale cut vectors to unit length. Raises ValueError for a size that is repeated, below 1 or above d.
    """
    assert isinstance(queries, np.ndarray)
    assert isinstance(candidates, np.ndarray)
    most = queries.shape[1]
    if len({*sizes}) < len(sizes) or not all(1 <= size <= most for size in sizes):
        shown = ", ".join(map(str, sizes))
        raise ValueError(f"evaluation.dimensions: {shown}; give different sizes from 1 to {most}, the encoder's own")
    found: dict[str, float] = {}
    for size in sorted({most, *sizes}, reverse=True):
        parts = (cut(vectors, size, normalise=normalise) for vectors in (queries, candidates))
        metrics = whole if size == most else scored(*parts)
        found |= {f"{DIMENSIONS}{size}/{key}": value for key, value in metrics.items() if key.count("/") == 2}
    return found


def cut(vectors: NDArray[np.float32], size: int, *, normalise: bool) -> NDArray[np.float32]:
    """(n, size) the first components. normalise: scale them to unit length, unless nothing was cut off."""
    first: NDArray[np.float32] = np.array(vectors[:, :size], order="C")
    if not normalise or size == vectors.shape[1]:
        return first
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), np.float32(1e-12))
    return first

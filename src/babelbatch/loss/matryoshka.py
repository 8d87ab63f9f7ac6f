"""Vectors whose first components are vectors themselves: Matryoshka representation learning.

Kusupati et al. 2022, arXiv 2205.13147. sentence-transformers trains in the same way (`MatryoshkaLoss`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor
from torch.nn.functional import normalize

from babelbatch.loss.interface import Encoded, PairedVectors


def sorted_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """The sizes, largest first. Raises ValueError if there is none, if one repeats, or if one is below 1."""
    if not sizes or min(sizes) < 1 or len({*sizes}) < len(sizes):
        shown = ", ".join(map(str, sizes)) or "none"
        raise ValueError(f"loss.matryoshka: {shown}; give different sizes from 1 to the encoder's dimensions")
    return tuple(sorted(sizes, reverse=True))


def truncated(encoded: Encoded, size: int) -> Encoded:
    """The batch with the first `size` components of each vector, scaled to unit length. A teacher's are left whole."""
    return replace(
        encoded,
        queries=_cut(encoded.queries, size),
        candidates=_cut(encoded.candidates, size),
        translated_queries=_cut_pairs(encoded.translated_queries, size),
        translated_passages=_cut_pairs(encoded.translated_passages, size),
    )


def _cut(vectors: Tensor, size: int) -> Tensor:
    return normalize(vectors[:, :size], dim=-1)


def _cut_pairs(paired: PairedVectors | None, size: int) -> PairedVectors | None:
    return None if paired is None else replace(paired, vectors=_cut(paired.vectors, size))

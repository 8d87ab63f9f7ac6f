"""Removes language bias from vectors after training, by linear algebra: baselines for training that avoids it.

Both methods are fitted on the candidates of each language only, without queries, judgements or training texts, and
applied to the candidates and queries of that language. Vectors are rescaled to their length, so that cosines stay
cosines.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from babelbatch.progress import bar

Method = Literal["none", "centre", "lir"]


def debiased(
    method: Method,
    queries: NDArray[np.float32],
    query_languages: NDArray[np.int16],
    candidates: NDArray[np.float32],
    candidate_languages: NDArray[np.int16],
    components: int = 1,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(Q, d) and (C, d) float32 queries and candidates, without the component that the vectors of a language share.

    centre: v - mean of the language's candidates.
    lir: v - P P^T v, with P (d, components) the leading right singular vectors of the matrix of the language's
        candidates, not centred, so that the first is close to their mean (Yang, Yang, Cer and Darve 2021, "A Simple and
        Effective Method To Eliminate the Self Language Bias in Multilingual Representations", arXiv 2109.04727).
    none: the vectors unchanged.

    Raises ValueError if a query's language has no candidates, or if LIR would remove all dimensions of a language.
    """
    if method == "none":
        return queries, candidates
    queries, candidates = queries.copy(), candidates.copy()
    languages = np.unique(np.concatenate([query_languages, candidate_languages]))
    with bar("removing language bias", len(languages), unit="languages") as progress:
        for language in languages:
            of_queries, of_candidates = query_languages == language, candidate_languages == language
            fitted = candidates[of_candidates].astype(np.float64)
            parts = _without_language(method, fitted, queries[of_queries], components)
            queries[of_queries] = _rescaled(parts[0], queries[of_queries])
            candidates[of_candidates] = _rescaled(parts[1], candidates[of_candidates])
            progress.advance(1)
    return queries, candidates


def _without_language(
    method: Method, candidates: NDArray[np.float64], queries: NDArray[np.float32], components: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Queries and candidates of one language without their common component, which is fitted on the candidates."""
    if len(candidates) < 2:
        raise ValueError(
            f"evaluation.debias: a language has queries or candidates, but {len(candidates)} candidates to fit "
            f"{method} on; it needs two or more in each language: set evaluation.debias=none"
        )
    if method == "centre":
        mean = candidates.mean(axis=0)
        return queries - mean, candidates - mean
    directions = _directions(candidates, components)
    return queries - queries @ directions @ directions.T, candidates - candidates @ directions @ directions.T


def _directions(vectors: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """(d, count) leading right singular vectors of (n, d), from the (d, d) matrix of products, as n may be large."""
    most = min(vectors.shape) - 1
    if count > most:
        raise ValueError(
            f"evaluation.components: {count} of {len(vectors)} vectors of {vectors.shape[1]} dimensions would leave "
            f"nothing; set it to {most} or less"
        )
    return np.linalg.eigh(vectors.T @ vectors)[1][:, ::-1][:, :count]


def _rescaled(vectors: NDArray[np.float64], original: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors, each scaled to the length of its original. What is only rounding error becomes zero."""
    lengths = np.linalg.norm(original.astype(np.float64), axis=1, keepdims=True)
    remaining = np.linalg.norm(vectors, axis=1, keepdims=True)
    scale = np.divide(lengths, remaining, out=np.zeros_like(remaining), where=remaining > 1e-6 * lengths)
    return np.asarray(vectors * scale, np.float32)

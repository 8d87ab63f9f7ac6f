"""Language bias removed from vectors after training, by linear algebra alone: baselines for training that avoids it.

Both methods are fitted on the candidates of each language, and on nothing else: no question, no relevance judgement and
no training text. What is found for a language is taken from its candidates and from the questions in it. Each vector
keeps its length, so that cosines stay cosines.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Method = Literal["none", "centre", "lir"]


def debiased(
    method: Method,
    queries: np.ndarray,
    query_languages: np.ndarray,
    candidates: np.ndarray,
    candidate_languages: np.ndarray,
    components: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """(Q, d) and (C, d) float32, the queries and candidates without what their language has in common.

    centre: v - mean of the language's candidates.
    lir: v - P P^T v, with P (d, components) the leading right singular vectors of the matrix of the language's
        candidates, which is not centred: the first is close to its mean (Yang, Yang, Cer and Darve 2021, "A Simple and
        Effective Method To Eliminate the Self Language Bias in Multilingual Representations", arXiv 2109.04727).
    none: the vectors as they are.

    ValueError: a question's language has no candidates, or LIR would leave nothing of a language.
    """
    if method == "none":
        return queries, candidates
    queries, candidates = queries.copy(), candidates.copy()
    for language in np.unique(np.concatenate([query_languages, candidate_languages])):
        of_queries, of_candidates = query_languages == language, candidate_languages == language
        fitted_on = candidates[of_candidates].astype(np.float64)
        if len(fitted_on) < 2:
            raise ValueError(
                f"evaluation.debias: a language has questions or candidates, but {len(fitted_on)} candidates to fit "
                f"{method} on; it needs two or more in each language: set evaluation.debias=none"
            )
        if method == "centre":
            mean = fitted_on.mean(axis=0)
            parts = [vectors - mean for vectors in (queries[of_queries], fitted_on)]
        else:
            directions = _directions(fitted_on, components)
            parts = [vectors - vectors @ directions @ directions.T for vectors in (queries[of_queries], fitted_on)]
        queries[of_queries] = _as_long_as(queries[of_queries], parts[0])
        candidates[of_candidates] = _as_long_as(candidates[of_candidates], parts[1])
    return queries, candidates


def _directions(vectors: np.ndarray, count: int) -> np.ndarray:
    """(d, count) leading right singular vectors of (n, d), from the (d, d) matrix of products: n may be large."""
    most = min(vectors.shape) - 1
    if count > most:
        raise ValueError(
            f"evaluation.components: {count} of {len(vectors)} vectors of {vectors.shape[1]} dimensions would leave "
            f"nothing; set it to {most} or less"
        )
    return np.linalg.eigh(vectors.T @ vectors)[1][:, ::-1][:, :count]


def _as_long_as(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """`after`, each row scaled to the length of the row in `before`. Rounding is no direction: what is left of a vector
    that was removed entirely becomes zero."""
    length, left = (np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (before.astype(np.float64), after))
    scale = np.divide(length, left, out=np.zeros_like(left), where=left > 1e-6 * length)
    return (after * scale).astype(np.float32)

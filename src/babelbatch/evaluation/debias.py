"""Removes language bias from vectors after training, by linear algebra: baselines for training that avoids it.

Both methods are fitted on the candidates of each language only, without queries, judgements or training texts, and
applied to the candidates and queries of that language. Vectors are rescaled to their length, so that cosines stay
cosines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    languages = np.unique(np.concatenate([query_languages, candidate_languages]))
    shared = fit(method, candidates, candidate_languages, languages, components)
    return shared.removed(queries, query_languages), shared.removed(candidates, candidate_languages)


@dataclass(frozen=True, slots=True)
class Shared:
    """What the vectors of each language share. of_language: language -> (d,) mean of `centre`, or (d, components)
    directions of `lir`."""

    of_language: Mapping[int, NDArray[np.float64]]

    def removed(self, vectors: NDArray[np.float32], languages: NDArray[np.int16]) -> NDArray[np.float32]:
        """(n, d) vectors of (n,) languages without it, each rescaled to its length."""
        found = vectors.copy()
        for language in np.unique(languages):
            of, shared = languages == language, self.of_language[int(language)]
            rest = vectors[of] - (shared if shared.ndim == 1 else vectors[of] @ shared @ shared.T)
            found[of] = _rescaled(rest, vectors[of])
        return found


def fit(
    method: Method,
    candidates: NDArray[np.float32],
    candidate_languages: NDArray[np.int16],
    languages: NDArray[np.int16],
    components: int = 1,
) -> Shared:
    """What the candidates of each of `languages` share; see `debiased`. Raises ValueError as it does."""
    shared: dict[int, NDArray[np.float64]] = {}
    with bar("removing language bias", len(languages), unit="languages") as progress:
        for language in languages.tolist():
            fitted = candidates[candidate_languages == language].astype(np.float64)
            if len(fitted) < 2:
                raise ValueError(
                    f"evaluation.debias: a language has queries or candidates, but {len(fitted)} candidates to fit "
                    f"{method} on; it needs two or more in each language: set evaluation.debias=none"
                )
            shared[language] = fitted.mean(axis=0) if method == "centre" else _directions(fitted, components)
            progress.advance(1)
    return Shared(shared)


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

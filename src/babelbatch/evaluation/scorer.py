"""Scores: dot products of queries and candidates, dense or sparse, for a block of queries at a time."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from babelbatch.progress import bar

Matrix: TypeAlias = NDArray[np.float32] | csr_array
"""(n, d) float32 with one row per text: an encoder's vectors, or term weights."""


Scorer: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""A function from (r,) rows of the queries to their (r, C) scores with all candidates."""


def scorer(queries: Matrix, candidates: Matrix) -> Scorer:
    """The scorer of (Q, d) queries with (C, d) candidates, both dense or both sparse.

    Equal candidates get exactly equal scores.
    """
    if isinstance(queries, np.ndarray) and isinstance(candidates, np.ndarray):
        return _dense(queries, candidates)
    return _sparse(queries, candidates)


def _dense(queries: NDArray[np.float32], candidates: NDArray[np.float32]) -> Scorer:
    copies, originals = _copies(candidates)
    transposed = torch.from_numpy(candidates).T

    def scores_of(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = (torch.from_numpy(queries[rows]) @ transposed).numpy()
        # A matrix product may round equal columns differently, which would break ties.
        scores[:, copies] = scores[:, originals]
        return scores

    return scores_of


def _sparse(queries: csr_array, candidates: csr_array) -> Scorer:
    # An inverted index: the candidates of each term. Every score sums over the query's terms in one order, so equal
    # candidates have equal scores.
    inverted = candidates.T.tocsr()

    def scores_of(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = (queries[rows] @ inverted).toarray()
        return scores

    return scores_of


def _copies(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows that equal an earlier one, and the first such row of each.

    Rows are compared by a 128-bit hash, because a set of the vectors would need their memory again.
    """
    first: dict[bytes, int] = {}
    hashes = (blake2b(np.ascontiguousarray(vector).data, digest_size=16).digest() for vector in vectors)
    with bar("comparing candidates", len(vectors)) as progress:
        originals = np.empty(len(vectors), np.int64)
        for row, hash_ in enumerate(hashes):
            originals[row] = first.setdefault(hash_, row)
            progress.advance(1)
    copies = np.flatnonzero(originals != np.arange(len(vectors)))
    return copies, originals[copies]

"""How alike queries and candidates are: dot products, a block of queries at a time, of dense vectors or sparse ones."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
import torch
from scipy.sparse import csr_array

Matrix = np.ndarray | csr_array
"""(n, d) float32, a text a row: what an encoder makes, or the weights of the terms that occur in a text."""


def scorer(queries: Matrix, candidates: Matrix) -> Callable[[np.ndarray], np.ndarray]:
    """A function from (r,) rows of the queries to their (r, C) float32 scores with all candidates.

    queries: (Q, d). candidates: (C, d), dense if the queries are, else sparse. Equal candidates have equal scores.
    """
    if isinstance(candidates, np.ndarray):
        return _dense(queries, candidates)
    return _sparse(queries, candidates)


def _dense(queries: np.ndarray, candidates: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    copies, originals = _copies(candidates)
    transposed = torch.from_numpy(candidates).T

    def scores_of(rows: np.ndarray) -> np.ndarray:
        scores = (torch.from_numpy(queries[rows]) @ transposed).numpy()
        # A matrix product may round equal columns differently, and ties would be lost.
        scores[:, copies] = scores[:, originals]
        return scores

    return scores_of


def _sparse(queries: csr_array, candidates: csr_array) -> Callable[[np.ndarray], np.ndarray]:
    # An inverted index: for each term, the candidates that it occurs in. Each score is a sum over the query's terms in
    # their order, whichever candidate it is of, so that equal candidates need no further care.
    inverted = candidates.T.tocsr()
    return lambda rows: (queries[rows] @ inverted).toarray()


def _copies(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows that equal an earlier one, and for each of them the first such row. Told apart by 128 bits of hash: the
    vectors themselves would be held twice."""
    first: dict[bytes, int] = {}
    hashes = (blake2b(np.ascontiguousarray(vector), digest_size=16).digest() for vector in vectors)
    of = np.array([first.setdefault(hash_, row) for row, hash_ in enumerate(hashes)])
    copies = np.flatnonzero(of != np.arange(len(vectors)))
    return copies, of[copies]

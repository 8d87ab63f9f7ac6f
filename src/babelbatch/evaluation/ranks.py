"""The ranks that metrics are computed from, however the candidates were ranked. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Ranks:
    """Ranks from 1 of each relevant (query, candidate) pair, in the order of `Benchmark.relevant`.

    within_language: among the candidates in the candidate's language (one cell of the L x L matrix).
    in_pool: among the candidates of all languages.
    """

    within_language: NDArray[np.int64]
    in_pool: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Top:
    """The first k places of the pool for Q queries, and how the translations of a query score each other's.

    candidates: (Q, k) rows of the benchmark's candidates, best first. scores: (Q, k) float32.
    pairs: (P, 2) queries a and b with one id and two languages, each pair once.
    across: (P, 2, k) float32, the scores that a gives the top candidates of b, and that b gives those of a.
    """

    candidates: NDArray[np.int64]
    scores: NDArray[np.float32]
    pairs: NDArray[np.int64]
    across: NDArray[np.float32]

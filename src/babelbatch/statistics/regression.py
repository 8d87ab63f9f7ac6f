"""Regression over language pairs, with p-values that permute languages (MRQAP)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from babelbatch.statistics.scores import Floats

_PERMUTATIONS = 4_999
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One predictor of a regression.

    beta: standard deviations of the outcome for one of the predictor, the other predictors held constant.
    p_value: two-sided, of no relation given the others.
    """

    predictor: str
    beta: float
    p_value: float


def mrqap(outcome: Floats, predictors: Mapping[str, Floats], seed: int = 0) -> list[Coefficient]:
    """Least squares of an (L, L) outcome on (L, L) predictors over ordered pairs of different languages.

    Pairs share languages, so their errors are not independent. p-values come from double semi-partialling (Dekker,
    Krackhardt and Snijders 2007): what a predictor has that the others do not explain is permuted by language, rows and
    columns together, and the t statistic compared; all L! ways if they are at most 4,999, else that many drawn by
    `seed`. The diagonals are not read.

    Raises ValueError for fewer than five languages, for a predictor that is constant or that the others determine, and
    for a constant outcome.
    """
    size = len(outcome)
    if size < 5:
        raise ValueError(f"{size} languages are too few for a regression over pairs; at least 5 are needed")
    names = list(predictors)
    off = ~np.eye(size, dtype=bool)
    y = _standardised(outcome[off], "the outcome")
    x = np.column_stack([_standardised(predictors[name][off], name) for name in names])
    orders = _orders(size, seed)
    exact = math.factorial(size) <= _PERMUTATIONS
    found = []
    for place, name in enumerate(names):
        others = np.column_stack([np.ones(len(y)), np.delete(x, place, axis=1)])
        basis = np.linalg.qr(others)[0]
        residual = _without(x[:, place], basis)
        if residual @ residual < 1e-9 * len(y):
            raise ValueError(f"{name} follows from the other predictors; leave it out")
        matrix = np.zeros((size, size))
        matrix[off] = residual
        permuted = matrix[orders[:, :, None], orders[:, None, :]][:, off]
        own = abs(_t_statistics(y, basis, residual[None])[0])
        extreme = int(np.count_nonzero(np.abs(_t_statistics(y, basis, permuted)) >= own * (1 - _TIE)))
        p_value = extreme / len(orders) if exact else (1 + extreme) / (1 + len(orders))
        beta = float(residual @ y / (residual @ residual))
        found.append(Coefficient(name, beta, p_value))
    return found


def _standardised(values: Floats, name: str) -> Floats:
    deviation = float(values.std())
    if deviation < 1e-12:
        raise ValueError(f"{name} is constant over the language pairs; leave it out")
    scaled: Floats = (values - values.mean()) / deviation
    return scaled


def _orders(size: int, seed: int) -> NDArray[np.int64]:
    """(P, L)"""
    if math.factorial(size) <= _PERMUTATIONS:
        return np.array(list(permutations(range(size))))
    return np.random.default_rng(seed).permuted(np.tile(np.arange(size), (_PERMUTATIONS, 1)), axis=1)


def _without(values: Floats, basis: Floats) -> Floats:
    """What the columns of an orthonormal basis (n, k) do not explain of (..., n) values."""
    rest: Floats = values - values @ basis @ basis.T
    return rest


def _t_statistics(y: Floats, basis: Floats, added: Floats) -> Floats:
    """(P,) of the coefficient of each of (P, n) variables beside the basis (Frisch, Waugh and Lovell)."""
    of_y, of_added = _without(y, basis), _without(added, basis)
    squares = (of_added**2).sum(axis=1)
    slopes = of_added @ of_y / squares
    freedom = len(y) - basis.shape[1] - 1
    rest = np.maximum(of_y @ of_y - slopes**2 * squares, 1e-300)
    statistics: Floats = slopes / np.sqrt(rest / freedom / squares)
    return statistics

"""A permutation test of no difference between two groups, clustered by query, with exact or saddlepoint tails."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import optimize, special, stats

from babelbatch.statistics.scores import Floats
from babelbatch.statistics.variance import Group, spread

_ENUMERATED = 13  # clusters; all 2 ** 13 permutations are computed
_NODES = 256
_AT_ONCE = 1 << 18  # numbers of an array, so that it stays in the processor's cache whatever the number of clusters
_KNOWN = 1e5  # degrees of freedom from which a variance counts as known
_TIE = 1 - 1e-12  # sums of the same numbers in another order are equal but for rounding


def smallest_p_value(clusters: int) -> float:
    """The p-value of a difference that has one sign in all of so many clusters and is as large as can be: of the
    2**clusters permutations two have it. (With several runs it may be up to a factor of 2 smaller.)"""
    return 2.0 ** (1 - clusters)


def permutation_p_value(parts: Floats, groups: Sequence[Group]) -> float:
    """Two-sided p-value of no difference between two groups of runs.

    parts: (K,) what each cluster of queries adds to the difference of the groups' mean scores. To exchange the groups'
    labels in a cluster, in all its languages and cells at once, changes the sign of its part; cells keep their numbers
    of rows. So the difference after a permutation is a sum of signed parts, with nothing approximated.

    One run each: the share of permutations whose difference is at least as large as the one found (Fisher 1935).
    Up to 13 clusters all of them are computed. Beyond, their distribution is computed by the saddlepoint approximation
    (Robinson 1982), whose relative error is small however small the p-value: there is no smallest p-value that a
    number of random draws would set. Where all parts are multiples of one number the sums lie on a lattice, and the
    tail begins half a step below the sum found.

    Several runs: permutations of queries do not show how training varies, and permutations of runs are too few (three
    and three can be divided in 20 ways, so that no p-value is below 0.1). The difference is divided by the standard
    error over queries and seeds. Its distribution is that of the signed sums, at unit variance, over the square root of
    an independent chi-square by its degrees of freedom: Student's t with the signed sums in place of the normal.
    """
    squares = float(parts @ parts)
    around = spread(groups, squares)
    if around.variance == 0:
        return 1.0
    statistic = abs(float(parts.sum())) / math.sqrt(around.variance)
    if statistic == 0:
        return 1.0
    units = parts[parts != 0] / math.sqrt(squares) if squares > 0 else np.ones(1)
    known = around.freedom > _KNOWN
    if len(units) <= _ENUMERATED:
        sums = _all_signed_sums(units)
        if known:
            return float(np.mean(sums >= statistic * _TIE))
        scaled = around.freedom / 2 * (sums / (statistic * _TIE)) ** 2
        return float(special.gammainc(around.freedom / 2, scaled).mean())
    if known:
        return float(tail_of_signed_sums(units, statistic)(max(0.0, statistic - _half_step(units))))
    return _studentised(units, statistic, around.freedom)


def tail_of_signed_sums(units: Floats, largest: float) -> Callable[[float | Floats], Floats]:
    """P(|sum of signed units| >= x) as a function of x from 0 to `largest`, by the saddlepoint approximation.

    units: (K,) nonzero, of which each has either sign with probability 1/2; their squares sum to 1.
    """
    sizes = np.abs(units)
    most = float(sizes.sum())

    def mean_at(tilt: float) -> float:
        return float(sizes @ np.tanh(tilt * sizes))

    highest = min(largest, most * (1 - 1e-9))
    upper = 1.0
    while mean_at(upper) < highest:
        upper *= 2
    tilts = np.geomspace(1e-3, max(optimize.brentq(lambda tilt: mean_at(tilt) - highest, 0, upper), 2e-3), _NODES)
    places, cumulants, variances = np.zeros(_NODES), np.zeros(_NODES), np.zeros(_NODES)
    for nodes in np.array_split(np.arange(_NODES), math.ceil(_NODES * len(sizes) / _AT_ONCE)):
        scaled = tilts[nodes, None] * sizes
        slopes = np.tanh(scaled)
        places[nodes] = slopes @ sizes
        cumulants[nodes] = (scaled + np.log1p(np.exp(-2 * scaled)) - math.log(2)).sum(axis=1)
        variances[nodes] = (1 - slopes**2) @ sizes**2
    signed_roots = np.sqrt(np.maximum(2 * (tilts * places - cumulants), 0.0))
    deviations = tilts * np.sqrt(variances)
    # The sums are symmetric, so the correction of Barndorff-Nielsen vanishes at 0.
    far = (signed_roots > 0.05) & (deviations > 0)
    signed_roots[far] += np.log(deviations[far] / signed_roots[far]) / signed_roots[far]
    least = 2.0 ** (1 - len(sizes))  # only the sum of all sizes reaches the end

    def tail(value: float | Floats) -> Floats:
        at = np.asarray(value, np.float64)
        roots = np.interp(at, np.concatenate([[0.0], places]), np.concatenate([[0.0], signed_roots]))
        found: Floats = np.where(at > most / _TIE, 0.0, np.clip(2 * stats.norm.sf(roots), least, 1.0))
        return found

    return tail


def _studentised(units: Floats, statistic: float, freedom: float) -> float:
    """P(|signed sum| >= statistic * sqrt(X / freedom)) for X chi-square, by the trapezoidal rule over log X."""
    low, high = (float(stats.chi2.ppf(share, freedom)) for share in (1e-18, 1 - 1e-12))
    logs = np.linspace(math.log(max(low, 1e-300)), math.log(high), 2 * _NODES)
    bounds = statistic * np.sqrt(np.exp(logs) / freedom)
    weights = np.exp(stats.chi2.logpdf(np.exp(logs), freedom) + logs)
    tails = tail_of_signed_sums(units, float(bounds[-1]))(bounds)
    return float(min(1.0, np.trapezoid(weights * tails, logs)))


def _half_step(units: Floats) -> float:
    """Half the distance between neighbouring signed sums on a lattice; 0 if the units have no common measure."""
    sizes = np.abs(units)
    multiples = sizes / sizes.min()
    return float(sizes.min()) if np.allclose(multiples, np.round(multiples), rtol=0, atol=1e-6) else 0.0


def _all_signed_sums(units: Floats) -> Floats:
    """(2**K,) absolute values."""
    bits = (np.arange(2 ** len(units))[:, None] >> np.arange(len(units))) & 1
    sums: Floats = np.abs((1 - 2 * bits) @ units)
    return sums

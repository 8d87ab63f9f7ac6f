"""Whether the differences between two groups go with a distance between languages, pair by pair.

Pairs of languages are not independent: de-en, de-zh and zh-de share languages. So both the interval and the p-value
work on languages, not on pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from scipy import stats

from babelbatch.statistics.scores import Floats, Scores, cell_means
from babelbatch.statistics.variance import two_groups

_RESAMPLES = 1_000
_PERMUTATIONS = 9_999
_BLOCK = 4_000_000  # numbers held at once
_TIE = 1e-12
_FEWEST = 4  # languages; without one of them six pairs are left


@dataclass(frozen=True, slots=True)
class Correlation:
    """Spearman's correlation over ordered language pairs, with an interval.

    low, high, level: over languages, queries and, with several runs, seeds; `over` says which.
    p_value: two-sided, of differences that have nothing to do with the distances.
    languages, pairs, clusters: how many. runs: of a and of b.
    """

    rho: float
    low: float
    high: float
    level: float
    p_value: float
    languages: int
    pairs: int
    runs: tuple[int, int]
    clusters: int
    over: str


def clustered_spearman(
    a: Sequence[Scores],
    b: Sequence[Scores],
    languages: Sequence[str],
    distances: Floats,
    level: float = 0.95,
    seed: int = 0,
    *,
    fixed_a: bool = False,
    fixed_b: bool = False,
) -> Correlation:
    """Spearman's correlation between the difference a minus b in the cell "de-zh" and the distance from de to zh.

    a, b: the runs of two groups in the crosslingual setting. languages: L names; cells of other languages are left out.
    distances: (L, L), query language by candidate language; the diagonal is not read.

    Interval: t with L - 1 degrees of freedom on Fisher's z scale. Its variance is the sum of a jackknife over languages
    (leaving out one with all its pairs: Snijders and Borgatti 1999, with the factor (L - 1) / L that is right where
    languages, not pairs, differ) and of a bootstrap over clusters of queries and over the runs of each group, drawn by
    `seed`. Both contain the noise of single cells, so the interval is wide. That noise also pulls the correlation
    towards zero: with few queries it describes the differences as measured.

    p-value: Mantel's test (1967). Languages are permuted in the distances, rows and columns together; all L! ways if
    they are no more than 9,999, else that many drawn by `seed`. It takes languages as exchangeable, which families of
    related languages are not quite.

    Raises ValueError as `comparison.compare` does; for fewer than four languages, missing cells or distances; and where
    distances or differences are all equal.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level:g}; it must lie between 0 and 1, such as 0.95")
    two_groups(a, b, fixed_a=fixed_a, fixed_b=fixed_b)
    places = _places(a[0], languages, distances)
    off_diagonal = ~np.eye(len(languages), dtype=bool)
    found = np.mean([cell_means(run) for run in a], axis=0) - np.mean([cell_means(run) for run in b], axis=0)
    found = found[places]
    _check_varies(found, "a minus b is")
    _check_varies(distances[off_diagonal], "the distances are")
    rho = float(_spearman(found, distances[off_diagonal]))
    variance = _language_variance(found, languages, distances)
    variance += _query_variance(a, b, places, distances[off_diagonal], seed)
    half = float(stats.t.ppf((1 + level) / 2, len(languages) - 1)) * math.sqrt(variance)
    centre = float(_fisher(np.array(rho), len(places)))
    return Correlation(
        rho=rho,
        low=min(rho, math.tanh(centre - half)),
        high=max(rho, math.tanh(centre + half)),
        level=level,
        p_value=_mantel(found, distances, seed),
        languages=len(languages),
        pairs=len(places),
        runs=(len(a), len(b)),
        clusters=len(a[0].clusters),
        over="languages, queries and seeds" if max(len(a), len(b)) > 1 else "languages and queries",
    )


def _places(scores: Scores, languages: Sequence[str], distances: Floats) -> Floats:
    """(L (L - 1),) the columns of the ordered pairs, row by row. Raises ValueError for what is missing or amiss."""
    size = len(languages)
    if len(set(languages)) < size:
        raise ValueError(f"languages are {', '.join(languages)}; each may come once")
    if size < _FEWEST:
        raise ValueError(f"{size} languages are too few to correlate over; at least {_FEWEST} are needed")
    if distances.shape != (size, size):
        raise ValueError(f"distances are of shape {distances.shape}; {size} languages need ({size}, {size})")
    column = {cell: place for place, cell in enumerate(scores.cells)}
    found = []
    for row, query in enumerate(languages):
        for other, candidate in enumerate(languages):
            if row == other:
                continue
            if f"{query}-{candidate}" not in column:
                raise ValueError(f"no cell '{query}-{candidate}' in the scores; leave out one of the two languages")
            if not np.isfinite(distances[row, other]):
                raise ValueError(f"no distance from {query} to {candidate}; leave out one of the two languages")
            found.append(column[f"{query}-{candidate}"])
    return np.array(found)


def _check_varies(values: Floats, what: str) -> None:
    if np.ptp(values) == 0:
        raise ValueError(f"{what} equal in all {len(values)} pairs; a correlation is not defined")


def _spearman(left: Floats, right: Floats) -> Floats:
    """Spearman's correlation along the last axis, with mean ranks for ties; NaN where one side is constant."""
    left, right = (stats.rankdata(side, axis=-1) - (side.shape[-1] + 1) / 2 for side in (left, right))
    with np.errstate(invalid="ignore"):
        rho: Floats = (left * right).sum(axis=-1) / np.sqrt((left**2).sum(axis=-1) * (right**2).sum(axis=-1))
    return rho


def _fisher(rho: Floats, pairs: int) -> Floats:
    """Fisher's z; a correlation of one counts as half an exchange of neighbours short of it."""
    most = 1 - 6 / (pairs * (pairs**2 - 1))
    return np.arctanh(np.clip(rho, -most, most))


def _language_variance(found: Floats, languages: Sequence[str], distances: Floats) -> float:
    size = len(languages)
    rows, columns = np.nonzero(~np.eye(size, dtype=bool))
    left_out = []
    for language in range(size):
        kept = (rows != language) & (columns != language)
        rho = _spearman(found[kept], distances[rows[kept], columns[kept]])
        if np.isnan(rho):
            raise ValueError(
                f"without {languages[language]} the distances or the differences are all equal: the correlation "
                "depends on one language"
            )
        left_out.append(_fisher(rho, int(kept.sum())))
    return float(np.var(left_out) * (size - 1))


def _query_variance(a: Sequence[Scores], b: Sequence[Scores], places: Floats, distances: Floats, seed: int) -> float:
    """Over resamples of clusters, the same for all runs, and of the runs of each group."""
    random = np.random.default_rng([seed, 0])
    counts = a[0].counts[:, places].astype(np.float64)
    means = [cell_means(run)[places] for run in (*a, *b)]
    clusters = len(counts)
    rhos = []
    for start in range(0, _RESAMPLES, at_once := max(1, _BLOCK // max(clusters, len(places)))):
        rows = min(at_once, _RESAMPLES - start)
        drawn = random.integers(0, clusters, (rows, clusters)) + np.arange(rows)[:, None] * clusters
        weights = np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters).astype(np.float64)
        sizes = weights @ counts
        shares = [_resampled_shares(random, rows, len(runs)) for runs in (a, b)]
        signed = np.concatenate([shares[0], -shares[1]], axis=1)
        difference = np.zeros((rows, len(places)))
        for number, run in enumerate((*a, *b)):
            # A cell whose few queries a resample all misses keeps its mean.
            resampled = np.where(sizes > 0, weights @ run.sums[:, places] / np.maximum(sizes, 1), means[number])
            difference += signed[:, number, None] * resampled
        rhos.append(_spearman(difference, distances[None]))
    z = _fisher(np.concatenate(rhos), len(places))
    return float(np.nanvar(z))


def _resampled_shares(random: np.random.Generator, rows: int, runs: int) -> Floats:
    """(rows, runs) how often each run is drawn with replacement, over the number of runs."""
    drawn = random.integers(0, runs, (rows, runs))
    shares: Floats = (drawn[:, :, None] == np.arange(runs)).mean(axis=1)
    return shares


def _mantel(found: Floats, distances: Floats, seed: int) -> float:
    size = len(distances)
    off_diagonal = ~np.eye(size, dtype=bool)
    ranks = np.zeros((size, size))
    ranks[off_diagonal] = stats.rankdata(distances[off_diagonal])
    ranks -= (off_diagonal.sum() + 1) / 2
    centred = np.zeros((size, size))
    centred[off_diagonal] = stats.rankdata(found) - (off_diagonal.sum() + 1) / 2
    exact = math.factorial(size) <= _PERMUTATIONS
    if exact:
        orders = np.array(list(permutations(range(size))))
    else:
        random = np.random.default_rng([seed, 1])
        orders = random.permuted(np.tile(np.arange(size), (_PERMUTATIONS, 1)), axis=1)
    # The diagonal stays on the diagonal, and centred is zero there.
    least = abs((ranks * centred).sum()) * (1 - _TIE)
    extreme = 0
    for start in range(0, len(orders), at_once := max(1, _BLOCK // size**2)):
        block = orders[start : start + at_once]
        permuted = ranks[block[:, :, None], block[:, None, :]].reshape(len(block), -1)
        extreme += int(np.count_nonzero(np.abs(permuted @ centred.ravel()) >= least))
    return float(extreme / len(orders) if exact else (1 + extreme) / (1 + len(orders)))

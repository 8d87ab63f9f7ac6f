"""Means over queries and languages, under the keys of metrics.json: `<benchmark>/<setting>/<metric>[/<languages>]`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from babelbatch.records import Benchmark


def cell_metrics(
    benchmark: Benchmark, matrices: dict[str, NDArray[np.float64]], names: Iterable[str]
) -> dict[str, float]:
    """The monolingual and crosslingual keys of the metrics `names` that have a matrix.

    The monolingual setting is the diagonal of the matrix, the crosslingual setting the rest. Both have means by query
    language and overall; the crosslingual setting also has a key for each cell.
    """
    found: dict[str, float] = {}
    languages = benchmark.languages
    diagonal = np.eye(len(languages), dtype=bool)
    for metric in filter(matrices.__contains__, names):
        matrix = matrices[metric]
        for setting in ("monolingual", "crosslingual"):
            scored = ~np.isnan(matrix) & (diagonal if setting == "monolingual" else ~diagonal)
            if not scored.any():
                continue
            key = f"{benchmark.name}/{setting}/{metric}"
            found[key] = float(matrix[scored].mean())
            for row, language in enumerate(languages):
                if scored[row].any():
                    found[f"{key}/{language}"] = float(matrix[row, scored[row]].mean())
                if setting == "crosslingual":
                    for column in np.flatnonzero(scored[row]):
                        found[f"{key}/{language}-{languages[column]}"] = float(matrix[row, column])
    return found


def pool_metrics(benchmark: Benchmark, values: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    """The multilingual keys: the mean over each query language, and the mean of those.

    values: (Q,) of each metric; queries where it is NaN do not count.
    """
    found: dict[str, float] = {}
    for metric, of_queries in values.items():
        defined = ~np.isnan(of_queries)
        by_language = {
            name: float(of_queries[chosen].mean())
            for row, name in enumerate(benchmark.languages)
            if (chosen := defined & (benchmark.query_languages == row)).any()
        }
        found |= _with_macro(f"{benchmark.name}/multilingual/{metric}", by_language)
    return found


def top_share_metrics(
    benchmark: Benchmark, shares: NDArray[np.float64], share_of_pool: NDArray[np.float64]
) -> dict[str, float]:
    """The keys of the languages of the first ten.

    `top10_share` is the share of each language for each query language; `same_language_lift@10` is the share of the
    query's own language, divided by that language's share of the pool.

    shares: (L, L) query language by candidate language. share_of_pool: (L,).
    """
    names = benchmark.languages
    lifts = {
        name: float(shares[row, row] / share_of_pool[row])
        for row, name in enumerate(names)
        if share_of_pool[row] > 0 and not np.isnan(shares[row, row])
    }
    return _with_macro(f"{benchmark.name}/multilingual/same_language_lift@10", lifts) | {
        f"{benchmark.name}/multilingual/top10_share/{name}-{other}": float(shares[row, column])
        for row, name in enumerate(names)
        for column, other in enumerate(names)
        if not np.isnan(shares[row, column])
    }


def _with_macro(key: str, by_language: dict[str, float]) -> dict[str, float]:
    if not by_language:
        return {}
    macro = float(np.mean(list(by_language.values())))
    return {key: macro} | {f"{key}/{name}": value for name, value in by_language.items()}

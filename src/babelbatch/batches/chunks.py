"""Texts of a batch in chunks of similar length: less padding, same mathematics."""

from __future__ import annotations

import numpy as np


def length_sorted_chunks(lengths: np.ndarray, overhead: int, token_limit: int | None = None) -> list[np.ndarray]:
    """Splits texts into chunks, shortest first, with the fewest padded tokens plus `overhead` for each chunk.

    A chunk costs its rows times its longest text. Dynamic programming over the distinct lengths finds the optimum.
    lengths: (T,) tokens of each text. overhead: cost of a further forward pass, in tokens.
    token_limit: maximum tokens of a chunk, padding included; a larger chunk is cut into even parts of whole texts.
    Returns the rows of each chunk.
    """
    order = np.argsort(lengths, kind="stable")
    distinct, counts = np.unique(lengths, return_counts=True)
    stops = np.concatenate([[0], np.cumsum(counts)])  # texts no longer than each distinct length
    chunks = []
    for start, stop in _cuts(distinct, stops, overhead):
        rows = order[stops[start] : stops[stop]]
        longest = max(1, int(distinct[stop - 1]))  # a text may have no token at all
        parts = 1 if token_limit is None else -(-len(rows) // max(1, token_limit // longest))
        chunks += np.array_split(rows, parts)
    return chunks


def _cuts(distinct: np.ndarray, stops: np.ndarray, overhead: int) -> list[tuple[int, int]]:
    """Ranges of the distinct lengths that form a chunk."""
    best = np.zeros(len(distinct) + 1)  # the least cost of the first n lengths
    cut = np.zeros(len(distinct) + 1, np.int64)
    for stop in range(1, len(distinct) + 1):
        costs = best[:stop] + (stops[stop] - stops[:stop]) * distinct[stop - 1]
        cut[stop] = costs.argmin()
        best[stop] = costs[cut[stop]] + overhead
    ranges = []
    stop = len(distinct)
    while stop:
        ranges.append((int(cut[stop]), stop))
        stop = int(cut[stop])
    return ranges[::-1]

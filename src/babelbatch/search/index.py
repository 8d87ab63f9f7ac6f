"""The nearest vectors by inner product: exactly, or by an index that looks at a part of them. The only door to faiss.

A pool is what is searched: one (n, d) float32 array, or several that count as one, laid end to end, such as the mapped
shards of `vectors.py`. It may be gone through more than once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells of every instruction set that it tries

import faiss  # noqa: E402

NO_ROW = -1
"""Stands for a row where an approximate index found fewer than k."""

_TRAINING_POINTS = 256  # a list, at most; faiss leaves out the rest
_LEAST_POINTS = 39  # a list; faiss warns below it

Pool = np.ndarray | Sequence[np.ndarray]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The k nearest of each of Q queries, best first, of equal ones the lower row first.

    rows: (Q, k) int64 rows of the pool, or NO_ROW. scores: (Q, k) float32 inner products, -inf where there is nothing.
    """

    rows: np.ndarray
    scores: np.ndarray


class Search(Protocol):
    """A search of one pool. Raises ValueError for queries that do not fit it."""

    def __call__(self, queries: np.ndarray, k: int) -> Neighbours: ...


@dataclass(frozen=True)
class Exact:
    """Every query meets every row. Holds one array of the pool at a time."""

    def build(self, pool: Pool, threads: int | None = None) -> Search:
        """threads: of the processor; None for as many as OpenMP takes by itself."""
        return partial(exact_top_k, pool=pool, threads=threads)


@dataclass(frozen=True)
class IVF:
    """Rows are sorted into lists by their nearest centroid (k-means), and a query looks at the nearest few lists
    (Jegou et al. 2011, without compression). Holds the pool in memory.

    lists: how many; None for four times the square root of the pool's rows, if each gets 39 rows to be trained on.
    probes: lists that a query looks at. seed: of k-means.
    """

    lists: int | None = None
    probes: int = 32
    seed: int = 0

    def build(self, pool: Pool, threads: int | None = None) -> Search:
        """The same index whenever it is built with as many threads. Raises ValueError for more lists than rows."""
        rows, dimensions = pool_shape(pool)
        lists = self.lists or max(1, min(int(4 * rows**0.5), rows // _LEAST_POINTS))
        if lists > rows:
            raise ValueError(f"index.lists: {lists:,} lists for {rows:,} rows; lower it")
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dimensions), dimensions, lists, faiss.METRIC_INNER_PRODUCT)
        index.nprobe = min(self.probes, lists)
        index.cp.seed = self.seed
        index.cp.min_points_per_centroid = 1  # whoever asks for so many lists has been told
        with _threads(threads):
            index.train(_sample(pool, _TRAINING_POINTS * lists, self.seed))
            for part in _parts(pool):
                index.add(part)
        return partial(_by_index, index=index, threads=threads)


@dataclass(frozen=True)
class HNSW:
    """Rows are the nodes of a layered graph of neighbours, and a query walks towards the nearest (Malkov and Yashunin
    2018). Holds the pool and the graph in memory.

    links: of a node. construction, search: nodes kept in view while building, and while searching (at least k are).
    """

    links: int = 32
    construction: int = 128
    search: int = 128

    def build(self, pool: Pool, threads: int | None = None) -> Search:
        """The same graph whenever it is built: by one thread, as several would link the nodes in any order."""
        _, dimensions = pool_shape(pool)
        index = faiss.IndexHNSWFlat(dimensions, self.links, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self.construction
        index.hnsw.efSearch = self.search
        with _threads(1):
            for part in _parts(pool):
                index.add(part)
        return partial(_by_index, index=index, threads=threads)


def exact_top_k(queries: np.ndarray, k: int, *, pool: Pool, threads: int | None = None) -> Neighbours:
    """The k rows of the pool with the greatest inner product with each of (Q, d) queries.

    The arrays of the pool are searched one by one, and their best merged. Which of several rows of equal score is the
    last of the k is left to faiss.
    Raises ValueError if the pool has fewer than k rows, or another dimension, or if a vector is not finite.
    """
    rows, dimensions = pool_shape(pool)
    _require(queries, k, rows, dimensions)
    found = Neighbours(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32))
    first = 0
    with _threads(threads):
        for part in _parts(pool):
            scores, places = faiss.knn(_plain(queries), part, min(k, len(part)), metric=faiss.METRIC_INNER_PRODUCT)
            found = _best(np.hstack([found.rows, places + first]), np.hstack([found.scores, scores]), k)
            first += len(part)
    return found


def measure_recall(
    search: Search, queries: np.ndarray, k: int, *, pool: Pool, sample: int = 1000, seed: int = 0, threads: int | None
) -> float:
    """The share of the exact k nearest that a search finds, the mean over at most `sample` of the queries.

    A row that ties with the exact last one counts as found. Raises ValueError if there are no queries.
    """
    if len(queries) == 0:
        raise ValueError("recall cannot be measured without queries")
    chosen = np.random.default_rng(seed).permutation(len(queries))[:sample]
    truth = exact_top_k(queries[chosen], k, pool=pool, threads=threads)
    found = search(queries[chosen], k)
    hits = np.stack([np.isin(ours, theirs) for ours, theirs in zip(found.rows, truth.rows, strict=True)])
    hits |= (found.rows != NO_ROW) & (found.scores >= truth.scores[:, -1:])
    return float(hits.mean())


def pool_shape(pool: Pool) -> tuple[int, int]:
    """How many rows a pool has, and of which dimension. Raises ValueError for an empty one, or one of several
    dimensions."""
    shapes = [part.shape for part in ([pool] if isinstance(pool, np.ndarray) else pool)]
    if any(len(shape) != 2 for shape in shapes) or len({shape[1] for shape in shapes}) > 1:
        raise ValueError(f"the arrays of a pool must be matrices of one width, not {', '.join(map(str, shapes))}")
    rows = sum(shape[0] for shape in shapes)
    if rows == 0:
        raise ValueError("there is nothing to search: the pool has no rows")
    return rows, shapes[0][1]


def _by_index(queries: np.ndarray, k: int, *, index: faiss.Index, threads: int | None) -> Neighbours:
    _require(queries, k, index.ntotal, index.d)
    with _threads(threads):
        scores, rows = index.search(_plain(queries), k)
    return _best(rows, np.where(rows == NO_ROW, -np.inf, scores).astype(np.float32), k)


def _best(rows: np.ndarray, scores: np.ndarray, k: int) -> Neighbours:
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return Neighbours(np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1))


def _require(queries: np.ndarray, k: int, rows: int, dimensions: int) -> None:
    if not 1 <= k <= rows:
        raise ValueError(f"{k:,} neighbours were asked of a pool of {rows:,}; ask for 1 to {rows:,}")
    if queries.ndim != 2 or queries.shape[1] != dimensions:
        raise ValueError(
            f"the queries have the shape {queries.shape}, the pool has {dimensions} dimensions: encode both with the "
            "same encoder"
        )
    _require_finite(queries, "query")


def _parts(pool: Pool) -> Iterator[np.ndarray]:
    for part in [pool] if isinstance(pool, np.ndarray) else pool:
        if len(part):
            _require_finite(part, "row")
            yield _plain(part)


def _require_finite(vectors: np.ndarray, name: str) -> None:
    if not np.isfinite(vectors.sum(dtype=np.float64)):  # finite numbers add up to a finite one
        wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        raise ValueError(f"{name} {wrong[0]:,} is not finite ({len(wrong):,} such): its encoder is damaged")


def _plain(vectors: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(vectors, np.float32)


def _sample(pool: Pool, count: int, seed: int) -> np.ndarray:
    """At most `count` rows of a pool, in their order."""
    rows, _ = pool_shape(pool)
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:count])
    found: list[np.ndarray] = []
    first = 0
    for part in _parts(pool):
        found.append(part[chosen[(chosen >= first) & (chosen < first + len(part))] - first])
        first += len(part)
    return np.concatenate(found)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """faiss brings an OpenMP of its own, with a count of threads of its own; where it shares torch's, torch finds its
    count as it was."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count or before)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)

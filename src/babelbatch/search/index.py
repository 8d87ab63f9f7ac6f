"""Nearest neighbours by inner product, exactly or with an approximate index. The only module that imports faiss.

A pool is what is searched: one (n, d) float32 array, or several that count as one, end to end, such as the mapped
shards of `vectors.py`. It may be iterated repeatedly.

Several ranks, each with the whole pool and the same queries, divide a search: each searches some of the arrays, or the
indexes of some of the parts, and all get the best of what all found, which is what one process finds. One index cannot
be divided, so every rank builds it.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from babelbatch.distributed.collectives import errors_on_every_rank, gather_on_cpu, share_of_rank, world_size
from babelbatch.progress import bar, waiting
from babelbatch.search.blocks import Between, Blocks
from babelbatch.storage import cache_folder

logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it logs every instruction set that it tries

import faiss  # noqa: E402

NO_ROW = -1
"""In place of a row where an approximate index found fewer than k."""

_TRAINING_POINTS = 256  # per list, at most; faiss ignores more
_LEAST_POINTS = 39  # per list; faiss warns below it
_GATHERED_QUERIES = 1_024  # whose neighbours of all ranks are in memory at once


Pool: TypeAlias = NDArray[np.float32] | Sequence[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The k nearest rows for each of Q queries, best first; of equal scores the lower row first.

    rows: (Q, k) rows of the pool, or NO_ROW. scores: (Q, k) float32 inner products, -inf for NO_ROW.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


class Search(Protocol):
    """A search of one pool for the k nearest rows. Raises ValueError for queries that do not fit the pool."""

    def __call__(self, queries: NDArray[np.float32], k: int) -> Neighbours: ...


@dataclass(frozen=True)
class Exact:
    """Scores every row for every query. One array of the pool is in memory at a time."""

    def build(self, pool: Pool, threads: int | None = None) -> Search:
        """The search of a pool. threads: of the CPU; None for the default of OpenMP."""
        return partial(exact_top_k, pool=pool, threads=threads)


@dataclass(frozen=True)
class IVF:
    """Assigns rows to lists by their nearest k-means centroid; a query scores the rows of the nearest lists
    (Jegou et al. 2011, without compression). The pool is in memory, or one part of it.

    lists: number of lists; None for four times the square root of the pool's rows, as far as each has 39 rows to train
        on.
    probes: number of lists that a query searches. seed: of k-means.
    part_rows: builds an index for each part of the pool, of at most so many rows, with as many lists and probes each.
        One part at a time is in memory, the others in files that are mapped, and a query searches all. None builds one.
    """

    lists: int | None = None
    probes: int = 32
    seed: int = 0
    part_rows: int | None = None

    def build(self, pool: Pool, threads: int | None = None) -> Search:
        """Builds the index; the result depends on the number of threads.

        Raises ValueError for more lists than rows, and for parts that are smaller than an array of the pool.
        """
        return _build(self._index, pool, self.part_rows, threads)

    def _index(self, pool: Pool, threads: int | None) -> faiss.Index:
        rows, dimensions = pool_shape(pool)
        lists = self.lists or max(1, min(int(4 * rows**0.5), rows // _LEAST_POINTS))
        if lists > rows:
            raise ValueError(f"index.lists: {lists:,} lists for {rows:,} rows; lower it")
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dimensions), dimensions, lists, faiss.METRIC_INNER_PRODUCT)
        index.nprobe = min(self.probes, lists)
        index.cp.seed = self.seed
        index.cp.min_points_per_centroid = 1  # faiss would warn, but so many lists were asked for
        with _use_threads(threads):
            with waiting(f"k-means of {lists:,} lists"):
                index.train(_sample_rows(pool, _TRAINING_POINTS * lists, self.seed))
            _add_rows(index, pool, rows)
        return index


@dataclass(frozen=True)
class HNSW:
    """Links rows in a layered neighbour graph, in which a query walks to the nearest (Malkov and Yashunin 2018). The
    pool and the graph are in memory, or one part of them.

    links: of a node. construction, search: size of the candidate list while building and while searching; the latter is
        at least k.
    part_rows: builds a graph for each part of the pool, of at most so many rows. One part at a time is in memory, the
        others in files that are mapped, and a query searches all. None builds one.
    """

    links: int = 32
    construction: int = 128
    search: int = 128
    part_rows: int | None = None

    def build(self, pool: Pool, threads: int | None = None) -> Search:
        """Builds the graph with one thread, because several would link the nodes in a random order.

        threads: for the search. Raises ValueError for parts that are smaller than an array of the pool.
        """
        return _build(self._index, pool, self.part_rows, threads)

    def _index(self, pool: Pool, threads: int | None) -> faiss.Index:
        del threads
        rows, dimensions = pool_shape(pool)
        index = faiss.IndexHNSWFlat(dimensions, self.links, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self.construction
        index.hnsw.efSearch = self.search
        with _use_threads(1):
            _add_rows(index, pool, rows)
        return index


def exact_top_k(queries: NDArray[np.float32], k: int, *, pool: Pool, threads: int | None = None) -> Neighbours:
    """The k rows of the pool with the greatest inner product with each of (Q, d) queries.

    The arrays of the pool, or those of this rank, are searched one by one and their best rows merged. Which of several
    rows with equal scores is the last of the k is up to faiss.
    Raises ValueError if the pool has fewer than k rows or another dimension, or if a vector is not finite.
    """
    rows, dimensions = pool_shape(pool)
    _require_valid(queries, k, rows, dimensions)
    found = _nothing(len(queries))
    arrays = [pool] if isinstance(pool, np.ndarray) else pool
    firsts = (pool.starts if isinstance(pool, Blocks) else np.cumsum([0, *map(len, arrays)])).tolist()
    share = share_of_rank(len(arrays))
    total = firsts[share.stop] - firsts[share.start]
    with _use_threads(threads), bar("searching", total, unit="rows") as progress, errors_on_every_rank():
        for place in share:
            for part in _parts(arrays[place]):
                scores, places = faiss.knn(
                    _contiguous(queries), part, min(k, len(part)), metric=faiss.METRIC_INNER_PRODUCT
                )
                found = _best(np.hstack([found.rows, places + firsts[place]]), np.hstack([found.scores, scores]), k)
                progress.advance(len(part))
    return _best_of_ranks(found, k)


def measure_recall(
    search: Search,
    queries: NDArray[np.float32],
    k: int,
    *,
    pool: Pool,
    sample: int = 1000,
    seed: int = 0,
    threads: int | None,
) -> float:
    """The share of the exact k nearest rows that a search finds: the mean over at most `sample` of the queries.

    A row that ties with the exact last one counts as found. Raises ValueError if there are no queries.
    """
    if len(queries) == 0:
        raise ValueError("recall cannot be measured without queries")
    chosen = np.random.default_rng(seed).permutation(len(queries))[:sample]
    with waiting("measuring the recall of the index"):
        exact = exact_top_k(queries[chosen], k, pool=pool, threads=threads)
        found = search(queries[chosen], k)
    hits = np.stack([np.isin(ours, theirs) for ours, theirs in zip(found.rows, exact.rows, strict=True)])
    hits |= (found.rows != NO_ROW) & (found.scores >= exact.scores[:, -1:])
    return float(hits.mean())


def pool_shape(pool: Pool) -> tuple[int, int]:
    """Number of rows and dimension of a pool. Raises ValueError if it is empty or its arrays differ in dimension."""
    if isinstance(pool, Blocks) and pool.rows > 0:  # without reading them
        return pool.rows, pool.dimensions
    shapes = [part.shape for part in ([pool] if isinstance(pool, np.ndarray) else pool)]
    if any(len(shape) != 2 for shape in shapes) or len({shape[1] for shape in shapes}) > 1:
        raise ValueError(f"the arrays of a pool must be matrices of one width, not {', '.join(map(str, shapes))}")
    rows = sum(shape[0] for shape in shapes)
    if rows == 0:
        raise ValueError("there is nothing to search: the pool has no rows")
    return rows, shapes[0][1]


def _build(
    build: Callable[[Pool, int | None], faiss.Index], pool: Pool, part_rows: int | None, threads: int | None
) -> Search:
    """The search of one index, or of an index for each part, which is then a mapped file without a name: the system
    may drop its pages, and nothing is left when this process ends, however it does."""
    shape = pool_shape(pool)
    if part_rows is None:
        return partial(_search_parts, indexes=[(0, build(pool, threads))], shape=shape, divided=False, threads=threads)
    parts = list(_split(pool, part_rows))
    firsts = np.cumsum([0, *(pool_shape(part)[0] for part in parts)]).tolist()
    indexes = []
    folder = cache_folder("pools")
    folder.mkdir(parents=True, exist_ok=True)
    with errors_on_every_rank():
        for place in share_of_rank(len(parts)):
            with tempfile.NamedTemporaryFile(dir=folder, prefix="index-") as file:
                faiss.write_index(build(parts[place], threads), file.name)
                indexes.append((firsts[place], faiss.read_index(file.name, faiss.IO_FLAG_MMAP_IFC)))
    return partial(_search_parts, indexes=indexes, shape=shape, divided=True, threads=threads)


def _split(pool: Pool, part_rows: int) -> Iterator[Pool]:
    """Parts of whole arrays with at most `part_rows` rows each; a pool of one array is cut anywhere.

    Parts have as many rows as each other, as far as arrays allow. Raises ValueError for arrays of more rows.
    """
    rows, _ = pool_shape(pool)
    if isinstance(pool, np.ndarray):
        yield from np.array_split(pool, -(-rows // part_rows))
        return
    if not isinstance(pool, Blocks):
        pool = [part for part in pool if len(part)]
    sizes = np.diff(pool.starts) if isinstance(pool, Blocks) else np.array([len(part) for part in pool])
    largest = int(sizes.max())
    if largest > part_rows:
        raise ValueError(
            f"index.part_rows: {part_rows:,} rows are less than one block of the vectors, which has {largest:,}; "
            f"set it to {largest:,} or more, or leave it out"
        )
    count = -(-len(pool) // (part_rows // largest))
    bounds = np.linspace(0, len(pool), count + 1).round().astype(int).tolist()
    for first, last in pairwise(bounds):
        yield Between(pool, first, last) if isinstance(pool, Blocks) else pool[first:last]


def _add_rows(index: faiss.Index, pool: Pool, rows: int) -> None:
    """Adds the arrays of a pool whole, because smaller blocks would give another graph."""
    with bar("building the index", rows, unit="rows") as progress:
        for part in _parts(pool):
            index.add(part)
            progress.advance(len(part))


def _search_parts(
    queries: NDArray[np.float32],
    k: int,
    *,
    indexes: Sequence[tuple[int, faiss.Index]],
    shape: tuple[int, int],
    divided: bool,
    threads: int | None,
) -> Neighbours:
    """The best of some indexes and, if they are divided among the ranks, of those of the other ranks.

    indexes: with the first row of each in the pool. shape: of the pool.
    """
    _require_valid(queries, k, *shape)
    found = _nothing(len(queries))
    with _use_threads(threads):
        for first, index in indexes:
            scores, rows = index.search(_contiguous(queries), min(k, index.ntotal))
            missing = rows == NO_ROW
            rows = np.where(missing, NO_ROW, rows + first)
            scores = np.where(missing, -np.inf, scores).astype(np.float32)
            found = _best(np.hstack([found.rows, rows]), np.hstack([found.scores, scores]), k)
    return _best_of_ranks(found, k) if divided else found


def _nothing(queries: int) -> Neighbours:
    return Neighbours(np.empty((queries, 0), np.int64), np.empty((queries, 0), np.float32))


def _best_of_ranks(found: Neighbours, k: int) -> Neighbours:
    """The k best of what all ranks found, on each."""
    if world_size() == 1:
        return found
    missing = ((0, 0), (0, k - found.rows.shape[1]))
    rows = np.pad(found.rows, missing, constant_values=NO_ROW)
    scores = np.pad(found.scores, missing, constant_values=-np.inf)
    for start in range(0, len(rows), _GATHERED_QUERIES):
        some = slice(start, start + _GATHERED_QUERIES)
        best = _best(_hstack_of_ranks(rows[some]), _hstack_of_ranks(scores[some]), k)
        rows[some], scores[some] = best.rows, best.scores
    return Neighbours(rows, scores)


def _hstack_of_ranks(columns: NDArray[Any]) -> NDArray[Any]:
    return np.hstack([share.numpy() for share in gather_on_cpu(torch.from_numpy(columns))])


def _best(rows: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> Neighbours:
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return Neighbours(np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1))


def _require_valid(queries: NDArray[np.float32], k: int, rows: int, dimensions: int) -> None:
    if not 1 <= k <= rows:
        raise ValueError(f"{k:,} neighbours were asked of a pool of {rows:,}; ask for 1 to {rows:,}")
    if queries.ndim != 2 or queries.shape[1] != dimensions:
        raise ValueError(
            f"the queries have the shape {queries.shape}, the pool has {dimensions} dimensions: encode both with the "
            "same encoder"
        )
    _require_finite(queries, "query")


def _parts(pool: Pool) -> Iterator[NDArray[np.float32]]:
    """The arrays of a pool that are not empty, contiguous. Raises ValueError for a row that is not finite."""
    for part in [pool] if isinstance(pool, np.ndarray) else pool:
        if len(part):
            _require_finite(part, "row")
            yield _contiguous(part)


def _require_finite(vectors: NDArray[np.float32], name: str) -> None:
    if not np.isfinite(vectors.sum(dtype=np.float64)):  # a sum of finite numbers is finite
        wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        raise ValueError(f"{name} {wrong[0]:,} is not finite ({len(wrong):,} such): its encoder is damaged")


def _contiguous(vectors: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(vectors, np.float32)


def _sample_rows(pool: Pool, count: int, seed: int) -> NDArray[np.float32]:
    """At most `count` random rows of a pool, in their order."""
    rows, _ = pool_shape(pool)
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:count])
    found: list[NDArray[np.float32]] = []
    first = 0
    for part in _parts(pool):
        found.append(part[chosen[(chosen >= first) & (chosen < first + len(part))] - first])
        first += len(part)
    return np.concatenate(found)


@contextmanager
def _use_threads(count: int | None) -> Iterator[None]:
    """Sets the number of OpenMP threads of faiss. Where it shares OpenMP with torch, torch's number is restored."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count or before)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)

"""What an approximate index saves, and what it misses: exact search beside IVF and HNSW.

    python bench/search.py
    python bench/search.py --rows 1000000 --threads 2

Unit vectors in --rows / 100 clusters of like size; the queries are drawn as the rows are. Every search is asked for the
--k nearest of each of --queries queries, all at once, in turns, so that a busy machine is unfair to all alike. "exact,
mapped" reads the pool from shards on disk. Times are processor time over all threads, which suffers less from other
processes than the clock does.

    build       seconds, once
    search      milliseconds a query, median of the turns
    ratio       of the exact search's median to this one's
    recall      share of the exact k nearest that is found
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from babelbatch.search.index import HNSW, IVF, Exact, Pool, Search, exact_top_k, measure_recall
from babelbatch.search.vectors import VectorWriter

SETTINGS = {
    **{f"IVF, probes={probes}": IVF(probes=probes) for probes in (8, 32)},
    "HNSW, search=128": HNSW(),
}


def clustered(rows: int, dimensions: int, clusters: int, seed: int) -> np.ndarray:
    """Unit vectors: the centre of a random cluster, and as much of random noise."""
    centres = np.random.default_rng(0).normal(size=(clusters, dimensions)).astype(np.float32)
    random = np.random.default_rng([1, seed])
    found = random.standard_normal((rows, dimensions), np.float32)
    found += centres[random.integers(0, clusters, rows)]
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()

    clusters = max(1, options.rows // 100)
    pool = clustered(options.rows, options.dimensions, clusters, 0)
    queries = clustered(options.queries, options.dimensions, clusters, 1)
    with tempfile.TemporaryDirectory() as folder:
        writer = VectorWriter(Path(folder), options.dimensions, "bench")
        writer.append(pool)
        searches: dict[str, tuple[Search, float]] = {}
        pools: dict[str, tuple[Exact | IVF | HNSW, Pool]] = {
            "exact": (Exact(), pool),
            "exact, mapped": (Exact(), writer.close()),
            **{name: (index, pool) for name, index in SETTINGS.items()},
        }
        for name, (index, of) in pools.items():
            started = time.process_time()
            searches[name] = index.build(of, options.threads), time.process_time() - started
        taken: dict[str, list[float]] = {name: [] for name in searches}
        for _ in range(options.repeats):
            for name, (search, _) in searches.items():
                started = time.process_time()
                search(queries, options.k)
                taken[name].append(time.process_time() - started)
        truth = exact_top_k(queries, options.k, pool=pool, threads=options.threads)
        print(f"{options.rows:,} x {options.dimensions}, k={options.k}, {options.threads} threads")
        print(
            f"exact score of the nearest {truth.scores[:, 0].mean():.3f}, of number k {truth.scores[:, -1].mean():.3f}"
        )
        print(f"{'':<20}{'build':>10}{'search':>10}{'ratio':>8}{'recall':>9}")
        exact = statistics.median(taken["exact"])
        for name, (search, build) in searches.items():
            found = measure_recall(search, queries, options.k, pool=pool, threads=options.threads)
            median = statistics.median(taken[name])
            each = 1000 * median / options.queries
            print(f"{name:<20}{build:>8.1f} s{each:>7.2f} ms{exact / median:>8.1f}{found:>9.4f}")


if __name__ == "__main__":
    main()

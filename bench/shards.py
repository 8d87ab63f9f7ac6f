"""Memory and time of a search over vectors in shards, by the number of rows.

    python bench/shards.py
    python bench/shards.py --rows 200000 1000000 5000000 --dtype float16
    python bench/shards.py --rows 400000 --index ivf --part-rows 65536

For each number of rows: writes random unit vectors in --shards shards, as babelbatch-encode does, and searches them for
the --k nearest of each of --queries queries, in a process of its own.

    disk        GB of the shards
    search      seconds of the clock for all queries, reading and building an index included
    memory      MB at the peak: anonymous memory of the process meanwhile, less what it had before. Pages of files that
                are mapped are not counted, since the system may drop them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from babelbatch.search.index import HNSW, IVF, Exact, exact_top_k
from babelbatch.search.shard_plan import BLOCK_ROWS, Shard
from babelbatch.search.sharded_vectors import Reordered, ShardedVectors
from babelbatch.search.shards import Contents, ShardWriter


def unit_vectors(rows: int, dimensions: int, seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((rows, dimensions), np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def write(folder: Path, rows: int, options: argparse.Namespace) -> None:
    contents = Contents("bench", rows, options.dimensions, options.dtype, "random")
    for number in range(options.shards):
        writer = ShardWriter(folder, Shard(number, options.shards), contents)
        for piece in writer.pieces:
            of_block = np.arange(piece.block * BLOCK_ROWS, min(rows, (piece.block + 1) * BLOCK_ROWS))[
                piece.part :: piece.parts
            ]
            writer.write(of_block, unit_vectors(len(of_block), options.dimensions, piece.block * 10_000 + piece.part))


def anonymous_memory() -> int:
    """Bytes of this process that are not pages of files."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return int(lines["RssAnon"].split()[0]) * 1024


def search(folder: Path, rows: int, options: argparse.Namespace, results: multiprocessing.Queue) -> None:
    queries = unit_vectors(options.queries, options.dimensions, 7)
    exact_top_k(queries, 1, pool=queries)  # what faiss allocates once
    before, peak, done = anonymous_memory(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, anonymous_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    # in an order that is not that of the texts, as an evaluation searches: by language
    order = np.argsort(np.arange(rows) // 1000 % 11, kind="stable")
    pool = Reordered(ShardedVectors([folder], "bench"), order)
    indexes = {"exact": Exact(), "ivf": IVF(part_rows=options.part_rows), "hnsw": HNSW(part_rows=options.part_rows)}
    found = indexes[options.index].build(pool, options.threads)(queries, options.k)
    taken = time.perf_counter() - started
    done.set()
    watcher.join()
    assert (found.rows[:, 0] >= 0).all()
    results.put((taken, peak - before))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--dtype", choices=["float32", "float16"], default="float32")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--index", choices=["exact", "ivf", "hnsw"], default="exact")
    parser.add_argument("--part-rows", type=int, help="of --index ivf and hnsw; all rows in one if left out")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print(f"{'rows':>12}{'disk':>9}{'search':>10}{'memory':>10}")
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), rows, options)
            size = sum(file.stat().st_size for file in Path(folder).rglob("*.npy"))
            results = context.Queue()
            process = context.Process(target=search, args=(Path(folder), rows, options, results))
            process.start()
            taken, memory = results.get()
            process.join()
        print(f"{rows:12,}{size / 1e9:8.2f} {taken:9.1f} {memory / 2**20:9.0f}", flush=True)


if __name__ == "__main__":
    main()

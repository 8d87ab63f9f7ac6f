"""A sample of a benchmark's queries, for frequent evaluations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from babelbatch.records import Benchmark, MissingRelevant


def sample_queries(benchmark: Benchmark, count: int, seed: int = 0) -> Benchmark:
    """The benchmark with `count` of its query ids, each in all its languages, over the whole pool.

    Depends on the ids and the seed only, so that all steps and runs use the same queries. Their ranks are unaffected.
    """
    ids = sorted(set(benchmark.query_ids))
    if count >= len(ids):
        return benchmark
    chosen = {ids[place] for place in np.random.default_rng(seed).choice(len(ids), count, replace=False)}
    rows = np.array([row for row, id_ in enumerate(benchmark.query_ids) if id_ in chosen])
    offsets = benchmark.relevant_offsets
    pairs = np.concatenate([np.arange(offsets[row], offsets[row + 1]) for row in rows])
    missing = benchmark.missing
    if missing is not None:
        place = {row: number for number, row in enumerate(rows.tolist())}
        columns = [missing.queries, missing.ids, missing.gains, *([missing.languages] if missing.languages else [])]
        each = [(place[row], *rest) for row, *rest in zip(*columns, strict=True) if row in place]
        missing = MissingRelevant(*map(tuple, zip(*each, strict=True))) if each else None
    return replace(
        benchmark,
        query_ids=tuple(benchmark.query_ids[row] for row in rows),
        query_texts=tuple(benchmark.query_texts[row] for row in rows),
        query_languages=benchmark.query_languages[rows],
        relevant_offsets=np.concatenate([[0], np.cumsum(np.diff(offsets)[rows])]),
        relevant=benchmark.relevant[pairs],
        gains=None if benchmark.gains is None else benchmark.gains[pairs],
        missing=missing,
        excluded=None if benchmark.excluded is None else benchmark.excluded[rows],
        clusters=None if benchmark.clusters is None else benchmark.clusters[rows],
        query_tasks=None if benchmark.query_tasks is None else tuple(benchmark.query_tasks[row] for row in rows),
    )

"""Benchmarks of which only the questions matter, for the tests of leakage."""

import numpy as np

from babelbatch.records import Benchmark


def asking(*texts: str, name: str = "asked") -> Benchmark:
    count = len(texts)
    return Benchmark(
        name=name,
        languages=("en",),
        query_ids=tuple(map(str, range(count))),
        query_texts=texts,
        query_languages=np.zeros(count, np.int16),
        candidate_ids=("c",),
        candidate_texts=("candidate",),
        candidate_languages=np.zeros(1, np.int16),
        relevant_offsets=np.arange(count + 1),
        relevant=np.zeros(count, np.int64),
        protocol="by hand",
    )

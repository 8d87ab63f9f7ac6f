"""The table of scores by query, which a run stores as `per_query.parquet`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from babelbatch.evaluation import bias
from babelbatch.evaluation.metrics import NAMES, POOL_NAMES
from babelbatch.records import Benchmark


class PerQueryRows:
    """Builds the rows of one benchmark: one for each query in each cell, or in the pool, that scores it."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._name = benchmark.name
        self._ids, self._clusters = pa.array(benchmark.query_ids), pa.array(benchmark.cluster_numbers)
        self._languages = pa.array(benchmark.languages)
        self._query_languages = benchmark.query_languages

    def rows(
        self,
        setting: str,
        queries: NDArray[np.int64],
        candidate_language: str | None,
        relevant: NDArray[np.int64],
        values: dict[str, NDArray[np.float64]],
    ) -> pa.Table:
        """The rows of `queries` in one cell or in the pool.

        candidate_language: of the cell; None for the pool. relevant: (Q,) number of relevant candidates there.
        values: (Q,) of each metric. NaN and metrics without values become null.
        """
        count, chosen = len(queries), pa.array(queries)
        columns: dict[str, pa.Array] = {
            "benchmark": pa.repeat(self._name, count),
            "setting": pa.repeat(setting, count),
            "query_id": self._ids.take(chosen),
            "cluster": self._clusters.take(chosen),
            "query_language": self._languages.take(pa.array(self._query_languages[queries])),
            "candidate_language": pa.repeat(pa.scalar(candidate_language, pa.string()), count),
            "relevant": pa.array(relevant, pa.int32()),
        }
        for metric in dict.fromkeys((*NAMES, *POOL_NAMES, *bias.NAMES, *values)):  # custom metrics come last
            defined = metric in values
            columns[metric] = pa.array(values[metric], from_pandas=True) if defined else pa.nulls(count, pa.float64())
        return pa.table(columns)

"""A benchmark from rows in memory: the simplest loader of your own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.benchmarks.stored import CANDIDATE_IDS, CANDIDATES, QUERIES, QUERY_IDS, TABLES
from babelbatch.records import Benchmark
from babelbatch.sources.lines import Place
from babelbatch.storage import Texts


class Text(NamedTuple):
    """A query or a candidate. id: of queries, the same in every language; of candidates, distinct over all."""

    id: str
    language: str
    text: str


class Judgement(NamedTuple):
    """How well a candidate answers a query. gain: for nDCG; above 0 is relevant."""

    query: str
    candidate: str
    gain: float = 1.0


def benchmark_from_rows(
    name: str,
    queries: Iterable[Text],
    candidates: Iterable[Text],
    judgements: Iterable[Judgement],
    *,
    protocol: str,
    metric: str = "map",
    pooled: bool = True,
) -> Benchmark:
    """A benchmark of all rows, in memory. protocol, metric, pooled: as in `Benchmark`.

    A judgement holds in every language of its query. Queries without a relevant candidate are left out, and the log
    says how many. For more candidates than fit in memory see `assembly.PoolAssembly` and `stored.stored_benchmark`.
    Raises ValueError for an empty query, for ids that occur twice, and for judgements of what does not exist.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with PoolAssembly(folder) as assembly:
            for number, candidate in enumerate(candidates, 1):
                assembly.candidate(*candidate, Place(Path(f"candidates of {name}"), number))
            for number, query in enumerate(queries, 1):
                if not query.text.strip():
                    raise ValueError(f"queries of {name}, line {number:,}: the text is empty; leave the query out")
                assembly.query(*query, Place(Path(f"queries of {name}"), number))
            for number, judgement in enumerate(judgements, 1):
                assembly.judgement(*judgement, Place(Path(f"judgements of {name}"), number))
            languages = assembly.finish()
        tables = {table: np.load(folder / f"{table}.npy") for table in TABLES}
        return Benchmark(
            name=name,
            languages=tuple(languages),
            query_ids=tuple(Texts(folder / QUERY_IDS)),
            query_texts=tuple(Texts(folder / QUERIES)),
            candidate_ids=tuple(Texts(folder / CANDIDATE_IDS)),
            candidate_texts=tuple(Texts(folder / CANDIDATES)),
            protocol=protocol,
            metric=metric,
            pooled=pooled,
            **tables | {"gains": None if (tables["gains"] == 1).all() else tables["gains"]},
        )

"""A benchmark from rows in memory: the simplest loader of your own."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.benchmarks.stored import CANDIDATE_IDS, CANDIDATES, QUERIES, QUERY_IDS, TABLES
from babelbatch.records import Benchmark, LanguageCodes
from babelbatch.sources.lines import Place
from babelbatch.storage import Texts


class Text(NamedTuple):
    """A query or a candidate. The id of a query is the same in every language; candidate ids are distinct over all."""

    id: str
    language: str
    text: str


class Judgement(NamedTuple):
    """The gain of a candidate for a query, for nDCG; above 0 is relevant."""

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

    A judgement holds in every language of its query. Queries without a relevant candidate are skipped, and logged as a
    number. For more candidates than fit in memory see `assembly.PoolAssembly` and `stored.stored_benchmark`.
    Raises ValueError for an empty query, an element or field of another type, a repeated id, and a judgement of an
    unknown query or candidate.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        codes = LanguageCodes(name)
        with PoolAssembly(folder) as assembly:
            for number, candidate in enumerate(candidates, 1):
                place = Place(Path(f"candidates of {name}"), number)
                _check(candidate, Text, "Text(id, language, text)", place)
                assembly.candidate(candidate.id, codes(candidate.language, place), candidate.text, place)
            for number, query in enumerate(queries, 1):
                place = Place(Path(f"queries of {name}"), number)
                _check(query, Text, "Text(id, language, text)", place)
                if not query.text.strip():
                    raise ValueError(f"{place}: the text is empty; leave the query out")
                assembly.query(query.id, codes(query.language, place), query.text, place)
            for number, judgement in enumerate(judgements, 1):
                place = Place(Path(f"judgements of {name}"), number)
                _check(judgement, Judgement, "Judgement(query, candidate)", place)
                assembly.judgement(judgement.query, judgement.candidate, judgement.gain, place)
            codes.report()
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


def _check(row: object, kind: type[Text] | type[Judgement], usage: str, place: Place) -> None:
    if not isinstance(row, kind):
        raise ValueError(f"{place}: it is a {type(row).__name__}; give {usage}")
    for field, value in row._asdict().items():
        if field == "gain":
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(f"{place}: the gain is {str(value)[:40]}, not a finite number; give a float")
        elif not isinstance(value, str):
            raise ValueError(f"{place}: the {field} is {str(value)[:40]}, not a text; give a str")

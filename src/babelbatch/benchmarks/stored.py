"""A benchmark on disk, for pools too large for memory: built once in the cache folder, memory-mapped by every run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from babelbatch.progress import waiting
from babelbatch.records import Benchmark, MissingRelevant
from babelbatch.sources.bad_rows import read_skipped_rows
from babelbatch.storage import Texts, cache_entry, open_entry

FORMAT = 1
"""Version of the files' format."""

QUERY_IDS, QUERIES, CANDIDATE_IDS, CANDIDATES = "query_ids.txt", "queries.txt", "candidate_ids.txt", "candidates.txt"
"""Files of texts, see `texts.py`."""

TABLES = ("query_languages", "candidate_languages", "relevant_offsets", "relevant", "gains")

CLUSTERS, EXCLUDED = "clusters", "excluded"
"""Tables that are there if queries have clusters, and if a candidate is not ranked for its own query."""

MISSING = "missing.json"
"""The file of the relevant candidates that the data lack, if there are any."""


def stored_benchmark(
    name: str,
    inputs: Mapping[str, object],
    build: Callable[[Path], list[str]],
    protocol: str,
    metric: str,
    pooled: bool = True,
    cluster_unit: str = "query",
) -> Benchmark:
    """The benchmark that `build` makes, from the cache folder if it was built before; see `cache_entry`.

    inputs: everything that it depends on, as JSON values: settings, and the `file_signatures` of the files read.
    build: writes the files of `assembly.PoolAssembly.finish` into a folder, and returns the languages.
    protocol, metric, pooled: as in `Benchmark`. cluster_unit: the same, if `build` writes clusters.
    Candidates stay on disk, queries are read. Raises RecordError if `build` writes no valid benchmark, and ValueError
    if the files are damaged later.
    """

    def opened(folder: Path, languages: Sequence[str]) -> Benchmark:
        tables = {table: np.load(folder / f"{table}.npy", mmap_mode="r") for table in TABLES}
        for table in (CLUSTERS, EXCLUDED):
            if (path := folder / f"{table}.npy").is_file():
                tables |= {table: np.load(path, mmap_mode="r")}
        missing = None
        if (path := folder / MISSING).is_file():
            missing = MissingRelevant(*map(tuple, zip(*json.loads(path.read_text()), strict=True)))
        return Benchmark(
            name=name,
            languages=tuple(languages),
            query_ids=tuple(Texts(folder / QUERY_IDS)),
            query_texts=tuple(Texts(folder / QUERIES)),
            candidate_ids=Texts(folder / CANDIDATE_IDS),
            candidate_texts=Texts(folder / CANDIDATES),
            protocol=protocol,
            pooled=pooled,
            metric=metric,
            cluster_unit=cluster_unit if "clusters" in tables else "query",
            missing=missing,
            **tables | {"gains": None if (tables["gains"] == 1).all() else tables["gains"]},
        )

    def built(folder: Path) -> dict[str, object]:
        with waiting(f"building the benchmark {name}"):
            languages = build(folder)
        opened(folder, languages)  # an error of `build` is raised now, and not reported as damage later
        return {"languages": languages}

    folder = cache_entry("benchmark", name, {"format": FORMAT, **inputs}, built)
    with open_entry(folder, "benchmark") as manifest:
        benchmark = opened(folder, manifest["languages"])
    return replace(benchmark, skipped_rows=read_skipped_rows(folder, f"benchmark {name}"))

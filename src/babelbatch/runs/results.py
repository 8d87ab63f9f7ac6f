"""The results of a run on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from babelbatch.distributed.ranks import global_rank
from babelbatch.evaluation.metrics import TITLES
from babelbatch.evaluation.scoring import Result
from babelbatch.records import Benchmark, SkippedRows
from babelbatch.runs.files import METRICS_FILE, PER_QUERY_FILE
from babelbatch.storage import replaced_file, write_atomically


def write_results(folder: Path, results: list[Result], facts: dict[str, object]) -> None:
    """Writes per_query.parquet, a heat-map a benchmark (of the metric to read first), and last metrics.json: where it
    stands, the run is complete.

    Of several ranks only rank 0 writes.
    facts: what the run was; joins the metrics in metrics.json, which stays flat.
    """
    if global_rank() > 0:
        return
    from babelbatch.evaluation.heatmap import heatmap  # with Matplotlib, for which the first step need not wait

    folder.mkdir(parents=True, exist_ok=True)
    with replaced_file(folder / PER_QUERY_FILE) as file:  # flushed to the disk before metrics.json is there
        pq.write_table(
            pa.concat_tables([result.per_query for result in results]),
            file,
            compression="zstd",
            write_page_checksum=True,
        )
    metrics: dict[str, object] = {}
    for result in results:
        metrics |= result.metrics
        facts = facts | result.facts | {f"metric/{result.benchmark}": result.metric}
        title = f"{result.benchmark}: {TITLES[result.metric]}"
        picture = heatmap(result.matrices[result.metric], result.languages, title)
        (folder / f"{result.benchmark}_{result.metric.replace('@', '_')}.png").write_bytes(picture)
    write_atomically(folder / METRICS_FILE, json.dumps(facts | metrics, indent=1, allow_nan=False) + "\n")


def benchmark_facts(benchmarks: Mapping[str, Benchmark]) -> dict[str, object]:
    """What has to be equal for scores to be compared: the benchmarks, their fingerprints, languages and protocols."""
    facts: dict[str, object] = {"benchmarks": list(benchmarks)}
    for name, benchmark in benchmarks.items():
        facts[f"fingerprint/{name}"] = benchmark.fingerprint
        facts[f"languages/{name}"] = list(benchmark.languages)
        facts[f"protocol/{name}"] = benchmark.protocol
        facts[f"cluster/{name}"] = benchmark.cluster_unit
        facts |= skipped_facts(name, benchmark.skipped_rows)
    return facts


def skipped_facts(name: str, skipped: SkippedRows) -> dict[str, object]:
    """How many rows of the data were left out, and the first of them; nothing where none was."""
    return (
        {f"skipped_rows/{name}": skipped.count, f"skipped_lines/{name}": list(skipped.first)} if skipped.count else {}
    )

"""The scores of a run as statistics take them: by cluster of queries and cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from babelbatch.report.measures import Measure
from babelbatch.report.runs import Run
from babelbatch.statistics import Scores, scores_of

DEFAULT_UNIT = "query"


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which queries of a benchmark are independent.

    of_query: query id -> cluster, named by the first of its query ids, so that runs agree on the names.
    unit: what a cluster is, in the singular. recorded: whether every run says which cluster its queries are in, and all
        say the same; where not, each query id is a cluster. contradicted: whether runs say different things.
    """

    of_query: Mapping[str, str]
    unit: str
    recorded: bool
    contradicted: bool = False

    @property
    def queries(self) -> int:
        return len(self.of_query)

    @property
    def count(self) -> int:
        return len(set(self.of_query.values()))


def clusters_of(runs: Sequence[Run], benchmark: str) -> Clusters:
    """The clusters that all runs agree on. Runs of earlier versions do not record them. Systems that were measured
    elsewhere have the numbers of the runs, and perhaps not all queries."""
    own = [run for run in runs if run.system is None]
    runs = own or [replace(runs[0], per_query=_pairs_of(runs, benchmark))]
    partitions = [_recorded(run, benchmark) for run in runs]
    first = partitions[0]
    if first is None or any(other != first for other in partitions[1:]):
        ids = _of_benchmark(runs[0], benchmark)["query_id"].unique().cast("string").to_pylist()
        return Clusters({id_: id_ for id_ in ids}, DEFAULT_UNIT, recorded=False, contradicted=None not in partitions)
    return Clusters(first, str(runs[0].metrics.get(f"cluster/{benchmark}", DEFAULT_UNIT)), recorded=True)


def scores_of_run(run: Run, benchmark: str, measure: Measure, clusters: Clusters) -> Scores | None:
    """The scores of a run by cluster and cell; None where the measure is not defined."""
    if measure.metric not in run.per_query.column_names:
        return None
    table = _of_benchmark(run, benchmark)
    table = table.filter(pc.and_(pc.equal(table["setting"], measure.setting), pc.is_valid(table[measure.metric])))
    if len(table) == 0:
        return None
    cells = table["query_language"].cast("string")
    if measure.setting == "crosslingual":
        cells = pc.binary_join_element_wise(cells, table["candidate_language"].cast("string"), "-")
    names = [clusters.of_query[id_] for id_ in table["query_id"].cast("string").to_pylist()]
    return scores_of(names, cells.to_pylist(), table[measure.metric].to_numpy())


def _recorded(run: Run, benchmark: str) -> dict[str, str] | None:
    """query id -> first query id of its cluster; None if the run does not record clusters."""
    if "cluster" not in run.per_query.column_names:
        return None
    table = _of_benchmark(run, benchmark)
    pairs = pa.table({"id": table["query_id"].cast("string"), "cluster": table["cluster"]})
    once = pairs.group_by(["id", "cluster"]).aggregate([]).sort_by("id")
    ids, numbers = once["id"].to_pylist(), once["cluster"].to_pylist()
    names: dict[int, str] = {}
    return {id_: names.setdefault(number, id_) for id_, number in zip(ids, numbers, strict=True)}


def _pairs_of(runs: Sequence[Run], benchmark: str) -> pa.Table:
    """The queries of all runs, with their clusters if all have them."""
    names = ["benchmark", "query_id", "cluster"]
    tables = [_of_benchmark(run, benchmark) for run in runs]
    names = names if all("cluster" in table.column_names for table in tables) else names[:2]
    return pa.concat_tables([table.select(names) for table in tables])


def _of_benchmark(run: Run, benchmark: str) -> pa.Table:
    return run.per_query.filter(pc.equal(run.per_query["benchmark"], benchmark))

"""Systems that were measured elsewhere, as runs beside ours: the same queries, clusters and judgements, or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from babelbatch.evaluation.metrics import NAMES
from babelbatch.foreign import Aggregate, System, from_argument, from_folder, read_systems
from babelbatch.report.foreign_notes import Facts, notes_of
from babelbatch.report.runs import FoundRuns, Run, find_runs, system_folders

_SHARED_FACTS = ("fingerprint", "languages", "protocol", "cluster", "metric", "search")
_MEASURED = (*NAMES, "rank_distance", "language_preference", "same_language@10", "peer@100")


class _Row(NamedTuple):
    setting: str
    query: str
    query_language: str
    candidate_language: str | None

    def __str__(self) -> str:
        cell = "" if self.candidate_language is None else f" over candidates in '{self.candidate_language}'"
        return f"query '{self.query}' in '{self.query_language}'{cell}"


@dataclass(frozen=True, slots=True)
class _Reference:
    """What scores on a benchmark are compared by. name: of the run or system that it is from. facts: of metrics.json.
    rows: row -> (number of relevant candidates, cluster), None where unknown."""

    name: str
    facts: Mapping[str, object]
    rows: Mapping[_Row, tuple[int | None, int | None]]


@dataclass(frozen=True, slots=True)
class ForeignRuns:
    """runs: one for each system and seed. aggregates: numbers without scores by query. notes: what a reader must know
    of them."""

    runs: list[Run]
    aggregates: list[Aggregate]
    notes: list[str]


def find_all(folders: Sequence[Path], arguments: Sequence[str]) -> tuple[FoundRuns, list[Aggregate]]:
    """The finished runs in `folders`, and the systems that `folders` and `arguments` declare.

    Raises ValueError as `find_runs`, `read_systems` and `foreign_runs`, and if there is nothing to compare.
    """
    declared = [*(from_folder(folder) for folder in system_folders(folders)), *map(from_argument, arguments)]
    if not declared:
        return find_runs(folders), []
    found = find_runs(folders, required=False)
    foreign = foreign_runs([system for each in declared for system in read_systems(each)], found.runs)
    return replace(found, runs=[*found.runs, *foreign.runs], notes=tuple(foreign.notes)), foreign.aggregates


def foreign_runs(found: Sequence[System | Aggregate], own: Sequence[Run]) -> ForeignRuns:
    """The systems as runs that can be compared with `own`; without own runs, with the first of them.

    A query that a table of scores lacks scores 0. Raises ValueError if a system has other queries, languages or
    judgements, or a benchmark that no run has.
    """
    systems = [each for each in found if isinstance(each, System)]
    references = _references(systems, own)
    runs: list[Run] = []
    facts: list[Facts] = []
    parts: dict[tuple[str, int | None], list[System]] = {}
    for each in found:
        if each.benchmark not in references:
            there = ", ".join(references) or "none with scores by query"
            raise ValueError(f"{each.source}: no run has the benchmark {each.benchmark} (there are: {there}); mend it")
        if isinstance(each, System):
            parts.setdefault((each.name, each.seed), []).append(each)
    for (name, seed), of_run in parts.items():
        benchmarks = [each.benchmark for each in of_run]
        if len(set(benchmarks)) < len(benchmarks):
            twice = next(benchmark for benchmark in benchmarks if benchmarks.count(benchmark) > 1)
            which = f"'{name}'" if seed is None else f"'{name}' with seed {seed}"
            raise ValueError(
                f"{of_run[0].source}: {which} has results on {twice} twice; give them different names by system:, or "
                "seeds by seed:"
            )
        tables: list[pa.Table] = []
        metrics: dict[str, Any] = {"benchmarks": benchmarks, "seed": seed}
        metrics |= {"name": own[0].metrics["name"]} if own and "name" in own[0].metrics else {}
        for each in of_run:
            reference = references[each.benchmark]
            table, absent, unchecked = _matched(each, reference)
            facts.append(Facts(each, absent, unchecked, bool(own) and each.clusters is not None))
            tables.append(table)
            metrics |= dict(reference.facts) | means(each.benchmark, table) | dict(each.shares)
        runs.append(
            Run(
                of_run[0].source,
                metrics,
                {"system": name},
                pa.concat_tables(tables, promote_options="default"),
                system=name,
            )
        )
    return ForeignRuns(runs, [each for each in found if isinstance(each, Aggregate)], notes_of(facts))


def means(benchmark: str, table: pa.Table) -> dict[str, float]:
    """The keys of metrics.json that the rows of a benchmark have: means over queries, then over cells."""
    found: dict[str, float] = {}
    for name in (name for name in _MEASURED if name in table.column_names):
        scored = table.filter(pc.is_valid(table[name]))
        grouped = scored.group_by(["setting", "query_language", "candidate_language"]).aggregate([(name, "mean")])
        cells: dict[str, list[float]] = {}
        for row in grouped.to_pylist():
            key, mean = f"{benchmark}/{row['setting']}/{name}", row[f"{name}_mean"]
            cells.setdefault(key, []).append(mean)
            cells.setdefault(f"{key}/{row['query_language']}", []).append(mean)
            if row["setting"] == "crosslingual":
                found[f"{key}/{row['query_language']}-{row['candidate_language']}"] = mean
        found |= {key: sum(of_cells) / len(of_cells) for key, of_cells in cells.items()}
    return found


def _references(systems: Sequence[System], own: Sequence[Run]) -> dict[str, _Reference]:
    """By benchmark: of the first run that has it; without runs, of the first system."""
    found: dict[str, _Reference] = {}
    for run in own:
        for name in run.benchmarks:
            if name not in found:
                table = run.per_query.filter(pc.equal(run.per_query["benchmark"], name))
                facts = {f"{fact}/{name}": run.metrics.get(f"{fact}/{name}") for fact in _SHARED_FACTS}
                found[name] = _Reference(str(run.folder), facts, _rows(table))
    for system in () if own else systems:
        if system.benchmark not in found:
            found[system.benchmark] = _of_system(
                system, [each for each in systems if each.benchmark == system.benchmark]
            )
    return found


def _of_system(system: System, same: Sequence[System]) -> _Reference:
    """The reference without runs of ours: all rows of all systems, so that one may lack a setting. The clusters are
    those of the first declaration that gives them."""
    name = system.benchmark
    tables = [each.per_query for each in same]
    scored = [{metric for metric in NAMES if table[metric].null_count < len(table)} for table in tables]
    metric = next((each for each in NAMES if each in set.intersection(*scored)), min(scored[0], key=NAMES.index))
    rows: dict[_Row, tuple[int | None, int | None]] = {}
    for table in reversed(tables):
        rows |= _rows(table)
    languages = sorted({row.query_language for row in rows} | {row.candidate_language or "" for row in rows} - {""})
    facts: dict[str, object] = {
        f"fingerprint/{name}": "judged elsewhere", f"protocol/{name}": "ranked elsewhere", f"metric/{name}": metric,
        f"languages/{name}": languages,
    }  # fmt: skip
    given = next((each for each in same if each.clusters is not None), None)
    if given is None or given.clusters is None:
        return _Reference(str(system.source), facts, rows)
    numbers: dict[str, int] = {}
    clustered = {}
    for row, (relevant, _) in rows.items():
        if row.query not in given.clusters:
            raise ValueError(f"{given.source}: clusters: query '{row.query}' is not in the file; add it there")
        clustered[row] = relevant, numbers.setdefault(given.clusters[row.query], len(numbers))
    return _Reference(str(system.source), facts | {f"cluster/{name}": given.cluster_unit}, clustered)


def _rows(table: pa.Table) -> dict[_Row, tuple[int | None, int | None]]:
    columns = [table[name].cast("string").to_pylist() for name in (
        "setting", "query_id", "query_language", "candidate_language",
    )]  # fmt: skip
    numbers = [
        table[name].to_pylist() if name in table.column_names else [None] * len(table)
        for name in ("relevant", "cluster")
    ]
    return {
        _Row(*key): value for key, value in zip(zip(*columns, strict=True), zip(*numbers, strict=True), strict=True)
    }


def _matched(system: System, reference: _Reference) -> tuple[pa.Table, int, bool]:
    """The rows of a system in the order of the reference, with its clusters; how many rows it lacks; and whether the
    number of relevant candidates is unknown on one side."""
    own = _rows(system.per_query)
    settings = {row.setting for row in own}
    expected = [row for row in reference.rows if row.setting in settings]
    _refuse_others(system, reference, own, expected)
    absent = [row for row in expected if row not in own]
    if absent and system.judged:
        raise ValueError(
            f"{system.source}: its judgements lack {absent[0]}{_more(absent)}, which {system.benchmark} has in the "
            f"{absent[0].setting} setting; name all qrels of the benchmark"
        )
    unequal = [row for row in expected if row not in absent and _differ(own[row][0], reference.rows[row][0])]
    if unequal:
        row = unequal[0]
        raise ValueError(
            f"{system.source}: its judgements have {own[row][0]} relevant candidates for {row} in the {row.setting} "
            f"setting, and {system.benchmark} in {reference.name} has {reference.rows[row][0]}{_more(unequal)}; "
            "name the qrels of the same version of the benchmark"
        )
    place = {row: number for number, row in enumerate(own)}
    chosen = system.per_query.take(pa.array([place.get(row) for row in expected], pa.int64()))
    columns: dict[str, object] = {"benchmark": pa.repeat(system.benchmark, len(expected))}
    for name, values in zip(_Row._fields, zip(*expected, strict=True), strict=True):
        columns[{"query": "query_id"}.get(name, name)] = pa.array(values, pa.string())
    clusters = [reference.rows[row][1] for row in expected]
    if None not in clusters:
        columns["cluster"] = pa.array(clusters, pa.int32())
    for name in _MEASURED:
        columns[name] = _scores(chosen, name, pa.array([row.setting for row in expected]))
    unchecked = any(own[row][0] is None or reference.rows[row][0] is None for row in expected if row in own)
    return pa.table(columns), len(absent), unchecked


def _scores(chosen: pa.Table, name: str, settings: pa.Array) -> pa.Array:
    """The scores by `name`: 0 for a row that the system lacks, in the settings in which it has the measure."""
    if name not in chosen.column_names:
        return pa.nulls(len(settings), pa.float64())
    scored = pc.unique(chosen["setting"].filter(pc.is_valid(chosen[name])))
    absent = pc.and_(pc.is_null(chosen["setting"]), pc.is_in(settings, value_set=scored))
    return pa.array(pc.if_else(absent, pa.scalar(0.0), chosen[name]).to_pylist(), pa.float64())


def _refuse_others(system: System, reference: _Reference, own: Mapping[_Row, object], expected: Sequence[_Row]) -> None:
    """Raises ValueError for queries or languages that the benchmark does not have."""
    others = [row for row in own if row not in reference.rows]
    if not others:
        return
    languages = {row.query_language for row in reference.rows} | {row.candidate_language for row in reference.rows}
    for row in others:
        for language in (row.query_language, row.candidate_language):
            if language not in languages:
                raise ValueError(
                    f"{system.source}: {system.benchmark} has no language '{language}' "
                    f"({', '.join(sorted(name for name in languages if name))}), such as that of {row}; mend the "
                    "patterns, or name its languages by languages:"
                )
    if not any(row.setting == others[0].setting for row in expected):
        raise ValueError(f"{system.source}: {system.benchmark} has no {others[0].setting} setting; mend setting:")
    raise ValueError(
        f"{system.source}: {system.benchmark} has no {others[0]} in the {others[0].setting} setting{_more(others)}; "
        "mend query: or query_id:, or name the files of this benchmark"
    )


def _differ(a: int | None, b: int | None) -> bool:
    return a is not None and b is not None and a != b


def _more(rows: Sequence[_Row]) -> str:
    return f" ({len(rows):,} such)" if len(rows) > 1 else ""

"""Rankings and judgements as files for trec_eval, so that other tools can check the numbers.

`<benchmark>_<setting>.run` has lines `query Q0 candidate rank score babelbatch`, `<benchmark>_<setting>.qrels` lines
`query 0 candidate gain`, 1 without grades. A query is named `<id>/<its language>`, in the crosslingual setting
`<id>/<its language>-<candidate language>`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from babelbatch.evaluation.metrics import SETTINGS
from babelbatch.evaluation.ranking import rows_in_pool, top_candidates
from babelbatch.evaluation.scorer import Matrix
from babelbatch.progress import bar
from babelbatch.records import ABSENT, Benchmark


def write_trec(folder: Path, benchmark: Benchmark, queries: Matrix, candidates: Matrix, depth: int) -> None:
    """Writes the files of all settings: the best `depth` candidates and all judgements of each query.

    queries: (Q, d) float32. candidates: (C, d) float32, both dense or both sparse. Scores are written with all digits,
    so that ties are preserved.

    Raises ValueError as `check_trec`.
    """
    check_trec(benchmark)
    names, rankings = _names(benchmark), list(_rankings(benchmark))
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(len(rows) for _, rows, _, _ in rankings)
    with ExitStack() as stack, bar(f"writing the TREC files of {benchmark.name}", total, unit="queries") as progress:
        runs, qrels = (
            {
                setting: stack.enter_context(open(folder / f"{benchmark.name}_{setting}.{kind}", "w", encoding="utf-8"))
                for setting in (SETTINGS if benchmark.pooled else SETTINGS[:2])
            }
            for kind in ("run", "qrels")
        )
        for setting, rows, pool, suffix in rankings:
            with_suffix = [names[row] + suffix for row in rows]
            _write_qrels(qrels[setting], benchmark, rows, pool, with_suffix, setting)
            ids = [benchmark.candidate_ids[candidate] for candidate in pool.tolist()]
            excluded = None if benchmark.excluded is None else rows_in_pool(benchmark.excluded[rows], pool)
            for block, top, scores in top_candidates(queries[rows], candidates[pool], ids, depth, excluded):
                for row, places, values in zip(block.tolist(), top.tolist(), scores.tolist(), strict=True):
                    runs[setting].writelines(
                        f"{with_suffix[row]} Q0 {ids[place]} {rank} {value!r} babelbatch\n"
                        for rank, (place, value) in enumerate(zip(places, values, strict=True), 1)
                        if value > -math.inf
                    )
                progress.advance(len(block))


def check_trec(benchmark: Benchmark) -> None:
    """Raises ValueError for an id that the format cannot represent, a query that occurs twice in one language, and a
    grade that trec_eval does not read as it is: it takes whole numbers only."""
    names = _names(benchmark)
    _refuse_repeated(
        benchmark,
        [(setting, names[row] + suffix) for setting, rows, _, suffix in _rankings(benchmark) for row in rows],
    )
    grades = [*([] if benchmark.gains is None else np.unique(benchmark.gains).tolist())]
    grades += [] if benchmark.missing is None else benchmark.missing.gains
    broken = next((grade for grade in grades if grade != int(grade)), None)
    if broken is not None:
        raise ValueError(
            f"benchmark {benchmark.name}: TREC files cannot hold the grade {broken:g}, since trec_eval reads whole "
            "numbers; multiply the grades, or set evaluation.trec_files=false"
        )


def _write_qrels(
    file: TextIO,
    benchmark: Benchmark,
    rows: NDArray[np.int64],
    pool: NDArray[np.int64],
    names: list[str],
    setting: str,
) -> None:
    """Relevant candidates that are missing stay judged in the settings in which they count."""
    in_pool = set(pool.tolist())
    missing: dict[int, list[tuple[str, float]]] = {}
    if (those := benchmark.missing) is not None and setting != "crosslingual":
        languages = those.languages or [ABSENT] * len(those.ids)
        for row, id_, gain, language in zip(those.queries, those.ids, those.gains, languages, strict=True):
            if setting == "multilingual" or language in (ABSENT, benchmark.query_languages[row]):
                missing.setdefault(row, []).append((id_, gain))
    for row, name in zip(rows.tolist(), names, strict=True):
        relevant = [
            (benchmark.candidate_ids[candidate], gain)
            for candidate, gain in _relevant(benchmark, row)
            if candidate in in_pool
        ]
        relevant += missing.get(row, [])
        file.writelines(f"{name} 0 {id_} {int(gain)}\n" for id_, gain in relevant)


def _rankings(benchmark: Benchmark) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64], str]]:
    """Each setting, cell by cell: its queries, its candidates, and a suffix of the queries' names."""
    if benchmark.pooled:
        yield "multilingual", np.arange(len(benchmark.query_ids)), np.arange(len(benchmark.candidate_ids)), ""
    query_of_pair = np.repeat(np.arange(len(benchmark.query_ids)), np.diff(benchmark.relevant_offsets))
    for cell in np.unique(benchmark.cells):
        pool = np.flatnonzero(benchmark.cells == cell)
        answered = np.unique(query_of_pair[benchmark.cells[benchmark.relevant] == cell])
        language = benchmark.candidate_languages[pool[0]]
        name, own = benchmark.languages[language], benchmark.query_languages[answered] == language
        if own.any():
            yield "monolingual", answered[own], pool, ""
        if not own.all():
            yield "crosslingual", answered[~own], pool, f"-{name}"


def _relevant(benchmark: Benchmark, query: int) -> list[tuple[int, float]]:
    """The relevant candidates of a query, and their gains."""
    start, stop = benchmark.relevant_offsets[query : query + 2]
    gains = np.ones(stop - start) if benchmark.gains is None else benchmark.gains[start:stop]
    return list(zip(benchmark.relevant[start:stop].tolist(), gains.tolist(), strict=True))


def _names(benchmark: Benchmark) -> list[str]:
    languages = [benchmark.languages[language] for language in benchmark.query_languages]
    names = [f"{id_}/{language}" for id_, language in zip(benchmark.query_ids, languages, strict=True)]
    missing = () if benchmark.missing is None else benchmark.missing.ids
    for name in (*names, *benchmark.candidate_ids, *missing):
        if len(name.split()) != 1 or name != name.strip():
            raise ValueError(
                f"benchmark {benchmark.name}: TREC files cannot hold the id {name!r}, which has a space or is empty; "
                "rename it, or set evaluation.trec_files=false"
            )
    return names


def _refuse_repeated(benchmark: Benchmark, names: list[tuple[str, str]]) -> None:
    if len(set(names)) < len(names):
        _, twice = next(name for name, count in Counter(names).items() if count > 1)
        raise ValueError(
            f"benchmark {benchmark.name}: TREC files cannot hold query {twice} twice; "
            "rename one, or set evaluation.trec_files=false"
        )

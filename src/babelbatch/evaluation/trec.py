"""Rankings and judgements in the files that trec_eval reads, for whoever wants to check the numbers with other tools.

`<benchmark>_<setting>.run` has lines `query Q0 candidate rank score babelbatch`, `<benchmark>_<setting>.qrels` lines
`query 0 candidate gain`, 1 without grades. A query is named `<id>/<its language>`, in the crosslingual setting
`<id>/<its language>-<candidate language>`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from babelbatch.evaluation.metrics import SETTINGS
from babelbatch.evaluation.ranking import best
from babelbatch.evaluation.scorer import Matrix
from babelbatch.records import Benchmark


def write_trec(folder: Path, benchmark: Benchmark, queries: Matrix, candidates: Matrix, depth: int) -> None:
    """Writes the files of all settings: for each query the best `depth` candidates, all its judgements.

    queries: (Q, d) float32. candidates: (C, d) float32, both dense or both sparse. Scores are written with all their
    digits, so that who reads them finds the same ties.

    ValueError: an id that the format cannot hold, or a question that is there twice in one language.
    """
    names, rankings = _names(benchmark), list(_rankings(benchmark))
    _refuse_repeated(
        benchmark, [(setting, names[row] + suffix) for setting, rows, _, suffix in rankings for row in rows]
    )
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        runs, qrels = (
            {
                setting: stack.enter_context(open(folder / f"{benchmark.name}_{setting}.{kind}", "w", encoding="utf-8"))
                for setting in (SETTINGS if benchmark.pooled else SETTINGS[:2])
            }
            for kind in ("run", "qrels")
        )
        for setting, rows, pool, suffix in rankings:
            named = [names[row] + suffix for row in rows]
            ids = [benchmark.candidate_ids[candidate] for candidate in pool]
            in_pool = set(pool.tolist())
            for row, name in zip(rows.tolist(), named, strict=True):
                relevant = [(found, gain) for found, gain in _relevant(benchmark, row) if found in in_pool]
                qrels[setting].writelines(
                    f"{name} 0 {benchmark.candidate_ids[found]} {gain:g}\n" for found, gain in relevant
                )
            for some, places, scores in best(queries[rows], candidates[pool], ids, depth):
                for row, found, values in zip(some.tolist(), places.tolist(), scores.tolist(), strict=True):
                    runs[setting].writelines(
                        f"{named[row]} Q0 {ids[candidate]} {rank} {value!r} babelbatch\n"
                        for rank, (candidate, value) in enumerate(zip(found, values, strict=True), 1)
                    )


def _rankings(benchmark: Benchmark) -> Iterator[tuple[str, np.ndarray, np.ndarray, str]]:
    """Each setting, cell by cell: which queries, over which candidates, and what is added to the queries' names."""
    everything = np.arange(len(benchmark.candidate_ids))
    if benchmark.pooled:
        yield "multilingual", np.arange(len(benchmark.query_ids)), everything, ""
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
    """Candidates, and what they gain."""
    start, stop = benchmark.relevant_offsets[query : query + 2]
    gains = np.ones(stop - start) if benchmark.gains is None else benchmark.gains[start:stop]
    return list(zip(benchmark.relevant[start:stop].tolist(), gains.tolist(), strict=True))


def _names(benchmark: Benchmark) -> list[str]:
    languages = [benchmark.languages[language] for language in benchmark.query_languages]
    names = [f"{id_}/{language}" for id_, language in zip(benchmark.query_ids, languages, strict=True)]
    for name in (*names, *benchmark.candidate_ids):
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
            f"benchmark {benchmark.name}: TREC files cannot hold question {twice} twice; "
            "rename one, or set evaluation.trec_files=false"
        )

"""From ranks to the scores of all three settings (LAReQA and arXiv 2408.10536, section 3.2).

monolingual: the questions of language l over the candidates of l. crosslingual: over those of another language m, for
every ordered pair. multilingual: over the pool of all languages, if the benchmark has one (`Benchmark.pooled`). A cell
scores only questions with a relevant candidate in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from babelbatch.evaluation import bias
from babelbatch.evaluation.custom import Metric, directions, per_query_custom_metrics
from babelbatch.evaluation.metrics import NAMES, POOL_NAMES, SEARCH_NAMES, per_query_metrics, rank_distance
from babelbatch.evaluation.ranking import Ranks, Top
from babelbatch.records import ABSENT, Benchmark


@dataclass(frozen=True, slots=True)
class Result:
    """The scores of one encoder on one benchmark.

    metrics: flat, `<benchmark>/<setting>/<metric>` (macro), `.../<question language>`, and for the cells of the
        crosslingual setting `.../<question language>-<candidate language>`. So are those of
        `<benchmark>/multilingual/top10_share`, which has no macro: it is a share of each language.
    matrices: metric -> (L, L), question language by candidate language; NaN where no question can be scored. Beside the
        metrics of the cells, `top10_share`: the share of each language in the first ten of the pool.
    languages: the names of the rows and columns.
    per_query: one row for each question and cell or pool that scores it; null where a metric is not defined.
    metric: the one to read first; nDCG@10 where a search cannot tell the benchmark's own.
    facts: how the scores came about, where that is not the usual way; joins metrics.json.
    """

    benchmark: str
    languages: tuple[str, ...]
    metrics: dict[str, float]
    matrices: dict[str, np.ndarray]
    per_query: pa.Table
    metric: str
    facts: dict[str, object] = field(default_factory=dict)


def score(
    benchmark: Benchmark, ranks: Ranks, top: Top | None = None, custom: Mapping[str, Metric] | None = None
) -> Result:
    """All metrics of the three settings, from the ranks of the relevant candidates and the top of the pool (which needs
    `bias.TOP` places, or all candidates if there are fewer). A benchmark without a pool has no top.

    custom: further metrics by name, see `custom.Metric`.
    """
    offsets = benchmark.relevant_offsets
    query_language = np.repeat(benchmark.query_languages, np.diff(offsets))
    candidate_language = benchmark.candidate_languages[benchmark.relevant]
    custom = custom or {}
    matrices, tables = _cells(benchmark, ranks.within_language, NAMES, custom)
    if not benchmark.pooled:
        return _result(benchmark, matrices, tables, custom)

    assert top is not None, "a benchmark with a pool has a top"
    pool = per_query_metrics(ranks.in_pool, offsets, benchmark.gains)
    pool["rank_distance"] = rank_distance(ranks.in_pool, offsets)
    pool["rank_distance_normalised"] = pool["rank_distance"] / max(1, len(benchmark.candidate_ids) - 1)
    pool["language_preference"] = bias.language_preference(ranks.in_pool, offsets, query_language == candidate_language)
    pool["peer@100"] = bias.peer(ranks.in_pool, offsets, candidate_language)
    pool["mrc@10"] = bias.rank_correlation(top.candidates, top.scores, top.pairs, top.across)
    shares = bias.top_shares(benchmark.candidate_languages[top.candidates], len(benchmark.languages))
    pool |= per_query_custom_metrics(custom, ranks.in_pool, offsets, benchmark.gains)
    return _result(benchmark, matrices, tables, custom, pool, shares)


def score_searched(
    benchmark: Benchmark,
    ranks: Ranks,
    top: np.ndarray,
    facts: dict[str, object],
    custom: Mapping[str, Metric] | None = None,
) -> Result:
    """What the first hundred places define, in the three settings: every metric but mAP, rank distance, language
    preference and MRC, for which the places of all relevant candidates or more scores are needed.

    ranks: MISSED beyond the first hundred. top: (Q, k) candidates in the first `bias.TOP` places of the pool, or
        ABSENT: an empty place counts for no language. facts: for the result.
    """
    offsets = benchmark.relevant_offsets
    custom = custom or {}
    matrices, tables = _cells(benchmark, ranks.within_language, SEARCH_NAMES, custom)
    if not benchmark.pooled:
        return _result(benchmark, matrices, tables, custom, facts=facts)

    values = per_query_metrics(ranks.in_pool, offsets, benchmark.gains)
    pool = {metric: values[metric] for metric in SEARCH_NAMES}
    pool["peer@100"] = bias.peer(ranks.in_pool, offsets, benchmark.candidate_languages[benchmark.relevant])
    languages = np.where(top == ABSENT, ABSENT, benchmark.candidate_languages[top]).astype(np.int64)
    shares = bias.top_shares(languages + 1, len(benchmark.languages) + 1)[:, 1:]
    pool |= per_query_custom_metrics(custom, ranks.in_pool, offsets, benchmark.gains)
    return _result(benchmark, matrices, tables, custom, pool, shares, facts)


def _cells(
    benchmark: Benchmark, within_language: np.ndarray, metrics: Sequence[str], custom: Mapping[str, Metric]
) -> tuple[dict[str, np.ndarray], list[pa.Table]]:
    """The (L, L) matrix of each metric, and the rows of `per_query` of each cell."""
    query_of_pair = np.repeat(np.arange(len(benchmark.query_ids)), np.diff(benchmark.relevant_offsets))
    query_language = benchmark.query_languages[query_of_pair]
    candidate_language = benchmark.candidate_languages[benchmark.relevant]
    names = benchmark.languages
    size = len(names)
    matrices = {metric: np.full((size, size), np.nan) for metric in (*metrics, *custom)}
    tables: list[pa.Table] = []
    ids, clusters = pa.array(benchmark.query_ids), pa.array(benchmark.cluster_numbers)
    for row in range(size):
        for column in range(size):
            pairs = np.flatnonzero((query_language == row) & (candidate_language == column))
            if len(pairs) == 0:
                continue
            queries, starts = np.unique(query_of_pair[pairs], return_index=True)
            gains = None if benchmark.gains is None else benchmark.gains[pairs]
            offsets = np.append(starts, len(pairs))
            values = per_query_metrics(within_language[pairs], offsets, gains)
            values = {metric: values[metric] for metric in metrics}
            values |= per_query_custom_metrics(custom, within_language[pairs], offsets, gains)
            for metric, per_query in values.items():
                if (defined := ~np.isnan(per_query)).any():
                    matrices[metric][row, column] = per_query[defined].mean()
            setting = "monolingual" if row == column else "crosslingual"
            tables.append(_rows(benchmark, ids, clusters, setting, queries, names[column], values))
    return matrices, tables


def _result(
    benchmark: Benchmark,
    matrices: dict[str, np.ndarray],
    tables: list[pa.Table],
    custom: Mapping[str, Metric],
    pool: dict[str, np.ndarray] | None = None,
    shares: np.ndarray | None = None,
    facts: dict[str, object] | None = None,
) -> Result:
    """Cells and pool together. shares: (Q, L) of each language among the top. Both None where there is no pool."""
    metrics = _cell_metrics(benchmark, matrices, custom)
    if pool is not None and shares is not None:
        size = len(benchmark.languages)
        ids, clusters = pa.array(benchmark.query_ids), pa.array(benchmark.cluster_numbers)
        share_of_pool = np.bincount(benchmark.candidate_languages, minlength=size) / len(benchmark.candidate_ids)
        own = shares[np.arange(len(shares)), benchmark.query_languages]
        # A language that nothing in the pool is in can be neither preferred nor avoided.
        pool["same_language@10"] = np.where(share_of_pool[benchmark.query_languages] > 0, own, np.nan)
        matrices["top10_share"] = _means(shares, benchmark.query_languages, size)
        rows = np.arange(len(benchmark.query_ids))
        tables.append(_rows(benchmark, ids, clusters, "multilingual", rows, None, pool))
        metrics |= _pool_metrics(benchmark, pool)
        metrics |= _top_metrics(benchmark, matrices["top10_share"], share_of_pool)
    return Result(
        benchmark=benchmark.name,
        languages=benchmark.languages,
        metrics=metrics,
        matrices=matrices,
        per_query=pa.concat_tables(tables).combine_chunks(),
        metric=benchmark.metric if benchmark.metric in matrices else "ndcg@10",
        facts=(facts or {}) | directions(custom),
    )


def _cell_metrics(
    benchmark: Benchmark, matrices: dict[str, np.ndarray], custom: Mapping[str, Metric]
) -> dict[str, float]:
    """The monolingual and crosslingual keys: the diagonal, the rest, their means by question language and overall."""
    found: dict[str, float] = {}
    names = benchmark.languages
    for metric in filter(matrices.__contains__, (*NAMES, *custom)):
        matrix = matrices[metric]
        for setting in ("monolingual", "crosslingual"):
            diagonal = np.eye(len(names), dtype=bool)
            scored = ~np.isnan(matrix) & (diagonal if setting == "monolingual" else ~diagonal)
            if not scored.any():
                continue
            key = f"{benchmark.name}/{setting}/{metric}"
            found[key] = float(matrix[scored].mean())
            for row, name in enumerate(names):
                if scored[row].any():
                    found[f"{key}/{name}"] = float(matrix[row, scored[row]].mean())
                if setting == "crosslingual":
                    for column in np.flatnonzero(scored[row]):
                        found[f"{key}/{name}-{names[column]}"] = float(matrix[row, column])
    return found


def _pool_metrics(benchmark: Benchmark, pool: dict[str, np.ndarray]) -> dict[str, float]:
    """The multilingual keys: the mean over each question language, and the mean of those. Questions for which a metric
    is undefined do not count."""
    found: dict[str, float] = {}
    for metric, values in pool.items():
        defined = ~np.isnan(values)
        by_language = {
            name: float(values[chosen].mean())
            for row, name in enumerate(benchmark.languages)
            if (chosen := defined & (benchmark.query_languages == row)).any()
        }
        found |= _with_macro(f"{benchmark.name}/multilingual/{metric}", by_language)
    return found


def _top_metrics(benchmark: Benchmark, shares: np.ndarray, share_of_pool: np.ndarray) -> dict[str, float]:
    """The languages of the first ten: how much each question language has of each, and of its own over the share that
    a draw from the pool would have."""
    names = benchmark.languages
    lifts = {
        name: float(shares[row, row] / share_of_pool[row])
        for row, name in enumerate(names)
        if share_of_pool[row] > 0 and not np.isnan(shares[row, row])
    }
    return _with_macro(f"{benchmark.name}/multilingual/same_language_lift@10", lifts) | {
        f"{benchmark.name}/multilingual/top10_share/{name}-{other}": float(shares[row, column])
        for row, name in enumerate(names)
        for column, other in enumerate(names)
        if not np.isnan(shares[row, column])
    }


def _with_macro(key: str, by_language: dict[str, float]) -> dict[str, float]:
    if not by_language:
        return {}
    macro = float(np.mean(list(by_language.values())))
    return {key: macro} | {f"{key}/{name}": value for name, value in by_language.items()}


def _means(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """(groups, n) mean row of each group; NaN where there is none."""
    found = np.full((groups, values.shape[1]), np.nan)
    for row in np.unique(group):
        found[row] = values[group == row].mean(axis=0)
    return found


def _rows(
    benchmark: Benchmark,
    ids: pa.Array,
    clusters: pa.Array,
    setting: str,
    queries: np.ndarray,
    candidate_language: str | None,
    values: dict[str, np.ndarray],
) -> pa.Table:
    """Rows of `per_query`; the pool has no candidate language, the cells nothing about language bias."""
    count = len(queries)
    languages = pa.array(benchmark.languages)
    columns: dict[str, pa.Array] = {
        "benchmark": pa.repeat(benchmark.name, count),
        "setting": pa.repeat(setting, count),
        "query_id": ids.take(pa.array(queries)),
        "cluster": clusters.take(pa.array(queries)),
        "query_language": languages.take(pa.array(benchmark.query_languages[queries])),
        "candidate_language": pa.repeat(pa.scalar(candidate_language, pa.string()), count),
    }
    for metric in dict.fromkeys((*NAMES, *POOL_NAMES, *bias.NAMES, *values)):  # custom ones come last
        defined = metric in values
        columns[metric] = pa.array(values[metric], from_pandas=True) if defined else pa.nulls(count, pa.float64())
    return pa.table(columns)

"""From ranks to the metrics of all three settings (LAReQA and arXiv 2408.10536, section 3.2).

monolingual: queries of language l over candidates of l. crosslingual: over candidates of another language m, for every
ordered pair. multilingual: over the pool of all languages, if the benchmark has one (`Benchmark.pooled`). A cell scores
only queries with a relevant candidate in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from babelbatch.evaluation import bias
from babelbatch.evaluation.custom import SEARCHED_PLACES, Metric, directions, per_query_custom_metrics
from babelbatch.evaluation.metric_keys import cell_metrics, pool_metrics, top_share_metrics
from babelbatch.evaluation.metrics import MISSED, NAMES, SEARCH_NAMES, per_query_metrics, rank_distance
from babelbatch.evaluation.missing import Pairs, with_missing
from babelbatch.evaluation.per_query import PerQueryRows
from babelbatch.evaluation.ranks import Ranks, Top
from babelbatch.progress import bar
from babelbatch.records import ABSENT, Benchmark


@dataclass(frozen=True, slots=True)
class Result:
    """The scores of one encoder on one benchmark.

    metrics: flat, `<benchmark>/<setting>/<metric>` (macro), `.../<query language>`, and for the cells of the
        crosslingual setting `.../<query language>-<candidate language>`. `<benchmark>/multilingual/top10_share` has
        cells only, since it is a share of each language.
    matrices: metric -> (L, L), query language by candidate language; NaN where no query can be scored. Besides the
        metrics of the cells, `top10_share`: the share of each language in the first ten of the pool.
    languages: names of the rows and columns.
    per_query: one row for each query and cell or pool that scores it; null where a metric is not defined.
    metric: the main metric; nDCG@10 if a search cannot compute the benchmark's own.
    facts: how the scores were computed, if not in the usual way; added to metrics.json.
    """

    benchmark: str
    languages: tuple[str, ...]
    metrics: dict[str, float]
    matrices: dict[str, NDArray[np.float64]]
    per_query: pa.Table
    metric: str
    facts: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Pool:
    """Scores over the pool of all languages: (Q,) of each metric, and the (Q, L) share of each language in the top;
    None where the languages of the top are unknown."""

    values: dict[str, NDArray[np.float64]]
    top_shares: NDArray[np.float64] | None


def score(
    benchmark: Benchmark, ranks: Ranks, top: Top | None = None, custom: Mapping[str, Metric] | None = None
) -> Result:
    """All metrics of the three settings.

    ranks: of the relevant candidates. top: the first `bias.TOP` places of the pool, or all candidates if there are
    fewer; None for a benchmark without a pool. custom: further metrics by name, see `custom.Metric`.
    """
    custom = custom or {}
    matrices, tables = _cells(benchmark, ranks.within_language, NAMES, custom)
    if not benchmark.pooled:
        return _result(benchmark, matrices, tables, custom)

    assert top is not None, "a benchmark with a pool needs the top places"
    offsets = benchmark.relevant_offsets
    query_language = np.repeat(benchmark.query_languages, np.diff(offsets))
    candidate_language = benchmark.candidate_languages[benchmark.relevant]
    distance = rank_distance(ranks.in_pool, offsets)
    pairs = _pool_pairs(benchmark, ranks)
    values = per_query_metrics(*pairs) | {
        "rank_distance": distance,
        "rank_distance_normalised": distance / max(1, len(benchmark.candidate_ids) - 1),
        "language_preference": bias.language_preference(ranks.in_pool, offsets, query_language == candidate_language),
        "peer@100": bias.peer(ranks.in_pool, offsets, candidate_language),
        "mrc@10": bias.rank_correlation(top.candidates, top.scores, top.pairs, top.across),
    }
    shares = bias.top_shares(benchmark.candidate_languages[top.candidates], len(benchmark.languages))
    values |= per_query_custom_metrics(custom, *pairs)
    return _result(benchmark, matrices, tables, custom, _Pool(values, shares))


def score_searched(
    benchmark: Benchmark,
    ranks: Ranks,
    top: NDArray[np.int64],
    facts: dict[str, object],
    custom: Mapping[str, Metric] | None = None,
) -> Result:
    """The metrics that the first hundred places define, in the three settings.

    Not mAP, rank distance, language preference and MRC, which need the ranks of all relevant candidates or more scores.

    ranks: MISSED beyond the first hundred. top: (Q, k) candidates in the first `bias.TOP` places of the pool; ABSENT,
        an empty place, does not count. facts: for the result.
    """
    custom = custom or {}
    matrices, tables = _cells(benchmark, ranks.within_language, SEARCH_NAMES, custom)
    if not benchmark.pooled:
        return _result(benchmark, matrices, tables, custom, facts=facts)

    offsets = benchmark.relevant_offsets
    pairs = _pool_pairs(benchmark, ranks)
    all_values = per_query_metrics(*pairs)
    values = {metric: all_values[metric] for metric in SEARCH_NAMES}
    values["peer@100"] = bias.peer(ranks.in_pool, offsets, benchmark.candidate_languages[benchmark.relevant])
    shares = _searched_shares(benchmark, top)
    values |= per_query_custom_metrics(custom, *pairs)
    return _result(benchmark, matrices, tables, custom, _Pool(values, shares), facts)


def score_lists(benchmark: Benchmark, ranks: Ranks, top: NDArray[np.int64] | None, depth: NDArray[np.int64]) -> Result:
    """The metrics that ranked lists define, in the three settings.

    Not MRC, which needs scores, nor what needs the size of the pool. Rank distance needs all relevant candidates in the
    lists, language preference one for each query, PEER either all or lists of 100, the shares of languages in the first
    ten lists of 10; without them they are left out.

    ranks: MISSED where the list lacks the candidate, which then gains nothing, as in trec_eval. top: (Q, k) candidates
        in the first places of the pool, ABSENT where a list is shorter; None if the languages of candidates are
        unknown, and then there are no bias metrics. depth: (Q,) length of each list of the pool.
    """
    matrices, tables = _cells(benchmark, ranks.within_language, NAMES, {})
    if not benchmark.pooled:
        return _result(benchmark, matrices, tables, {})

    offsets, in_pool = benchmark.relevant_offsets, ranks.in_pool
    some, every = (reduce.reduceat(in_pool < MISSED, offsets[:-1]) for reduce in (np.logical_or, np.logical_and))
    values = per_query_metrics(in_pool, offsets, benchmark.gains)
    if every.all():
        values["rank_distance"] = rank_distance(in_pool, offsets)
    if top is None:
        return _result(benchmark, matrices, tables, {}, _Pool(values, None))

    candidate_language = benchmark.candidate_languages[benchmark.relevant]
    if some.all():
        same_language = np.repeat(benchmark.query_languages, np.diff(offsets)) == candidate_language
        values["language_preference"] = bias.language_preference(in_pool, offsets, same_language)
    if (every | (depth >= SEARCHED_PLACES)).all():
        values["peer@100"] = bias.peer(in_pool, offsets, candidate_language)
    # Lists that end earlier may have been cut, and a share of five places is not one of ten.
    shares = _searched_shares(benchmark, top) if (depth >= bias.TOP).all() else None
    result = _result(benchmark, matrices, tables, {}, _Pool(values, shares))
    lift = f"{benchmark.name}/multilingual/same_language_lift@10"  # over a language's share of the pool
    return replace(result, metrics={key: value for key, value in result.metrics.items() if not key.startswith(lift)})


def _pool_pairs(benchmark: Benchmark, ranks: Ranks) -> Pairs:
    """Ranks in the pool, offsets and gains of all relevant candidates, also of those that are missing."""
    rows = np.arange(len(benchmark.query_ids))
    return with_missing(benchmark, rows, ranks.in_pool, benchmark.relevant_offsets, benchmark.gains)


def _searched_shares(benchmark: Benchmark, top: NDArray[np.int64]) -> NDArray[np.float64]:
    """(Q, L) share of each language in the first places that are not ABSENT; NaN for a query without any."""
    languages = np.where(top == ABSENT, ABSENT, benchmark.candidate_languages[top]).astype(np.int64)
    shares = bias.top_shares(languages + 1, len(benchmark.languages) + 1)
    with np.errstate(invalid="ignore"):
        return np.asarray(shares[:, 1:] / (1 - shares[:, :1]))


def _cells(
    benchmark: Benchmark, within_language: NDArray[np.int64], metrics: Sequence[str], custom: Mapping[str, Metric]
) -> tuple[dict[str, NDArray[np.float64]], list[pa.Table]]:
    """The (L, L) matrix of each metric, and the rows of `per_query` of each cell."""
    query_of_pair = np.repeat(np.arange(len(benchmark.query_ids)), np.diff(benchmark.relevant_offsets))
    query_language = benchmark.query_languages[query_of_pair]
    candidate_language = benchmark.candidate_languages[benchmark.relevant]
    size = len(benchmark.languages)
    matrices = {metric: np.full((size, size), np.nan) for metric in (*metrics, *custom)}
    tables: list[pa.Table] = []
    per_query = PerQueryRows(benchmark)
    with bar(f"scoring {benchmark.name}", size * size, unit="cells") as progress:
        for row, column in np.ndindex(size, size):
            progress.advance(1)
            pairs = np.flatnonzero((query_language == row) & (candidate_language == column))
            if len(pairs) == 0:
                continue
            queries, starts = np.unique(query_of_pair[pairs], return_index=True)
            gains = None if benchmark.gains is None else benchmark.gains[pairs]
            found: Pairs = within_language[pairs], np.append(starts, len(pairs)), gains
            if row == column:
                found = with_missing(benchmark, queries, *found, language=row)
            offsets = found[1]
            all_values = per_query_metrics(*found)
            values = {metric: all_values[metric] for metric in metrics}
            values |= per_query_custom_metrics(custom, *found)
            for metric, of_queries in values.items():
                if (defined := ~np.isnan(of_queries)).any():
                    matrices[metric][row, column] = of_queries[defined].mean()
            setting = "monolingual" if row == column else "crosslingual"
            tables.append(per_query.rows(setting, queries, benchmark.languages[column], np.diff(offsets), values))
    return matrices, tables


def _result(
    benchmark: Benchmark,
    matrices: dict[str, NDArray[np.float64]],
    tables: list[pa.Table],
    custom: Mapping[str, Metric],
    pool: _Pool | None = None,
    facts: dict[str, object] | None = None,
) -> Result:
    """The result of the cells and, if there is one, the pool."""
    metrics = cell_metrics(benchmark, matrices, (*NAMES, *custom))
    if pool is not None:
        values, top_metrics = pool.values, {}
        if pool.top_shares is not None:
            size = len(benchmark.languages)
            share_of_pool = np.bincount(benchmark.candidate_languages, minlength=size) / len(benchmark.candidate_ids)
            own = pool.top_shares[np.arange(len(pool.top_shares)), benchmark.query_languages]
            # A language without candidates can be neither preferred nor avoided.
            same_language = np.where(share_of_pool[benchmark.query_languages] > 0, own, np.nan)
            values = values | {"same_language@10": same_language}
            shares = _group_means(pool.top_shares, benchmark.query_languages, size)
            matrices = matrices | {"top10_share": shares}
            top_metrics = top_share_metrics(benchmark, shares, share_of_pool)
        rows, judged = np.arange(len(benchmark.query_ids)), np.diff(benchmark.relevant_offsets)
        if benchmark.missing is not None:
            judged = judged + np.bincount(benchmark.missing.queries, minlength=len(rows))
        tables = [*tables, PerQueryRows(benchmark).rows("multilingual", rows, None, judged, values)]
        metrics |= pool_metrics(benchmark, values) | top_metrics
    return Result(
        benchmark=benchmark.name,
        languages=benchmark.languages,
        metrics=metrics,
        matrices=matrices,
        per_query=pa.concat_tables(tables).combine_chunks(),
        metric=benchmark.metric if benchmark.metric in matrices else "ndcg@10",
        facts=(facts or {}) | directions(custom),
    )


def _group_means(values: NDArray[np.float64], group: NDArray[np.int16], groups: int) -> NDArray[np.float64]:
    """(groups, n) mean row of each group; NaN where there is none. Rows of NaN do not count."""
    means = np.full((groups, values.shape[1]), np.nan)
    defined = ~np.isnan(values).any(axis=1)
    for row in np.unique(group[defined]):
        means[row] = values[defined & (group == row)].mean(axis=0)
    return means

"""The section on language bias: how often does a query rank its own language first, and how often by chance?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from babelbatch.report.comparisons import PREFERENCE, Study, reference_of
from babelbatch.report.heatmaps import mean_metric
from babelbatch.report.numbers import MISSING, fixed
from babelbatch.report.runs import Run
from babelbatch.report.tables import Data

_MOST_GROUPS = 6
_OTHER_MEASURES = {  # name and decimals of each
    "same_language@10": ("share of the query's language in the top 10", 3),
    "same_language_lift@10": ("the same, divided by its share of the pool (1 is fair)", 2),
    "mrc@10": ("agreement of the rankings for one query's translations (MRC@10)", 3),
    "peer@100": ("PEER@100 (with one answer in each language it only counts queries without any in the top 100)", 3),
    "rank_distance_normalised": ("rank distance divided by pool size", 4),
}


@dataclass(frozen=True, slots=True)
class Preference:
    """Language preference rates, a column a group.

    rows: (query language, unbiased rate, rates). macro: (rate, interval) over all languages. unbiased: the mean of the
    unbiased rates. parallel: whether these are all equal. others: (name of another measure, its values as text).
    left_out: how many more groups have rates.
    """

    groups: tuple[str, ...]
    rows: tuple[tuple[str, float, tuple[float, ...]], ...]
    macro: tuple[tuple[str, str], ...]
    unbiased: float
    parallel: bool
    others: tuple[tuple[str, tuple[str, ...]], ...]
    data: Data
    left_out: int


def language_preference(study: Study) -> Preference | None:
    """The preference rates of the first `_MOST_GROUPS` groups that have them, X-X among them; None if no group has."""
    having = [group for group in study.groups if (group.label, PREFERENCE) in study.estimates]
    if not having:
        return None
    groups = having[:_MOST_GROUPS]
    reference = reference_of(having)
    if reference is not None and reference not in groups:
        groups[-1] = reference
    key = f"{study.benchmark}/{PREFERENCE.setting}/{PREFERENCE.metric}"
    unbiased = unbiased_rates(groups[0].runs[0], study.benchmark)
    rows = tuple(
        (code, unbiased.get(code, np.nan), tuple(mean_metric(group.runs, f"{key}/{code}") for group in groups))
        for code in study.languages
    )
    estimates = [study.estimates[group.label, PREFERENCE] for group in groups]
    macro = tuple((PREFERENCE.shown(each.value), PREFERENCE.interval(each.low, each.high)) for each in estimates)
    labels = tuple(group.label for group in groups)
    others = []
    for metric, (name, digits) in _OTHER_MEASURES.items():
        values = [mean_metric(group.runs, f"{study.benchmark}/multilingual/{metric}") for group in groups]
        if not np.isnan(values).all():
            others.append((name, tuple(MISSING if np.isnan(value) else fixed(value, digits) for value in values)))
    columns = ("query language", *labels, "unbiased")
    data = Data(f"{study.benchmark}_language_preference", columns, [(code, *rates, fair) for code, fair, rates in rows])
    fair_rates = list(unbiased.values())
    parallel = float(np.ptp(fair_rates)) < 1e-9
    left_out = len(having) - len(groups)
    return Preference(labels, rows, macro, float(np.mean(fair_rates)), parallel, tuple(others), data, left_out)


def unbiased_rates(run: Run, benchmark: str) -> dict[str, float]:
    """The rate of a retriever without preference, by query language: the mean of 1 / n over the queries that have a
    rate, where n languages hold an answer. This assumes one version of the answer in each of them."""
    table = run.per_query.filter(pc.equal(run.per_query["benchmark"], benchmark))
    query = ["query_id", "query_language"]
    for name in (*query, "setting", "candidate_language"):  # joins do not take dictionary columns
        table = table.set_column(table.column_names.index(name), name, table[name].cast("string"))
    in_pool = pc.equal(table["setting"], "multilingual")
    answers = table.filter(pc.invert(in_pool)).group_by(query).aggregate([("candidate_language", "count_distinct")])
    rated = table.filter(pc.and_(in_pool, pc.is_valid(table[PREFERENCE.metric]))).select(query)
    joined = rated.join(answers, query, join_type="inner")
    languages = np.array(joined["query_language"].to_pylist())
    rates = 1 / joined["candidate_language_count_distinct"].to_numpy()
    return {str(code): float(rates[languages == code].mean()) for code in np.unique(languages)}

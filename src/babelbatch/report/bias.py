"""The section on language bias: does a question find its own language first more often than chance would have it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from babelbatch.report.comparisons import PREFERENCE, Study
from babelbatch.report.plots import by_language, mean_of
from babelbatch.report.runs import Run
from babelbatch.report.tables import Data

_MOST = 6
_OTHERS = {
    "same_language@10": "share of the question's language in the first ten",
    "same_language_lift@10": "the same over its share of the pool (1 is fair)",
    "mrc@10": "agreement of the rankings of one question's versions (MRC@10)",
    "peer@100": "PEER@100 (more is fairer)",
    "rank_distance_normalised": "rank distance over pool size",
}


@dataclass(frozen=True, slots=True)
class Preference:
    """rows: (question language, rate without preference, rate a group). macro: a group's over all languages, with
    interval. unbiased: the rate without preference over all languages. parallel: whether it is the same in all.
    others: (name of another measure, its value a group)."""

    groups: tuple[str, ...]
    rows: tuple[tuple[str, float, tuple[float, ...]], ...]
    macro: tuple[tuple[str, str], ...]
    unbiased: float
    parallel: bool
    others: tuple[tuple[str, tuple[float, ...]], ...]
    data: Data


def preference(study: Study) -> Preference | None:
    """Language preference rate by question language, a column a group; None if no run has it."""
    groups = [group for group in study.groups if (group.label, PREFERENCE) in study.estimates][:_MOST]
    if not groups:
        return None
    columns = [by_language(study, group, PREFERENCE) for group in groups]
    fair = without_preference(groups[0].runs[0], study.benchmark)
    rows = tuple(
        (name, fair.get(name, float("nan")), tuple(column[row] for column in columns))
        for row, name in enumerate(study.languages)
    )
    estimates = [study.estimates[group.label, PREFERENCE] for group in groups]
    macro = tuple((PREFERENCE.shown(each.value), PREFERENCE.interval(each.low, each.high)) for each in estimates)
    labels = tuple(group.label for group in groups)
    others = []
    for metric, name in _OTHERS.items():
        values = tuple(mean_of(group.runs, f"{study.benchmark}/multilingual/{metric}") for group in groups)
        if not any(value != value for value in values):
            others.append((name, values))
    head = ("question language", *labels, "without preference")
    data = Data(f"{study.benchmark}_language_preference", head, [(name, *rates, mark) for name, mark, rates in rows])
    rates = np.array(list(fair.values()))
    return Preference(labels, rows, macro, float(rates.mean()), np.ptp(rates) < 1e-9, tuple(others), data)


def without_preference(run: Run, benchmark: str) -> dict[str, float]:
    """By question language, the rate of a retriever that has no preference: the mean of 1 / n over the questions that
    have a rate, n being the languages that answer a question, of which one comes first as often as another. (So it is
    where each of them has one version of the answer.)"""
    table = run.per_query.filter(pc.equal(run.per_query["benchmark"], benchmark))
    question = ["query_id", "query_language"]
    text = {name: table[name].cast("string") for name in (*question, "setting", "candidate_language")}
    for name, column in text.items():  # joins do not take dictionaries
        table = table.set_column(table.column_names.index(name), name, column)
    in_pool = pc.equal(table["setting"], "multilingual")
    answered = table.filter(pc.invert(in_pool)).group_by(question).aggregate([("candidate_language", "count_distinct")])
    asked = table.filter(pc.and_(in_pool, pc.is_valid(table[PREFERENCE.metric]))).select(question)
    found = asked.join(answered, question, join_type="inner")
    languages = np.array(found["query_language"].to_pylist())
    rates = 1 / found["candidate_language_count_distinct"].to_numpy()
    return {str(name): float(rates[languages == name].mean()) for name in np.unique(languages)}

"""The section on language bias: does a question find its own language first more often than chance would have it?"""

from __future__ import annotations

from dataclasses import dataclass

from babelbatch.report.comparisons import PREFERENCE, Study
from babelbatch.report.plots import by_language, mean_of
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
    """rows: (group, language -> rate). unbiased: the rate of a retriever that has no preference.
    macro: over all languages, with interval. others: (name of another measure, its value a group)."""

    groups: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]
    macro: tuple[str, ...]
    unbiased: float
    others: tuple[tuple[str, tuple[float, ...]], ...]
    data: Data


def preference(study: Study) -> Preference | None:
    """Language preference rate by question language, a column a group; None if no run has it.

    Unbiased is one over the number of languages, where every passage has a version in each.
    """
    groups = [group for group in study.groups if (group.label, PREFERENCE) in study.estimates][:_MOST]
    if not groups:
        return None
    columns = [by_language(study, group, PREFERENCE) for group in groups]
    rows = tuple((name, tuple(column[row] for column in columns)) for row, name in enumerate(study.languages))
    estimates = [study.estimates[group.label, PREFERENCE] for group in groups]
    macro = tuple(f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]" for each in estimates)
    labels = tuple(group.label for group in groups)
    others = []
    for metric, name in _OTHERS.items():
        values = tuple(mean_of(group.runs, f"{study.benchmark}/multilingual/{metric}") for group in groups)
        if not any(value != value for value in values):
            others.append((name, values))
    data = Data(f"{study.benchmark}_language_preference", ("question language", *labels), [(n, *v) for n, v in rows])
    return Preference(labels, rows, macro, 1 / len(study.languages), tuple(others), data)

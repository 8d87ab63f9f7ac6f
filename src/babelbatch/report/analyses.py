"""The open questions, each a section where its data is present: which languages gain, and does it carry over?

All of them look at the mixed pool or at single language pairs, and compare every group with X-X.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from babelbatch.report.comparisons import Study, comparable, reference_of
from babelbatch.report.grouping import Group
from babelbatch.report.languages import DISTANCES, distance, distance_matrix, language
from babelbatch.report.numbers import fixed, interval, p_text
from babelbatch.report.tables import Data, Grid
from babelbatch.statistics import Correlation, Scores, clustered_spearman, compare, estimate, holm


@dataclass(frozen=True, slots=True)
class Section:
    """anchor: its id on the page. sentences: what the numbers say. note: how they were made. grid: for reading. data:
    all numbers."""

    anchor: str
    title: str
    sentences: tuple[str, ...]
    note: str
    grid: Grid
    data: Data


def sections(studies: Sequence[Study]) -> list[Section]:
    """Those that the runs have the data for, benchmark by benchmark."""
    found: list[Section | None] = []
    for study in studies:
        found.append(typology(study))
        found += [by_kind(study, *kind) for kind in _kinds(study)]
    found.append(domain_shift(studies))
    return [section for section in found if section is not None]


def typology(study: Study) -> Section | None:
    """Rank correlation of each language pair's gain over X-X with the distance of the two languages."""
    reference = reference_of(study.groups)
    measure = study.main("crosslingual")
    if reference is None or measure is None or len(study.groups) < 2:
        return None
    codes = [code for code in study.languages if distance(DISTANCES[0], code, code) is not None]
    rows, told = [], []
    for group in study.groups:
        sides = None if group is reference else comparable(group, reference)
        if sides is None:
            continue
        runs = [study.of(each, measure, seeds) for each, seeds in zip((group, reference), sides, strict=True)]
        for kind in DISTANCES:
            try:
                found = clustered_spearman(*runs, codes, distance_matrix(kind, codes), study.level)
            except ValueError as refusal:  # too few languages, cells missing, nothing varies
                told.append(f"{group.label} against {reference.label}, {kind} distance: {refusal}.")
                continue
            numbers = (found.rho, found.low, found.high, found.p_value)
            rows.append((study.benchmark, group.label, reference.label, kind, found.languages, found.pairs, *numbers))
            if kind == "syntactic":
                told.append(_typology_sentence(group, reference, found))
    if not rows:
        return None
    others = tuple(dict.fromkeys(row[1] for row in rows))
    by = {(row[3], row[1]): (fixed(row[6], 2), f"{interval(row[7], row[8], 2)}, {p_text(row[9])}") for row in rows}
    missing = ("–", "")
    grid = Grid(
        "distance",
        others,
        [(kind, "", tuple(by.get((kind, label), missing) for label in others)) for kind in DISTANCES],
    )
    columns = ("benchmark", "group", "minus", "distance", "languages", "language pairs", "Spearman", "low", "high", "p")
    return Section(
        f"typology-{study.benchmark}",
        f"{study.benchmark}: typological distance",
        tuple(told),
        f"Spearman correlation, over ordered language pairs, of the difference in crosslingual {measure.name} with the "
        "distance of the two languages. Intervals over languages and questions, and seeds where there are several; p "
        "of Mantel's test, not corrected for the number of tests. Distances: URIEL+ (CC-BY-SA-4.0).",
        grid,
        Data(f"{study.benchmark}_typology", columns, rows),
    )


def by_kind(study: Study, anchor: str, title: str, note: str, kind_of: Callable[[str], str | None]) -> Section | None:
    """The first metric over the pool (without one, within a language) by kind of question language, and the difference
    from X-X; None if there is only one kind."""
    measure = study.main("multilingual") or study.main("monolingual")
    if measure is None:
        return None
    cells = study.of(study.groups[0], measure)[0].cells
    kinds: dict[str, list[int]] = {}
    for column, code in enumerate(cells):
        if (kind := kind_of(code)) is not None:
            kinds.setdefault(kind, []).append(column)
    if len(kinds) < 2:
        return None
    reference = reference_of(study.groups)
    rows, tests = [], []
    for kind in sorted(kinds):
        columns = kinds[kind]
        for group in study.groups:
            runs = [subset(scores, columns) for scores in study.of(group, measure)]
            found = estimate(runs, study.level)
            rows.append([
                study.benchmark, kind, " ".join(cells[column] for column in columns), group.label,
                found.value, found.low, found.high, None, None, None, None,
            ])  # fmt: skip
            sides = comparable(group, reference) if reference and group is not reference else None
            if sides is not None:
                both = [
                    [subset(scores, columns) for scores in study.of(each, measure, seeds)]
                    for each, seeds in zip((group, reference), sides, strict=True)
                ]
                tests.append((rows[-1], compare(*both, study.level)))
    adjusted = holm([test.p_value for _, test in tests]) if tests else []
    for (row, test), p_value in zip(tests, adjusted, strict=True):
        row[7:] = [test.difference, test.low, test.high, p_value]
    labels = tuple(group.label for group in study.groups)
    cells_of = {kind: tuple(_kind_cell(row, study.level) for row in rows if row[1] == kind) for kind in sorted(kinds)}
    codes = {kind: ", ".join(cells[column] for column in columns) for kind, columns in kinds.items()}
    grid = Grid("question in", labels, [(kind, codes[kind], of_kind) for kind, of_kind in cells_of.items()])
    against = reference.label if reference else "X-X"
    below = f", and in small the difference from {against} with its interval; ≈: not told from it (Holm over the table)"
    minus = f"minus {against}"
    columns = ("benchmark", "kind", "languages", "group", measure.name, "low", "high", minus, "difference low")
    return Section(
        f"{anchor}-{study.benchmark}",
        f"{study.benchmark}: {title}",
        (),
        f"{measure.name} of the questions in these languages {measure.title}{below if reference else ''}. {note}",
        grid,
        Data(f"{study.benchmark}_{anchor}", (*columns, "difference high", "p by Holm"), [tuple(row) for row in rows]),
    )


def domain_shift(studies: Sequence[Study]) -> Section | None:
    """The order of the groups on each benchmark, and their difference from X-X; None with one benchmark."""
    if len(studies) < 2 or len(studies[0].groups) < 2:
        return None
    reference = reference_of(studies[0].groups)
    rows = []
    for study in studies:
        measure = study.widest
        order = study.best(measure)
        for group in study.groups:
            pair = study.pair(group.label, reference.label, measure) if reference else None
            gain = (None,) * 3
            if pair is not None:
                both = pair.comparison
                gain = (both.difference, both.low, both.high)
                gain = gain if pair.a == group.label else (-both.difference, -both.high, -both.low)
            value = study.estimates[group.label, measure].value
            rows.append((group.label, study.benchmark, value, order.index(group.label) + 1, *gain))
    labels = [group.label for group in studies[0].groups]
    by = {(row[0], row[1]): _shift_cell(row) for row in rows}
    names = tuple(study.benchmark for study in studies)
    grid = Grid("strategy", names, [(label, "", tuple(by[label, name] for name in names)) for label in labels])
    told = []
    for a, b in combinations(studies, 2):
        same = a.best(a.widest) == b.best(b.widest)
        said = "the same" if same else "not the same"
        told.append(f"The strategies come out in {said} order on {a.benchmark} and {b.benchmark}.")
    minus = f"minus {reference.label}" if reference else "minus X-X"
    return Section(
        "domain-shift",
        "From one benchmark to another",
        tuple(told),
        f"{_measured(studies)}, and in small the place by it, whether or not the tests settle it"
        + (f", and the difference from {reference.label} with its interval." if reference else "."),
        grid,
        Data("domain_shift", ("group", "benchmark", "score", "place", minus, "low", "high"), rows),
    )


def subset(scores: Scores, columns: Sequence[int]) -> Scores:
    """The scores in some of the cells, without the questions that have no row there."""
    counts = scores.counts[:, columns]
    kept = np.flatnonzero(counts.sum(axis=1) > 0)
    return Scores(
        clusters=tuple(scores.clusters[row] for row in kept),
        cells=tuple(scores.cells[column] for column in columns),
        sums=scores.sums[np.ix_(kept, columns)],
        counts=counts[kept],
    )


def _kinds(study: Study) -> list[tuple[str, str, str, Callable[[str], str | None]]]:
    trained = study.groups[0].runs[0].metrics.get("languages/corpus")
    same = all(run.metrics.get("languages/corpus") == trained for group in study.groups for run in group.runs)
    kinds = [
        (
            "resources", "resource class", "Classes of Joshi et al. 2020, from 0 (least data) to 5.",
            lambda code: None if language(code).resources is None else f"class {language(code).resources}",
        ),
        ("script", "script", "", lambda code: language(code).script),
    ]  # fmt: skip
    if trained and same:
        said = f"Trained on {', '.join(trained)}."
        kinds.append(("seen", "seen and unseen languages", said, lambda code: "seen" if code in trained else "unseen"))
    return kinds


def _kind_cell(row: Sequence, level: float) -> tuple[str, str]:
    difference, low, high, p_value = row[7:]
    if difference is None:
        return f"{row[4]:.3f}", ""
    alike = "" if p_value < 1 - level else " ≈"
    return f"{row[4]:.3f}{alike}", _gain(difference, low, high)


def _measured(studies: Sequence[Study]) -> str:
    """What each benchmark's column holds, in words."""
    said = {f"{study.widest.name} {study.widest.title}": [] for study in studies}
    for study in studies:
        said[f"{study.widest.name} {study.widest.title}"].append(study.benchmark)
    if len(said) == 1:
        return next(iter(said))
    return "; ".join(f"{', '.join(names)}: {what}" for what, names in said.items())


def _shift_cell(row: Sequence) -> tuple[str, str]:
    _, _, value, place, difference, low, high = row
    gain = "" if difference is None else f", {_gain(difference, low, high)}"
    return f"{value:.3f}", f"place {place}{gain}"


def _gain(difference: float, low: float, high: float) -> str:
    return f"{fixed(difference, 3, signed=True)} {interval(low, high, 3, signed=True)}"


def _typology_sentence(group: Group, reference: Group, found: Correlation) -> str:
    between = f"{group.label} against {reference.label}: "
    numbers = f"(Spearman {fixed(found.rho, 2)}, interval {interval(found.low, found.high, 2)})"
    if found.low > 0:
        return f"{between}the difference grows with syntactic distance {numbers}."
    if found.high < 0:
        return f"{between}the difference shrinks with syntactic distance {numbers}."
    return f"{between}no relation of the difference with syntactic distance can be told from none {numbers}."

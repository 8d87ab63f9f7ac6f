"""The open questions, each a section where its data is present: which languages gain, and does it carry over?

All of them look at the mixed pool or at single language pairs, and compare every group with X-X.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from babelbatch.report.comparisons import Study, reference_of
from babelbatch.report.interactions import interactions, sentences
from babelbatch.report.kinds import by_kind, kinds
from babelbatch.report.numbers import MISSING, fixed, interval
from babelbatch.report.pair_regression import pair_regression
from babelbatch.report.section import Section
from babelbatch.report.tables import Cell, Data, Grid
from babelbatch.report.typology import typology
from babelbatch.statistics import between_benchmarks


def sections(studies: Sequence[Study]) -> list[Section]:
    """Those that the runs have the data for, benchmark by benchmark."""
    found: list[Section | None] = []
    for study in studies:
        found += [typology(study), pair_regression(study)]
        found += [by_kind(study, kind) for kind in kinds(study)]
    found.append(domain_shift(studies))
    return [section for section in found if section is not None]


def domain_shift(studies: Sequence[Study]) -> Section | None:
    """The score of each group on each benchmark, its difference from X-X, and whether that difference depends on the
    benchmark; None with one benchmark or one group."""
    if len(studies) < 2 or len(studies[0].groups) < 2:
        return None
    reference = reference_of(studies[0].groups)
    rows: list[tuple[Cell, ...]] = []
    shown: dict[tuple[str, str], tuple[str, str]] = {}
    for study in studies:
        measure = study.widest
        for group in study.groups:
            if group not in study.having(measure):
                shown[group.label, study.benchmark] = MISSING, ""
                continue
            value = study.estimates[group.label, measure].value
            pair = study.pair(group.label, reference.label, measure) if reference else None
            gain: tuple[float | None, ...] = (None,) * 3
            below = ""
            if pair is not None:
                both = pair.comparison
                turned = pair.a != group.label
                difference, low, high = (
                    (-both.difference, -both.high, -both.low) if turned else (both.difference, both.low, both.high)
                )
                gain = (difference, low, high)
                below = f"{fixed(difference, 3, signed=True)} {interval(low, high, 3, signed=True)}"
            rows.append((group.label, study.benchmark, value, *gain))
            shown[group.label, study.benchmark] = fixed(value, 3), below
    names = tuple(study.benchmark for study in studies)
    labels = [group.label for group in studies[0].groups]
    grid = Grid("strategy", names, [(label, "", tuple(shown[label, name] for name in names)) for label in labels])
    minus = f"minus {reference.label}" if reference else "minus X-X"
    return Section(
        "domain-shift",
        "From one benchmark to another",
        tuple(_shifts(studies)),
        f"{_measured(studies)}"
        + (
            f", and in small the difference from {reference.label} with its interval. Whether a difference depends on "
            "the benchmark is tested by the difference on one minus the difference on the other, p by Holm over these "
            "tests."
            if reference
            else "."
        ),
        grid,
        Data("domain_shift", ("group", "benchmark", "score", minus, "low", "high"), rows),
    )


def _shifts(studies: Sequence[Study]) -> list[str]:
    """For each pair of benchmarks that are read by one measure, whether differences from X-X depend on which it is."""
    reference = reference_of(studies[0].groups)
    if reference is None:
        return []
    tests, apart = [], []
    for first, second in combinations(studies, 2):
        measure = first.widest
        if measure != second.widest:
            apart.append(f"{first.benchmark} and {second.benchmark}")
            continue
        for group in first.groups:
            if group is reference or not all(group in study.having(measure) for study in (first, second)):
                continue
            of_group, of_reference = (
                [
                    between_benchmarks(left, right)
                    for left, right in zip(first.of(each, measure), second.of(each, measure), strict=True)
                ]
                for each in (group, reference)
            )
            where = f"on {first.benchmark} than on {second.benchmark}"
            tests.append((group, reference, where, of_group, of_reference))
    found = interactions(tests, studies[0].level)
    elsewhere = "between the benchmarks" if len(studies) == 2 else "between any two of the benchmarks"
    lines = sentences(found, studies[0].level, elsewhere=elsewhere, others="between the other pairs of benchmarks")
    if apart:
        lines.append(f"Not compared, because another metric is read first: {', '.join(apart)}.")
    return lines


def _measured(studies: Sequence[Study]) -> str:
    """What each benchmark's column holds, in words."""
    measured: dict[str, list[str]] = {}
    for study in studies:
        measured.setdefault(f"{study.widest.name} {study.widest.title}", []).append(study.benchmark)
    if len(measured) == 1:
        return next(iter(measured))
    return "; ".join(f"{', '.join(names)}: {what}" for what, names in measured.items())

"""Scores by kind of query language (resource class, script, seen or unseen), and whether gains depend on the kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from babelbatch.records import find_language
from babelbatch.report.comparisons import Study, reference_of
from babelbatch.report.enumeration import some
from babelbatch.report.grouping import Group
from babelbatch.report.interactions import Interaction, interactions, sentences, sure
from babelbatch.report.languages import language
from babelbatch.report.measures import Measure
from babelbatch.report.numbers import fixed, interval
from babelbatch.report.outcomes import why_not_tested
from babelbatch.report.runs import Run
from babelbatch.report.section import Section
from babelbatch.report.tables import Cell, Data, Grid
from babelbatch.runs.files import TRAINED_LANGUAGES
from babelbatch.runs.trained_languages import trained_languages
from babelbatch.statistics import Comparison, compare, contrast, estimate, subset

_CLASS = "class "


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to sort languages. of: language code -> kind, None to leave it out. ordered: kinds are `class <number>`."""

    anchor: str
    title: str
    note: str
    of: Callable[[str], str | None]
    ordered: bool = False


def kinds(study: Study) -> list[Kind]:
    """Those that the data is there for."""
    found = [
        Kind("resources", "resource class", "Classes of Joshi et al. 2020, from 0 (least data) to 5.", _class, True),
        Kind("script", "script", "", lambda code: language(code).script),
    ]
    trained = [group for group in study.groups if not (group.fixed or group.foreign)]
    of_groups = {
        group.label: {trained_languages(run.metrics, run.settings) for run in group.runs if _records_languages(run)}
        for group in trained
    }
    languages = {each for of_group in of_groups.values() for each in of_group}
    if len(languages) == 1 and (seen := next(iter(languages))):
        unknown = [label for label, of_group in of_groups.items() if not of_group]
        note = f"Trained on {', '.join(seen)}{f'; not recorded for {some(unknown)}' if unknown else ''}."
        found.append(
            Kind(
                "seen",
                "seen and unseen languages",
                note,
                lambda code: "seen" if find_language(code, seen) else "unseen",
            )
        )
    return found


def _records_languages(run: Run) -> bool:
    return run.metrics.get(TRAINED_LANGUAGES) is not None


def by_kind(study: Study, kind: Kind) -> Section | None:
    """The first metric over the pool (without one, within a language) by kind of query language, the difference from
    X-X, and whether that difference depends on the kind; None if there is only one kind."""
    measure = study.main("multilingual") or study.main("monolingual")
    if measure is None:
        return None
    groups = study.having(measure)
    cells = study.of(groups[0], measure)[0].cells
    columns: dict[str, list[int]] = {}
    for column, code in enumerate(cells):
        if (name := kind.of(code)) is not None:
            columns.setdefault(name, []).append(column)
    if len(columns) < 2:
        return None
    reference = reference_of(study.groups)
    rows: list[list[Cell]] = []
    for name in sorted(columns):
        for group in groups:
            found = estimate([subset(scores, columns[name]) for scores in study.of(group, measure)], study.level)
            gain = _gain(study, measure, group, reference, columns[name])
            codes = " ".join(cells[column] for column in columns[name])
            rows.append([study.benchmark, name, codes, group.label, found.value, found.low, found.high, *gain])
    tests = _interactions(study, measure, kind, columns, reference)
    tested = {(each.group.label, each.where): each for each in tests}
    names = sorted(columns)
    for row in rows:
        each = tested.get((str(row[3]), _where(kind, str(row[1]), names)))
        turned = not kind.ordered and len(names) == 2 and row[1] == names[1]  # one test, of the first minus the second
        row += [None] * 4 if each is None else _numbers(each, turned)
    if kind.ordered:
        rows += [
            [study.benchmark, "per class", "", each.group.label, *[None] * 6, *_numbers(each, False)] for each in tests
        ]
    labels = tuple(group.label for group in groups)
    grid = Grid(
        "query in",
        labels,
        [
            (
                name,
                ", ".join(cells[column] for column in columns[name]),
                tuple(_cell(row) for row in rows if row[1] == name),
            )
            for name in sorted(columns)
        ],
    )
    minus = f"minus {reference.label}" if reference else "minus X-X"
    heads = (
        "benchmark", "kind", "languages", "group", measure.name, "low", "high", minus, "difference low",
        "difference high", "interaction", "interaction low", "interaction high", "p by Holm",
    )  # fmt: skip
    below = f", and in small the difference from {reference.label} with its interval" if reference else ""
    return Section(
        f"{kind.anchor}-{study.benchmark}",
        f"{study.benchmark}: {kind.title}",
        tuple(_sentences(study, kind, tests)),
        f"{measure.name} of the queries in these languages {measure.title}{below}. "
        f"{_tested(kind) if tests else ''}{kind.note}".strip(),
        grid,
        Data(f"{study.benchmark}_{kind.anchor}", heads, [tuple(row) for row in rows]),
    )


def _interactions(
    study: Study, measure: Measure, kind: Kind, columns: dict[str, list[int]], reference: Group | None
) -> list[Interaction]:
    """Of ordered kinds the slope over the classes; of others each kind against the rest, of two one against the
    other."""
    if reference is None:
        return []
    size = len(study.of(reference, measure)[0].cells)
    weights: dict[str, np.ndarray] = {}
    names = sorted(columns)
    if kind.ordered:
        weights[_where(kind, "", names)] = _slope(columns, size)
    else:
        for name in names if len(names) > 2 else names[:1]:
            rest = [column for other in names if other != name for column in columns[other]]
            of_name = np.zeros(size)
            of_name[columns[name]], of_name[rest] = 1 / len(columns[name]), -1 / len(rest)
            weights[_where(kind, name, names)] = of_name
    tests = [
        (
            group,
            reference,
            where,
            [contrast(scores, of_where) for scores in study.of(group, measure)],
            [contrast(scores, of_where) for scores in study.of(reference, measure)],
        )
        for group in study.having(measure)
        if group is not reference
        for where, of_where in weights.items()
    ]
    return interactions(tests, study.level)


def _slope(columns: dict[str, list[int]], size: int) -> np.ndarray:
    """(C,) weights that make the least-squares slope over the classes of the cells' means."""
    classes = np.full(size, np.nan)
    for name, of_name in columns.items():
        classes[of_name] = int(name.removeprefix(_CLASS))
    centred = np.nan_to_num(classes - np.nanmean(classes))
    weights: np.ndarray = centred / (centred @ centred)
    return weights


def _sentences(study: Study, kind: Kind, tests: Sequence[Interaction]) -> list[str]:
    if not kind.ordered:
        return sentences(
            tests, study.level, elsewhere=f"between the {kind.title}s", others=f"for the other {kind.title}s"
        )
    lines = []
    for each in tests:
        by = each.comparison.difference
        of_both = f"The difference of {each.group.subject} from {each.reference.subject}"
        if each.p_value < 1 - study.level:
            turn = "higher" if by < 0 else "lower"
            lines.append(
                f"{of_both} is {turn} for languages with less data: it changes by {fixed(by, 3, signed=True)} for each "
                f"class up ({sure(each, study.level)})."
            )
        else:
            lines.append(f"{of_both} does not depend significantly on the resource class ({sure(each, study.level)}).")
    return lines


def _tested(kind: Kind) -> str:
    how = "the slope of the difference over the classes" if kind.ordered else "the difference here minus elsewhere"
    return f"Whether it depends on the {kind.title} is tested by {how}, p by Holm over the table. "


def _where(kind: Kind, name: str, names: Sequence[str]) -> str:
    if kind.ordered:
        return "for each class up"
    if len(names) == 2:
        return f"in {names[0]} than in {names[1]} languages"
    return f"in {name} script than in the others" if kind.anchor == "script" else f"in {name} than in the others"


def _gain(
    study: Study, measure: Measure, group: Group, reference: Group | None, columns: Sequence[int]
) -> list[float | None]:
    if reference is None or group is reference or why_not_tested(group, reference) is not None:
        return [None] * 3
    own, other = ([subset(scores, columns) for scores in study.of(each, measure)] for each in (group, reference))
    found = compare(own, other, study.level, fixed_a=group.fixed, fixed_b=reference.fixed)
    return list(_of(found))


def _numbers(each: Interaction, turned: bool) -> list[Cell]:
    """turned: of the other kind minus this one."""
    difference, low, high = _of(each.comparison)
    return [-difference, -high, -low, each.p_value] if turned else [difference, low, high, each.p_value]


def _of(found: Comparison) -> tuple[float, float, float]:
    return found.difference, found.low, found.high


def _cell(row: Sequence[Cell]) -> tuple[str, str]:
    value, difference, low, high = row[4], row[7], row[8], row[9]
    assert isinstance(value, float), "every group has an estimate"
    if not (isinstance(difference, float) and isinstance(low, float) and isinstance(high, float)):
        return fixed(value, 3), ""
    return fixed(value, 3), f"{fixed(difference, 3, signed=True)} {interval(low, high, 3, signed=True)}"


def _class(code: str) -> str | None:
    resources = language(code).resources
    return None if resources is None else f"{_CLASS}{resources}"

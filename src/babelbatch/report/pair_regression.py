"""Which language pairs gain over X-X, with distance, X-X level, script and resource class in one regression?"""

from __future__ import annotations

import numpy as np

from babelbatch.report.comparisons import Study, reference_of
from babelbatch.report.enumeration import listed
from babelbatch.report.grouping import Group
from babelbatch.report.languages import DISTANCES, distance, distance_matrix, language
from babelbatch.report.measures import Measure
from babelbatch.report.numbers import MISSING, fixed, p_text
from babelbatch.report.outcomes import why_not_tested
from babelbatch.report.section import Section
from babelbatch.report.tables import Cell, Data, Grid
from babelbatch.statistics import Coefficient, Floats, cell_means, holm, mrqap

LEVEL, SCRIPT, CLASS = "X-X level", "other script", "class of the language with less data"


def pair_regression(study: Study) -> Section | None:
    """Regression of each language pair's gain over X-X, by group. None without X-X, or with fewer than five languages
    that have a distance and a resource class."""
    reference = reference_of(study.groups)
    measure = study.main("crosslingual")
    if reference is None or measure is None:
        return None
    codes = [
        code
        for code in study.languages
        if distance(DISTANCES[0], code, code) is not None and language(code).resources is not None
    ]
    base = _table(study, reference, measure, codes)
    if len(codes) < 5 or base is None:
        return None
    predictors = _predictors(codes, base)
    made: list[tuple[Group, Coefficient]] = []
    refused = []
    for group in study.groups:
        if group is reference or why_not_tested(group, reference) is not None or group not in study.having(measure):
            continue
        scores = _table(study, group, measure, codes)
        if scores is None or np.ptp((scores - base)[~np.eye(len(codes), dtype=bool)]) == 0:
            continue
        try:
            made += [(group, each) for each in mrqap(scores - base, predictors)]
        except ValueError as refusal:  # a predictor follows from the others
            refused.append(f"{group.label} against {reference.label}: {refusal}.")
    if not made:
        return None
    adjusted = holm([each.p_value for _, each in made])
    rows: list[tuple[Cell, ...]] = []
    cells: dict[tuple[str, str], tuple[str, str]] = {}
    sentences = []
    for (group, each), p_value in zip(made, adjusted, strict=True):
        rows.append((
            study.benchmark, group.label, reference.label, each.predictor, len(codes), each.beta, each.p_value, p_value,
        ))  # fmt: skip
        cells[each.predictor, group.label] = fixed(each.beta, 2, signed=True), p_text(p_value)
        if each.predictor == DISTANCES[0]:
            sentences.append(_sentence(study, group, reference, each, p_value, list(predictors)))
    labels = tuple(dict.fromkeys(group.label for group, _ in made))
    others = ", ".join(name for name in predictors if name != LEVEL)
    return Section(
        f"pair-regression-{study.benchmark}",
        f"{study.benchmark}: which language pairs gain?",
        (*sentences, *refused),
        f"Regression, over ordered language pairs, of the difference from {reference.label} in crosslingual "
        f"{measure.name} on {others} and the level of {reference.label}. Standardised coefficients: standard "
        "deviations of the difference for one of the predictor, the others held constant; p by permutation of "
        "languages (MRQAP, double semi-partialling), corrected by Holm over this table. The level is measured with the "
        "same noise as the difference, so its own coefficient is too low.",
        Grid(
            "predictor",
            labels,
            [(name, "", tuple(cells.get((name, label), (MISSING, "")) for label in labels)) for name in predictors],
        ),
        Data(
            f"{study.benchmark}_pair_regression",
            ("benchmark", "group", "minus", "predictor", "languages", "standardised coefficient", "p", "p by Holm"),
            rows,
        ),
    )


def _table(study: Study, group: Group, measure: Measure, codes: list[str]) -> Floats | None:
    """(L, L) mean score of each ordered pair; the diagonal is 0. None if a pair has no score."""
    runs = study.of(group, measure)
    column = {cell: place for place, cell in enumerate(runs[0].cells)}
    means = np.mean([cell_means(run) for run in runs], axis=0)
    found = np.zeros((len(codes), len(codes)))
    for row, query in enumerate(codes):
        for place, candidate in enumerate(codes):
            if row != place:
                if f"{query}-{candidate}" not in column:
                    return None
                found[row, place] = means[column[f"{query}-{candidate}"]]
    return found


def _predictors(codes: list[str], base: Floats) -> dict[str, Floats]:
    """Those that vary over the pairs and do not follow from each other."""
    classes = np.array([float(language(code).resources or 0) for code in codes])
    scripts = [language(code).script for code in codes]
    candidates = {
        DISTANCES[0]: distance_matrix(DISTANCES[0], codes),
        LEVEL: base,
        SCRIPT: np.array([[float(one != other) for other in scripts] for one in scripts]),
        CLASS: np.minimum(classes[:, None], classes[None, :]),
    }
    off = ~np.eye(len(codes), dtype=bool)
    return {name: values for name, values in candidates.items() if np.ptp(values[off]) > 0}


def _sentence(
    study: Study, group: Group, reference: Group, each: Coefficient, p_value: float, predictors: list[str]
) -> str:
    of_both = f"difference of {group.subject} from {reference.subject}"
    equal = listed([name for name in predictors if name != each.predictor])
    numbers = f"(standardised coefficient {fixed(each.beta, 2, signed=True)}, {p_text(p_value)})"
    if p_value < 1 - study.level:
        turn = "rises" if each.beta > 0 else "falls"
        return f"With {equal} equal, the {of_both} {turn} with {each.predictor} distance {numbers}."
    return f"With {equal} equal, the {of_both} is not significantly related to {each.predictor} distance {numbers}."

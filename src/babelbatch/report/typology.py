"""Do gains over X-X go with the distance between the languages of a pair?"""

from __future__ import annotations

from babelbatch.report.comparisons import Study, reference_of
from babelbatch.report.languages import DISTANCES, distance, distance_matrix
from babelbatch.report.numbers import fixed, interval, p_text
from babelbatch.report.outcomes import why_not_tested
from babelbatch.report.section import Section
from babelbatch.report.tables import Cell, Data, Grid
from babelbatch.statistics import Correlation, clustered_spearman, holm


def typology(study: Study) -> Section | None:
    """Rank correlation of each language pair's gain over X-X with the distance of the two languages."""
    reference = reference_of(study.groups)
    measure = study.main("crosslingual")
    if reference is None or measure is None or len(study.groups) < 2:
        return None
    codes = [code for code in study.languages if distance(DISTANCES[0], code, code) is not None]
    made: list[tuple[str, str, Correlation]] = []
    refused = []
    for group in study.groups:
        if group is reference or why_not_tested(group, reference) is not None or group not in study.having(measure):
            continue
        of_group, of_reference = study.of(group, measure), study.of(reference, measure)
        for kind in DISTANCES:
            far = distance_matrix(kind, codes)
            fixed_systems = {"fixed_a": group.fixed, "fixed_b": reference.fixed}
            try:
                found = clustered_spearman(of_group, of_reference, codes, far, study.level, **fixed_systems)
            except ValueError as refusal:  # too few languages, cells missing, nothing varies
                refused.append(f"{group.label} against {reference.label}, {kind} distance: {refusal}.")
                continue
            made.append((group.label, kind, found))
    if not made:
        return None
    adjusted = holm([found.p_value for *_, found in made])
    by, sentences = {}, []
    rows: list[tuple[Cell, ...]] = []
    named_group = {group.label: group.subject for group in study.groups}
    for (label, kind, found), p_value in zip(made, adjusted, strict=True):
        numbers = (found.rho, found.low, found.high, found.p_value, p_value)
        rows.append((study.benchmark, label, reference.label, kind, found.languages, found.pairs, *numbers))
        by[kind, label] = fixed(found.rho, 2), f"{interval(found.low, found.high, 2)}, {p_text(p_value)}"
        if kind == "syntactic":
            subject = f"{named_group[label]} against {named_group[reference.label]}"
            sentences.append(_sentence(subject, found, p_value, study.level))
    others = tuple(dict.fromkeys(label for label, *_ in made))
    grid = Grid(
        "distance",
        others,
        [(kind, "", tuple(by.get((kind, label), ("–", "")) for label in others)) for kind in DISTANCES],
    )
    columns = ("benchmark", "group", "minus", "distance", "languages", "language pairs", "Spearman", "low", "high")
    return Section(
        f"typology-{study.benchmark}",
        f"{study.benchmark}: typological distance",
        (*sentences, *refused),
        f"Spearman correlation, over ordered language pairs, of the difference in crosslingual {measure.name} with the "
        "distance of the two languages. Intervals over languages and queries, and seeds where there are several; p by "
        "Mantel's test, corrected by Holm over this table. Distances: URIEL+ (CC-BY-SA-4.0).",
        grid,
        Data(f"{study.benchmark}_typology", (*columns, "p", "p by Holm"), rows),
    )


def _sentence(subject: str, found: Correlation, p_value: float, level: float) -> str:
    numbers = f"(Spearman {fixed(found.rho, 2)}, interval {interval(found.low, found.high, 2)}, {p_text(p_value)})"
    start = f"{subject[0].upper()}{subject[1:]}: the difference"
    if p_value < 1 - level:
        return f"{start} {'rises' if found.rho > 0 else 'falls'} with syntactic distance {numbers}."
    return f"{start} is not significantly related to syntactic distance {numbers}."

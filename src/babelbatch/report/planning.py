"""How many seeds a difference takes: from the scatter of the runs at hand."""

from __future__ import annotations

from collections.abc import Sequence

from babelbatch.report.comparisons import Study, reference_of
from babelbatch.report.grouping import Group
from babelbatch.report.measures import Measure
from babelbatch.report.numbers import MISSING, fixed, percent
from babelbatch.report.outcomes import why_not_tested
from babelbatch.report.section import Section
from babelbatch.report.tables import Cell, Data, Grid
from babelbatch.statistics import POWER, design

SEEDS = (3, 5, 10, 20, 40)
MOST_SEEDS = 1_000


def planning(study: Study, difference: float | None) -> Section | None:
    """The smallest difference that some numbers of seeds can find, of every trained group against X-X (without X-X,
    against the first group) and of the pairs of planned comparisons, and the seeds that find `difference`; None if no
    pair has two seeds or more."""
    pairs = _pairs(study)
    if not pairs:
        return None
    alpha = (1 - study.level) / max(1, len(study.planned))
    rows: list[tuple[Cell, ...]] = []
    lines = []
    findings = []
    for group, reference in pairs:
        for measure in study.measures:
            if group not in study.having(measure) or reference not in study.having(measure):
                continue
            found = design(
                study.of(group, measure), study.of(reference, measure), fixed_a=group.fixed, fixed_b=reference.fixed
            )
            smallest = [found.detectable(seeds, alpha) for seeds in SEEDS]
            needed = None if difference is None else found.seeds_for(difference, alpha, most=MOST_SEEDS)
            rows.append((
                study.benchmark, group.label, reference.label, measure.setting, measure.metric,
                *(variance**0.5 for variance in found.seed_variances), found.query_variance**0.5, *smallest, needed,
            ))  # fmt: skip
            cells = tuple((_shown(measure, value), "") for value in smallest)
            cells += () if difference is None else ((_seeds(needed), ""),)
            lines.append((f"{group.label} minus {reference.label}", f"{measure.name} {measure.title}", cells))
            if difference is not None and measure == study.widest:
                least = found.detectable(MOST_SEEDS, alpha)
                findings.append(_sentence(group, reference, measure, difference, needed, least))
    columns = tuple(f"{seeds} seeds" for seeds in SEEDS)
    head = (
        "benchmark", "a", "b", "setting", "metric", "seed deviation of a", "seed deviation of b", "query deviation",
        *(f"detectable with {seeds} seeds" for seeds in SEEDS), "seeds for the difference",
    )  # fmt: skip
    family = f"{len(study.planned)} planned comparisons" if study.planned else "a single planned comparison"
    return Section(
        f"planning-{study.benchmark}",
        f"{study.benchmark}: how many seeds would it take?",
        tuple(findings),
        f"The smallest true difference that so many seeds of each strategy find with probability {POWER:g}, at level "
        f"{percent(1 - study.level)} over {family}; the more comparisons, the larger it is. From the scatter of the "
        "runs at hand over seeds and queries, which few seeds show roughly. More queries are needed where more seeds "
        "do not help."
        + ("" if difference is None else f" Last column: seeds that find {difference:g}, at most {MOST_SEEDS:,}."),
        Grid(
            "comparison",
            columns if difference is None else (*columns, f"seeds for {difference:g}"),
            lines,
        ),
        Data(f"{study.benchmark}_planning", head, rows),
    )


def _pairs(study: Study) -> list[tuple[Group, Group]]:
    """Groups to plan for, of which at least one is trained and all show how much training varies."""
    reference = reference_of(study.groups) or next(iter(study.replicated), None)
    pairs = [] if reference is None else [(group, reference) for group in study.replicated if group is not reference]
    for each in study.planned:
        if not any({each.a.label, each.b.label} == {a.label, b.label} for a, b in pairs):
            pairs.append((each.a, each.b))
    return [
        (a, b)
        for a, b in pairs
        if a in study.replicated
        and b in study.replicated
        and not (a.fixed and b.fixed)
        and why_not_tested(a, b) is None
    ]


def _sentence(
    group: Group, reference: Group, measure: Measure, difference: float, needed: int | None, least: float
) -> str:
    """least: the smallest difference that `MOST_SEEDS` find."""
    between = f"between {group.label} and {reference.label}"
    what = f"a difference of {difference:g} in {measure.name} {measure.title} {between}"
    if needed is None:
        find = f"the smallest that they find is {_shown(measure, least)}"
        if not measure.is_possible(least):
            find = "they find none that is possible"
        return f"Not even {MOST_SEEDS:,} seeds find {what} with probability {POWER:g}: with these queries {find}."
    trained = "each" if not (group.fixed or reference.fixed) else (reference if group.fixed else group).label
    return f"To find {what} takes {needed:,} seeds of {trained}."


def _shown(measure: Measure, value: float) -> str:
    if not measure.is_possible(value):
        return MISSING
    return fixed(value, 4 if measure.digits == 4 else 1)


def _seeds(needed: int | None) -> str:
    return MISSING if needed is None else f"{needed:,}"


def sections(studies: Sequence[Study], difference: float | None) -> list[Section]:
    """One for each benchmark whose runs can be planned from."""
    return [section for study in studies if (section := planning(study, difference)) is not None]

"""The tables of a report, and their forms: Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from babelbatch.foreign import Aggregate
from babelbatch.report.comparisons import Measure, Study
from babelbatch.report.numbers import MISSING, NO_BREAK, percent

Cell = str | float | int | bool | None
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "≈": r"$\approx$", "−": r"$-$",
    "–": "--", NO_BREAK: "~",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Data:
    """A table of raw numbers, for a CSV file and for the fold below a plot. name: of the file, without suffix."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class ResultCell:
    """An estimate and its interval as text. best: significantly better than every other group. ties_best: leads, or is
    not significantly different from the group that leads."""

    text: str
    interval: str = ""
    best: bool = False
    ties_best: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A small table with two texts in each cell, the second in small print below the first. rows: (label, text below
    the label, cells). wraps: cells have words, which may break."""

    corner: str
    columns: tuple[str, ...]
    rows: list[tuple[str, str, tuple[tuple[str, str], ...]]]
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Results:
    """The main table of a benchmark: a row a group, a column a measure. rows: (label, number of seeds, cells).
    complete: whether every strategy was tested against every other."""

    benchmark: str
    columns: tuple[str, ...]
    rows: list[tuple[str, str, tuple[ResultCell, ...]]]
    complete: bool = True


def results(study: Study) -> Results:
    """Estimates with intervals. The best is marked where it is significantly better than every other group."""
    winners = {measure: study.winner(measure) for measure in study.measures}
    tied = {measure: study.like_the_leader(measure) for measure in study.measures}
    rows: list[tuple[str, str, tuple[ResultCell, ...]]] = []
    for group in study.groups:
        cells = []
        for measure in study.measures:
            if group not in study.having(measure):
                cells.append(ResultCell(MISSING))
                continue
            estimate = study.estimates[group.label, measure]
            leads = study.leader(measure) == group.label
            cells.append(
                ResultCell(
                    measure.shown(estimate.value), measure.interval(estimate.low, estimate.high),
                    best=winners[measure] == group.label,
                    ties_best=group.label in tied[measure] or (leads and winners[measure] is None),
                )
            )  # fmt: skip
        rows.append((group.label, MISSING if group.fixed else str(len(group.seeds)), tuple(cells)))
    for each in study.aggregates:
        of_system = [aggregate_value(study, each, measure) for measure in study.measures]
        shown = zip(study.measures, of_system, strict=True)
        texts = (MISSING if value is None else measure.shown(value) for measure, value in shown)
        rows.append((each.name, MISSING, tuple(ResultCell(text) for text in texts)))
    columns = tuple(column_title(measure) for measure in study.measures)
    return Results(study.benchmark, columns, rows, study.judged_all)


def aggregate_value(study: Study, system: Aggregate, measure: Measure) -> float | None:
    """The macro average of a system without scores by query; None unless it has every cell of the others."""
    cells = system.values.get(measure.metric, {}) if system.setting == measure.setting else {}
    expected = study.of(study.having(measure)[0], measure)[0].cells
    return sum(cells.values()) / len(cells) if cells and set(cells) == set(expected) else None


def column_title(measure: Measure) -> str:
    return measure.name if measure.metric == "rank_distance" else f"{measure.setting} {measure.name}"


def results_data(studies: Sequence[Study]) -> Data:
    """Every estimate with its interval."""
    columns = ("benchmark", "group", "strategy", "alpha", "setting", "metric", "value", "low", "high", "level", "seeds")
    rows = [
        (
            study.benchmark, group.label, group.strategy, group.alpha, measure.setting, measure.metric,
            found.value, found.low, found.high, found.level, found.seeds, found.clusters, found.over,
            study.winner(measure) == group.label if measure in study.measures else None,
        )
        for study in studies
        for group in study.groups
        for (label, measure), found in study.estimates.items()
        if label == group.label
    ]  # fmt: skip
    return Data("results", (*columns, "clusters", "interval over", "significantly best"), rows)


def comparisons_data(studies: Sequence[Study]) -> Data:
    """Every pair of groups on every measure."""
    columns = (
        "benchmark", "a", "b", "setting", "metric", "a minus b", "low", "high", "level", "p", "p by Holm",
        "effect size", "detectable", "runs of a", "runs of b", "clusters", "interval over",
    )  # fmt: skip
    rows = [
        (
            study.benchmark, pair.a, pair.b, pair.measure.setting, pair.measure.metric, pair.comparison.difference,
            pair.comparison.low, pair.comparison.high, pair.comparison.level, pair.comparison.p_value, pair.p_value,
            pair.comparison.effect_size, pair.detectable, *pair.comparison.runs, pair.comparison.clusters,
            pair.comparison.over,
        )
        for study in studies
        for pair in study.pairs
    ]  # fmt: skip
    return Data("comparisons", columns, rows)


def margins_data(studies: Sequence[Study]) -> Data:
    """Every test of non-inferiority."""
    columns = ("benchmark", "group", "reference", "setting", "metric", "margin", "bound", "p", "p by Holm", "within")
    rows = [
        (
            study.benchmark, each.group, each.reference, "monolingual", study.metric, each.test.margin, each.test.bound,
            each.test.p_value, each.p_value, each.keeps(study.level),
        )
        for study in studies
        for each in study.margins
    ]  # fmt: skip
    return Data("non_inferiority", columns, rows)


def planned_data(studies: Sequence[Study]) -> Data:
    """Every planned comparison."""
    columns = (
        "benchmark", "a", "b", "setting", "metric", "margin", "a minus b", "p", "p by Holm", "significant",
        "detectable", "not tested because",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (
            study.benchmark, each.a.label, each.b.label, each.measure.setting, each.measure.metric,
            each.contrast.margin, *((None,) * 3 if each.test is None else (
                each.test.difference, each.test.p_value, each.p_value
            )),
            each.holds(study.level) or each.fails(study.level), each.detectable, each.reason,
        )
        for study in studies
        for each in study.planned
    ]  # fmt: skip
    return Data("planned", columns, rows)


def to_csv(data: Data) -> str:
    """All digits; a missing value is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(data.columns)
    writer.writerows([["" if cell is None else cell for cell in row] for row in data.rows])
    return text.getvalue()


def to_markdown(table: Results, level: float) -> str:
    """The results for a Markdown document: intervals in brackets, a significant best in bold."""
    lines = [
        f"{table.benchmark}, {percent(level)} intervals:",
        "",
        f"| strategy | seeds | {' | '.join(table.columns)} |",
        f"| --- | ---: | {' | '.join('---:' for _ in table.columns)} |",
    ]
    for label, seeds, cells in table.rows:
        lines.append(f"| {_piped(label)} | {seeds} | {' | '.join(map(_markdown, cells))} |")
    return "\n".join(lines) + "\n\n" + legend(table, "bold") + "\n"


def to_latex(table: Results, level: float) -> str:
    """The results for a paper. LaTeX needs the package booktabs."""
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\begin{{tabular}}{{lr{'r' * len(table.columns)}}}",
        r"\toprule",
        rf"strategy & seeds & {' & '.join(map(_escaped, table.columns))} \\",
        r"\midrule",
    ]
    for label, seeds, cells in table.rows:
        lines.append(rf"{_escaped(label)} & {seeds} & {' & '.join(map(_latex, cells))} \\")
    caption = f"{table.benchmark}, {percent(level)} intervals. {legend(table, 'bold')}"
    lines += [r"\bottomrule", r"\end{tabular}", rf"\caption{{{_escaped(caption)}}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def grid_to_latex(grid: Grid, caption: str) -> str:
    """A grid for a paper: the small print beside each number. LaTeX needs the package booktabs."""
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\begin{{tabular}}{{l{'r' * len(grid.columns)}}}",
        r"\toprule",
        rf"{' & '.join(map(_escaped, (grid.corner, *grid.columns)))} \\",
        r"\midrule",
    ]
    for label, below, cells in grid.rows:
        shown = [rf"{_escaped(text)}{_small(under)}" for text, under in ((label, below), *cells)]
        lines.append(rf"{' & '.join(shown)} \\")
    lines += [r"\bottomrule", r"\end{tabular}", rf"\caption{{{_escaped(caption)}}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _small(text: str) -> str:
    return rf" {{\small {_escaped(text)}}}" if text else ""


def legend(table: Results, mark: str) -> str:
    """Explains the marks that the table has. mark: how the best looks, such as bold."""
    cells = [cell for *_, row in table.rows for cell in row]
    notes = []
    partly = not table.complete or any(cell.text == MISSING for cell in cells)
    if any(cell.best for cell in cells):
        every = "every other strategy that was tested" if partly else "every other strategy"
        notes.append(f"In {mark}: significantly better than {every} (Holm over all pairs and measures).")
    if any(cell.ties_best for cell in cells):
        notes.append(f"≈: not significantly different from the best{' of those tested' if partly else ''}.")
    return " ".join(notes)


def _markdown(cell: ResultCell) -> str:
    value = f"**{cell.text}**" if cell.best else f"{cell.text} ≈" if cell.ties_best else cell.text
    return f"{value} {cell.interval}"


def _latex(cell: ResultCell) -> str:
    text = _escaped(cell.text)
    value = rf"\textbf{{{text}}}" if cell.best else rf"{text}\,$\approx$" if cell.ties_best else text
    return rf"{value} {{\small {_escaped(cell.interval)}}}"


def _piped(text: str) -> str:
    return text.replace("|", "\\|")


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)

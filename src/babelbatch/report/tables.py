"""The tables of a report, and how they are written: Markdown, LaTeX, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from babelbatch.report.comparisons import Measure, Study
from babelbatch.report.numbers import NO_BREAK, percent

Cell = str | float | int | bool | None
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "≈": r"$\approx$", "−": r"$-$",
    "–": "--", NO_BREAK: "~",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Data:
    """Numbers as they are, for CSV and for the fold behind a plot. name: of the file."""

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Shown:
    """One value as a reader sees it. best: the tests say so. like_best: they do not tell
    it from the best estimate."""

    text: str
    interval: str = ""
    best: bool = False
    like_best: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A small table of pairs: what is read first, and what stands below it in small. rows: (label, below, cells)."""

    corner: str
    columns: tuple[str, ...]
    rows: list[tuple[str, str, tuple[tuple[str, str], ...]]]


@dataclass(frozen=True, slots=True)
class Results:
    """The main table of a benchmark: a row a group, a column a measure."""

    benchmark: str
    columns: tuple[str, ...]
    rows: list[tuple[str, int, tuple[Shown, ...]]]


def results(study: Study) -> Results:
    """Estimates with intervals; the best marked where it is better than every other group by the tests."""
    winners = {measure: study.winner(measure) for measure in study.measures}
    like = {measure: study.not_told_from_the_best(measure) for measure in study.measures}
    rows = []
    for group in study.groups:
        cells = []
        for measure in study.measures:
            found = study.estimates[group.label, measure]
            leads = len(study.groups) > 1 and study.best(measure)[0] == group.label
            cells.append(
                Shown(
                    measure.shown(found.value), measure.interval(found.low, found.high),
                    best=winners[measure] == group.label,
                    like_best=group.label in like[measure] or (leads and winners[measure] is None),
                )
            )  # fmt: skip
        rows.append((group.label, len(group.seeds), tuple(cells)))
    return Results(study.benchmark, tuple(column(measure) for measure in study.measures), rows)


def column(measure: Measure) -> str:
    return measure.name if measure.metric == "rank_distance" else f"{measure.setting} {measure.name}"


def results_data(studies: Sequence[Study]) -> Data:
    """Every estimate with its interval."""
    columns = ("benchmark", "group", "strategy", "alpha", "setting", "metric", "value", "low", "high", "level", "seeds")
    rows = [
        (
            study.benchmark, group.label, group.strategy, group.alpha, measure.setting, measure.metric,
            found.value, found.low, found.high, found.level, found.seeds, found.questions, found.over,
            study.winner(measure) == group.label if measure in study.measures else None,
        )
        for study in studies
        for group in study.groups
        for (label, measure), found in study.estimates.items()
        if label == group.label
    ]  # fmt: skip
    return Data("results", (*columns, "questions", "interval over", "best by test"), rows)


def comparisons_data(studies: Sequence[Study]) -> Data:
    """Every pair of groups on every measure."""
    columns = (
        "benchmark", "a", "b", "setting", "metric", "a minus b", "low", "high", "level", "p", "p by Holm",
        "effect size", "seeds", "questions", "interval over",
    )  # fmt: skip
    rows = [
        (
            study.benchmark, pair.a, pair.b, pair.measure.setting, pair.measure.metric, pair.comparison.difference,
            pair.comparison.low, pair.comparison.high, pair.comparison.level, pair.comparison.p_value, pair.p_value,
            pair.comparison.effect_size, pair.comparison.seeds, pair.comparison.questions, pair.comparison.over,
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
            each.test.p_value, each.p_value, each.p_value < 1 - study.level,
        )
        for study in studies
        for each in study.margins
    ]  # fmt: skip
    return Data("non_inferiority", columns, rows)


def to_csv(data: Data) -> str:
    """With all digits; what is missing is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(data.columns)
    writer.writerows([["" if cell is None else cell for cell in row] for row in data.rows])
    return text.getvalue()


def to_markdown(table: Results, level: float) -> str:
    """The results for a document: the best in bold where the tests say so, intervals in brackets."""
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
    """The results for a paper; needs the package booktabs."""
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
    """A table of pairs for a paper: what stands below a number, in small beside it. Needs the package booktabs."""
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
    """What the marks mean, those that are there."""
    cells = [cell for *_, of_row in table.rows for cell in of_row]
    said = []
    if any(cell.best for cell in cells):
        said.append(f"In {mark}: better than every other strategy by the tests (Holm over all pairs and measures).")
    if any(cell.like_best for cell in cells):
        said.append("≈: the tests do not tell these from the best.")
    return " ".join(said)


def _markdown(cell: Shown) -> str:
    value = f"**{cell.text}**" if cell.best else f"{cell.text} ≈" if cell.like_best else cell.text
    return f"{value} {cell.interval}"


def _latex(cell: Shown) -> str:
    text = _escaped(cell.text)
    value = rf"\textbf{{{text}}}" if cell.best else rf"{text}\,$\approx$" if cell.like_best else text
    return rf"{value} {{\small {_escaped(cell.interval)}}}"


def _piped(text: str) -> str:
    return text.replace("|", "\\|")


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)

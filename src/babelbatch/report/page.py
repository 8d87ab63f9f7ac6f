"""The report: one self-contained HTML page, with tables for documents and all numbers as CSV beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

import babelbatch
from babelbatch.evaluation.metrics import TITLES
from babelbatch.progress import waiting
from babelbatch.report import analyses, planning, verdicts
from babelbatch.report.bias import language_preference
from babelbatch.report.bias_quality import bias_at_quality
from babelbatch.report.bias_tests import bias_tests
from babelbatch.report.caveats import caveats
from babelbatch.report.comparisons import Study, reference_of, study
from babelbatch.report.contrasts import Contrast, Plan, plan_for
from babelbatch.report.cost import cost_data
from babelbatch.report.dimensions import dimensions
from babelbatch.report.enumeration import listed, some
from babelbatch.report.figure import Figure
from babelbatch.report.foreign_runs import find_all
from babelbatch.report.front import front
from babelbatch.report.grouping import ALPHA, Group, Hyperparameters, grouped, only, refuse_mixed
from babelbatch.report.heatmaps import cell_maps, difference_maps, top10_maps
from babelbatch.report.languages import language
from babelbatch.report.measures import RANK_DISTANCE
from babelbatch.report.numbers import MISSING, fixed, general, p_number, percent
from babelbatch.report.paper import paper_tables
from babelbatch.report.places import data_file, of_earlier_page, without_html
from babelbatch.report.planned import pairs_of
from babelbatch.report.plots import alpha_curves, learning_curves
from babelbatch.report.runs import FoundRuns, Run
from babelbatch.report.section import Section
from babelbatch.report.selection import choices, rule_for, selected
from babelbatch.report.selection_section import selection_section
from babelbatch.report.settings import Settings
from babelbatch.report.svg_file import standalone
from babelbatch.report.tables import (
    Data,
    comparisons_data,
    grid_to_latex,
    legend,
    margins_data,
    planned_data,
    results,
    results_data,
    to_csv,
    to_latex,
    to_markdown,
)
from babelbatch.report.training_data import training_data
from babelbatch.report.validation_front import validation_front, validation_front_section
from babelbatch.storage import write_atomically

PAGE = "report.html"
DEFAULTS = Settings()
QUESTION = (
    "Which languages should a contrastive batch combine, so that one multilingual retriever works well within a "
    "language, across languages and over a pool of all languages?"
)
_UNBROKEN = re.compile(r"\bX-[XY]\b|\[[−+]?[\d.,]+, [−+]?[\d.,]+\]")


@dataclass(frozen=True)
class Report:
    """Everything that the page shows. found: the runs that are compared, and the folders that were left out.
    selection: how they were selected; None if they were not. of_front: whether as the front of several scores.
    alpha_selected: whether alpha was one of the settings that were selected. alpha: the studies that the curves over
    alpha are of, which have the groups of every alpha, whether selected or not. plan: the planned comparisons."""

    name: str
    found: FoundRuns
    groups: list[Group]
    studies: list[Study]
    settings: Settings
    alpha: list[Study]
    plan: Plan
    selection: Section | None = None
    of_front: bool = False
    alpha_selected: bool = False
    sections: list[Section] = field(default_factory=list)

    @property
    def selection_first(self) -> bool:
        """Whether the page begins with the selection, because what follows depends on it: a run was not selected."""
        return self.selection is not None and self.found.not_selected > 0


def write_report(folders: Sequence[Path], output: Path, settings: Settings = DEFAULTS) -> Path:
    """Compares the finished runs in `folders` and writes the report into the folder `output`.

    Returns the path of the page; `report.md` and `data/` with .csv, .tex and .svg files are beside it. Files that an
    earlier report wrote there, and this one does not, are removed.
    Raises ValueError for runs that are missing, damaged, or cannot be compared.
    """
    report = build_report(folders, settings)
    with waiting("writing the report"):
        _write(report, output)
    return output / PAGE


def _write(report: Report, output: Path) -> None:
    figures = _figures(report)
    data = _data_tables(report, figures)
    output.mkdir(parents=True, exist_ok=True)
    place = output / "data"
    place.mkdir(exist_ok=True)
    files = {data_file(place, table.name, ".csv"): to_csv(table) for table in data}
    for each in report.studies:
        files[data_file(place, each.benchmark, ".tex")] = to_latex(results(each), report.settings.level)
    for section in [*([report.selection] if report.selection else []), *report.sections]:
        files[data_file(place, section.data.name, ".tex")] = grid_to_latex(section.grid, section.title)
    files |= {data_file(place, figure.data.name, ".svg"): standalone(figure) for figure in figures}
    for file, content in files.items():
        write_atomically(file, content)
    write_atomically(output / "report.md", markdown(report))
    for file in of_earlier_page(output / PAGE, place) - files.keys():
        file.unlink()  # else it would lie among the numbers of this report
    write_atomically(output / PAGE, html(report, data))


def build_report(folders: Sequence[Path], settings: Settings = DEFAULTS) -> Report:
    """Reads the runs and computes all numbers; writes nothing."""
    report = compared_runs(folders, settings)
    studies = report.studies
    with waiting("analysing languages and seeds"):
        sections = [
            *(section for each in studies if (section := front(each, settings.margin)) is not None),
            *(section for each in studies if (section := bias_tests(each)) is not None),
            *(section for each in studies if (section := bias_at_quality(each)) is not None),
            *(section for each in studies if (section := dimensions(each)) is not None),
            *analyses.sections(studies),
            *planning.sections(studies, settings.plan),
            *paper_tables(studies),
        ]
    return replace(report, sections=sections)


def compared_runs(folders: Sequence[Path], settings: Settings = DEFAULTS) -> Report:
    """The report without its further sections: the runs in groups, and the estimates and tests of every benchmark.

    Raises ValueError for runs that are missing, damaged, or cannot be compared.
    """
    found, aggregates = find_all(folders, settings.foreign)
    if settings.benchmarks:
        having, without = only(found.runs, settings.benchmarks)
        found = replace(found, runs=having, notes=(*found.notes, *_left_out(without, settings.benchmarks)))
    refuse_mixed(found.runs)
    curves: list[Group] | None = None
    selection, hyperparameters, alpha_selected = None, Hyperparameters(), False
    groups: list[Group] | None = None
    rule = rule_for(found.runs, settings.select)
    if rule is not None and rule.others:
        candidates = validation_front(grouped(found.runs), rule)
        selection = validation_front_section(candidates, rule)
        groups = candidates.selected
        kept = sorted((run for group in groups for run in group.runs), key=lambda run: run.folder)
        found = replace(found, runs=kept, not_selected=len(found.runs) - len(kept))
    elif rule is not None:
        hyperparameters = Hyperparameters(rule.among)
        if hyperparameters.includes(ALPHA):  # the curve has every alpha, each with its own other hyperparameters
            others = tuple(path for path in rule.among if path not in (ALPHA, "sampling"))
            of_each_alpha = selected(choices(found.runs, replace(rule, among=others)))
            curves = grouped(of_each_alpha, Hyperparameters(others))
        made = choices(found.runs, rule)
        alpha_selected = any(
            len({json.dumps(each.hyperparameters.get(ALPHA)) for each in choice.candidates}) > 1 for choice in made
        )
        everything = len(found.runs)
        found = replace(found, runs=selected(made), not_selected=everything - sum(len(c.winner.runs) for c in made))
        selection = selection_section(made, rule, grouped(found.runs, hyperparameters))
    groups = grouped(found.runs, hyperparameters) if groups is None else groups
    plan = plan_for((run.contrasts for run in found.runs), settings.contrasts)
    if plan.source is None:
        plan = replace(plan, of_some=_planned_by_some(plan.contrasts, groups))
    notes = [] if plan.note is None else [plan.note]
    if plan.of_some:
        notes.append(f"Planned by some of the compared runs only: {'; '.join(map(str, plan.of_some))}.")
    if missing := [str(each) for each in plan.contrasts if not pairs_of(each, groups)]:
        why = "because no two groups here are its sides and differ in nothing else"
        notes.append(f"Planned, but not tested, {why}: {'; '.join(missing)}.")
    found = replace(found, notes=(*found.notes, *notes))
    studies = [
        study(name, groups, settings.level, settings.margin, plan.contrasts) for name in found.runs[0].benchmarks
    ]
    studies = [
        replace(each, aggregates=tuple(system for system in aggregates if system.benchmark == each.benchmark))
        for each in studies
    ]
    described = (
        studies
        if curves is None
        else [study(each.benchmark, curves, settings.level, settings.margin, tested=False) for each in studies]
    )
    names = dict.fromkeys(str(run.metrics.get("name", run.folder.parent.name)) for run in found.runs)
    name = settings.name or ", ".join(names)
    searched = rule is not None and bool(rule.others)
    return Report(name, found, groups, studies, settings, described, plan, selection, searched, alpha_selected)


def _left_out(runs: Sequence[Run], benchmarks: Sequence[str]) -> list[str]:
    if not runs:
        return []
    count = f"{len(runs)} {'run is' if len(runs) == 1 else 'runs are'} left out"
    return [f"{count}, without scores on {listed(benchmarks)}: {some([run.folder.name for run in runs])}."]


def _planned_by_some(contrasts: Sequence[Contrast], groups: Sequence[Group]) -> tuple[Contrast, ...]:
    """The contrasts that a trained run does not name which they compare."""
    return tuple(
        contrast
        for contrast in contrasts
        if not all(
            contrast in run.contrasts
            for pair in pairs_of(contrast, groups)
            for group in pair
            if not group.fixed
            for run in group.runs
        )
    )


def markdown(report: Report) -> str:
    """The findings and main tables of the page as Markdown."""
    parts = [f"# {report.name}\n"]
    if report.selection is not None and report.selection_first:
        parts.append(f"## {report.selection.title}\n")
        parts += [f"{sentence}\n" for sentence in report.selection.sentences]
    for each in report.studies:
        parts.append(f"## {each.benchmark}\n\n{verdicts.headline(each)}.\n")
        parts += [
            f"{sentence}\n"
            for sentence in [*verdicts.planned(each, report.plan), *verdicts.sentences(each), *verdicts.margins(each)]
        ]
        parts.append(to_markdown(results(each), report.settings.level))
    parts += [f"* {note}" for note in caveats(report.studies, report.found)]
    return without_html("\n".join(parts).rstrip() + "\n")


def html(report: Report, data: Sequence[Data]) -> str:
    """The page. data: the tables that its last section links to."""
    environment = Environment(
        loader=PackageLoader("babelbatch.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "cell_text": cell_text, "fixed": fixed, "p_number": p_number, "percent": percent, "prose": prose,
    }  # fmt: skip
    environment.globals["language"] = language
    curves = learning_curves(report.groups)
    return environment.get_template("report.html.j2").render(
        report=report,
        question=QUESTION,
        caveats=caveats(report.studies, report.found),
        benchmarks=[
            _benchmark(each, alpha, report.plan) for each, alpha in zip(report.studies, report.alpha, strict=True)
        ],
        curves=curves,
        comparable_curves=_comparable_curves(curves, report.groups),
        cost=cost_data(report.groups),
        trained_on=_training_data(report),
        files=[table.name for table in data],
        version=babelbatch.__version__,
    )


_VALIDATED = (
    "sampling.batch_size", "corpus.", "language_fraction", "validation", "data.validation_", "transform",
    "trainer.limit_val_batches",
)  # fmt: skip
"""Paths of settings on which the batches of the validation loss depend."""


def _comparable_curves(curves: Sequence[Figure], groups: Sequence[Group]) -> str:
    """What to think of differences between curves of the validation loss, if there are any."""
    if not any(figure.data.name.startswith("curve_validation") for figure in curves):
        return ""
    trained = [run for group in groups if not group.foreign for run in group.runs if run.seed is not None]
    if _differ(trained, ("loss.",)):
        return "Validation losses of different objectives or temperatures cannot be compared. "
    if _differ(trained, _VALIDATED):
        return "Validation losses over batches of different data or sizes cannot be compared. "
    return "Validation uses the same batches for every strategy, so its curves can be compared. "


def _differ(runs: Sequence[Run], paths: tuple[str, ...]) -> bool:
    """Whether the runs differ in a setting whose path begins so."""
    found = {
        json.dumps({path: value for path, value in run.settings.items() if path.startswith(paths)}, sort_keys=True)
        for run in runs
    }
    return len(found) > 1


def prose(text: str) -> Markup:
    """HTML of a text whose lines do not break within "X-Y" or an interval."""
    return Markup(_UNBROKEN.sub(r'<span class="whole">\g<0></span>', str(escape(text))))


def cell_text(value: object) -> str:
    """A value of a data table as text: numbers with four significant digits."""
    if value is None or value != value:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return general(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _benchmark(each: Study, alpha: Study, plan: Plan) -> dict[str, object]:
    reference = reference_of(each.groups)
    table = results(each)
    return {
        "study": each,
        "rank_distance": RANK_DISTANCE in each.measures,
        "metric": TITLES[each.metric],
        "headline": verdicts.headline(each),
        "planned": verdicts.planned(each, plan),
        "sentences": verdicts.sentences(each),
        "results": table,
        "legend": legend(table, "bold"),
        "pairs": [(measure, [pair for pair in each.pairs if pair.measure == measure]) for measure in each.measures],
        "alpha": alpha_curves(alpha),
        "margins": verdicts.margins(each),
        "reference": reference,
        "maps": cell_maps(each),
        "differences": difference_maps(each, reference) if reference and len(each.groups) > 1 else [],
        "top10": top10_maps(each),
        "bias": language_preference(each),
    }


def _training_data(report: Report) -> Data | None:
    return training_data(report.groups, [each.benchmark for each in report.studies])


def _figures(report: Report) -> list[Figure]:
    """Every chart of the page."""
    sections = [*([] if report.selection is None else [report.selection]), *report.sections]
    return [
        *(figure for each in report.alpha for figure in alpha_curves(each)),
        *(figure for section in sections for figure in section.figures),
        *learning_curves(report.groups),
    ]


def _data_tables(report: Report, figures: Sequence[Figure]) -> list[Data]:
    """Every table of numbers that is not empty, with those behind the charts."""
    data = [results_data(report.studies), comparisons_data(report.studies), margins_data(report.studies)]
    data.append(planned_data(report.studies))
    data += [] if report.selection is None else [report.selection.data]
    for each in report.studies:
        reference = reference_of(each.groups)
        maps = [*cell_maps(each), *(difference_maps(each, reference) if reference else []), *top10_maps(each)]
        data += [drawn.data for drawn in maps]
        if (preference := language_preference(each)) is not None:
            data.append(preference.data)
    data += [section.data for section in report.sections]
    data += [figure.data for figure in figures]
    trained_on = _training_data(report)
    data += [] if trained_on is None else [trained_on]
    return [*(table for table in data if table.rows), cost_data(report.groups)]

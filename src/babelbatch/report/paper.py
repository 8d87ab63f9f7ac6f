"""The runs in the layout of arXiv 2408.10536: its Table 1, and its tables by query language, with its numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from babelbatch.report.comparisons import Study
from babelbatch.report.grouping import Group, like_pairing
from babelbatch.report.measures import RANK_DISTANCE, Measure, of_setting
from babelbatch.report.numbers import MISSING
from babelbatch.report.section import Section
from babelbatch.report.tables import Cell, Data, Grid
from babelbatch.statistics import Estimate, estimate, subset

MODELS = {"xlm-roberta-base": "xlmr", "LaBSE": "labse"}
"""The encoders of the paper, by the last part of their names. It does not say which size of XLM-R."""
_PAIRING = ("batch", "any")
"""What it means by X-X and X-Y."""
_HEADS = {"monolingual": "Mo.", "crosslingual": "Cr.", "multilingual": "Mul."}
_ALL = {"xquad_r": 11, "mlqa_r": 7, "miracl": 18}
_TITLES = {"xquad_r": "XQuAD-R", "mlqa_r": "MLQA-R", "miracl": "MIRACL"}
LANGUAGES = {
    "miracl": ("sw", "bn", "hi", "ko", "th", "te", "fi", "ja", "es", "fr", "ru", "zh", "fa", "ar", "id"),
}
"""The languages that the paper averages, for benchmarks that have more."""
_MAP = (*(of_setting(setting, "map") for setting in _HEADS), RANK_DISTANCE)
COLUMNS: dict[str, tuple[Measure, ...]] = {
    "xquad_r": _MAP,
    "mlqa_r": _MAP,
    "miracl": (of_setting("monolingual", "ndcg@10"), of_setting("monolingual", "recall@100")),
}
"""What the paper's Tables 1, 12 and 13 show, by benchmark."""


def paper_tables(studies: Sequence[Study]) -> list[Section]:
    """The macro table of all benchmarks that the paper has too, and one by query language for each of these."""
    chosen = [study for study in studies if _columns(study)]
    return [_macro(chosen), *(_by_language(study) for study in chosen)] if chosen else []


def published(group: Group) -> dict[str, float]:
    """The paper's numbers for the encoder and strategy of a group, by metric key; empty if it has no such row."""
    if group.runs[0].settings.get("evaluation.debias", "none") != "none" or not like_pairing(group.pairing, _PAIRING):
        return {}
    model = MODELS.get(str(group.runs[0].settings.get("encoder.name_or_path", "")).rpartition("/")[2], "")
    pure = {"x_x": 1, "x_y": 0, "hybrid": 0.5}
    strategy = group.strategy if group.strategy is not None and pure.get(group.strategy) == group.alpha else ""
    return _numbers().get(model, {}).get(strategy, {})


def _macro(studies: Sequence[Study]) -> Section:
    columns = [(study, measure) for study in studies for measure in _columns(study)]
    rows: list[tuple[Cell, ...]] = []
    cells: dict[str, list[tuple[str, str]]] = {}
    for group in studies[0].groups:
        theirs = published(group)
        for study, measure in columns:
            if group not in study.having(measure):
                cells.setdefault(group.label, []).append((MISSING, ""))
                continue
            found, shared = _macro_estimate(study, group, measure)
            paper = theirs.get(f"{study.benchmark}/{measure.setting}/{measure.metric}") if shared else None
            numbers = (found.value, found.low, found.high, paper)
            rows.append((group.label, study.benchmark, measure.setting, measure.metric, *numbers))
            cells.setdefault(group.label, []).append(_cell(measure, found.value, found.low, found.high, paper))
    heads = tuple(f"{_TITLES[study.benchmark]} {_head(measure)}" for study, measure in columns)
    grid = Grid("strategy", heads, [(_label(group), "", tuple(cells[group.label])) for group in studies[0].groups])
    names = ("group", "benchmark", "setting", "metric", "ours", "low", "high", "paper")
    return Section(
        "paper",
        "In the layout of the paper's Table 1",
        (),
        "Macro averages with intervals, and in small the number of arXiv 2408.10536 for the same encoder and strategy. "
        "Mo.: within a language; Cr.: across languages; Mul.: over the pool of all. The paper reports single runs, and "
        "does not say which seed, schedule, temperature or lengths. MIRACL: both are means over the paper's 15 "
        "languages, without de, en and yo; where one of the 15 was not evaluated, ours is over those that were, and "
        "the paper's is not shown; nor is it where XQuAD-R or MLQA-R was evaluated in some of its languages.",
        grid,
        Data("paper_table_1", names, rows),
    )


def _macro_estimate(study: Study, group: Group, measure: Measure) -> tuple[Estimate, bool]:
    """The macro average over the languages that the paper averages, and whether all of them were evaluated."""
    theirs = LANGUAGES.get(study.benchmark)
    if theirs is None:
        return study.estimates[group.label, measure], _whole(study)
    of_seeds = study.of(group, measure)
    places = [place for place, code in enumerate(of_seeds[0].cells) if code in theirs]
    if not places:
        return study.estimates[group.label, measure], False
    return estimate([subset(scores, places) for scores in of_seeds], study.level), len(places) == len(theirs)


def _by_language(study: Study) -> Section:
    """The paper's tables by query language: mean over candidate languages in the crosslingual setting."""
    columns = [(measure, group) for measure in _columns(study) for group in study.groups]
    heads = tuple(f"{_head(measure)} {group.label}" for measure, group in columns)
    rows: list[tuple[Cell, ...]] = []
    lines = []
    for code in study.languages:
        cells = []
        for measure, group in columns:
            of_seeds = study.of(group, measure) if group in study.having(measure) else []
            found_cells = of_seeds[0].cells if of_seeds else ()
            places = [place for place, cell in enumerate(found_cells) if cell.partition("-")[0] == code]
            if not places:
                cells.append((MISSING, ""))
                continue
            found = estimate([subset(scores, places) for scores in of_seeds], study.level)
            paper = published(group).get(f"{study.benchmark}/{measure.setting}/{measure.metric}/{code}")
            if measure.setting != "monolingual" and not _whole(study):  # another pool, other cells
                paper = None
            rows.append((code, group.label, measure.setting, measure.metric, found.value, found.low, found.high, paper))
            cells.append(_cell(measure, found.value, found.low, found.high, paper))
        lines.append((code, "", tuple(cells)))
    names = ("query language", "group", "setting", "metric", "ours", "low", "high", "paper")
    return Section(
        f"paper-{study.benchmark}",
        f"{_TITLES[study.benchmark]} by query language, in the layout of the paper",
        (),
        "As above, by the language of the query; Cr. is the mean over the candidates' languages.",
        Grid("query in", heads, lines),
        Data(f"paper_{study.benchmark}", names, rows),
    )


def _whole(study: Study) -> bool:
    """Whether the benchmark was evaluated in all its languages, as in the paper."""
    return len(study.languages) == _ALL[study.benchmark]


def _columns(study: Study) -> list[Measure]:
    return [measure for measure in COLUMNS.get(study.benchmark, ()) if measure in study.measures]


def _head(measure: Measure) -> str:
    if measure.metric in {"rank_distance", "ndcg@10", "recall@100"}:
        return measure.name
    return _HEADS[measure.setting]


def _label(group: Group) -> str:
    encoder = str(group.runs[0].settings.get("encoder.name_or_path", "")).rpartition("/")[2]
    return group.label if not encoder or encoder in group.label else f"{encoder} {group.label}"


def _cell(measure: Measure, value: float, low: float, high: float, paper: float | None) -> tuple[str, str]:
    below = measure.interval(low, high)
    return measure.shown(value), below if paper is None else f"{below}; paper {measure.shown(paper)}"


@cache
def _numbers() -> dict[str, dict[str, dict[str, float]]]:
    """model -> strategy -> metric key -> value."""
    path = files("babelbatch.report") / "data" / "arxiv_2408_10536.json"
    numbers: dict[str, dict[str, dict[str, float]]] = json.loads(path.read_text(encoding="utf-8"))["numbers"]
    return numbers

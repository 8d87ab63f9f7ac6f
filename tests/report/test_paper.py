"""The tables of arXiv 2408.10536: its own numbers, and ours in their layout."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import mean

import pytest

from babelbatch.report.comparisons import reference_of, study
from babelbatch.report.grouping import grouped
from babelbatch.report.page import write_report
from babelbatch.report.paper import MODELS, _numbers, paper_tables, published
from babelbatch.report.runs import find_runs
from run_folders import write_run, write_sweep

LEVELS = {0.0: {"crosslingual": 0.5}, 0.5: {"crosslingual": 0.4}, 1.0: {"crosslingual": 0.1}}
XQUAD_R = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
XLMR = {"encoder": {"_target_": "babelbatch.encoder.pretrained", "name_or_path": "FacebookAI/xlm-roberta-base"}}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("paper")
    return write_sweep(place, LEVELS, seeds=2, benchmarks=("xquad_r",), settings=XLMR, languages=XQUAD_R)


@pytest.mark.parametrize("model", MODELS.values())
def test_the_papers_means_are_the_means_of_its_languages(model: str) -> None:
    """Where a table by language was legible, its mean is in the macro table: a digit read wrongly would show."""
    checked = 0
    for numbers in _numbers()[model].values():
        for key, value in numbers.items():
            by_language = [each for name, each in numbers.items() if name.startswith(f"{key}/")]
            if by_language:
                assert value == pytest.approx(mean(by_language), abs=0.06 if "distance" in key else 1.1e-4), key
                checked += 1
    assert checked == {"xlmr": 9, "labse": 4}[model] * 3


def test_ours_stand_beside_the_papers(sweep: Path) -> None:
    groups = grouped(find_runs([sweep]).runs)
    studies = [study("xquad_r", groups)]
    macro, *by_language = paper_tables(studies)
    assert macro.grid.columns == ("XQuAD-R Mo.", "XQuAD-R Cr.", "XQuAD-R Mul.", "XQuAD-R rank distance")
    assert [row[0] for row in macro.grid.rows] == [
        "xlm-roberta-base X-Y", "xlm-roberta-base hybrid alpha=0.5", "xlm-roberta-base X-X",
    ]  # fmt: skip
    text, below = macro.grid.rows[1][2][1]
    assert text == f"{studies[0].estimates['hybrid alpha=0.5', studies[0].main('crosslingual')].value:.4f}"
    assert below.endswith("; paper 0.7053")
    assert macro.grid.rows[2][2][3][1].endswith("; paper 410.2")
    assert [section.anchor for section in by_language] == ["paper-xquad_r"]
    arabic = dict(zip(by_language[0].grid.columns, by_language[0].grid.rows[0][2], strict=True))
    assert arabic["Mul. X-X"][1].endswith("; paper 0.4870")
    key = "xquad_r/crosslingual/map/ar"
    ours = mean(run.metrics[f"{key}-{other}"] for run in groups[0].runs for other in XQUAD_R[1:])
    assert float(arabic["Cr. X-Y"][0]) == pytest.approx(ours, abs=5.1e-5)


def test_hybrids_through_english_have_no_row_in_the_paper(tmp_path: Path) -> None:
    for name, more in (("any", {}), ("english", {"cross_language": "english"})):
        sampling = {"name": "hybrid", "alpha": 0.5} | more
        write_run(tmp_path / name, benchmarks=["xquad_r"], settings=XLMR | {"sampling": sampling})
    groups = {group.label: published(group) for group in grouped(find_runs([tmp_path]).runs)}
    assert [label for label, numbers in groups.items() if numbers] == ["hybrid alpha=0.5"]


def test_other_encoders_and_ratios_have_no_row_in_the_paper(tmp_path: Path) -> None:
    levels = {0.25: {}, 1.0: {}}
    groups = grouped(find_runs([write_sweep(tmp_path / "a", levels, seeds=1, settings=XLMR)]).runs)
    assert [bool(published(group)) for group in groups] == [False, True]
    groups = grouped(find_runs([write_sweep(tmp_path / "b", levels, seeds=1)]).runs)
    assert [published(group) for group in groups] == [{}, {}]
    assert paper_tables([study("facts", groups)]) == []


def test_files_of_the_report(sweep: Path, tmp_path: Path) -> None:
    page = write_report([sweep], tmp_path / "report").read_text(encoding="utf-8")
    assert 'id="paper-xquad_r"' in page
    with (tmp_path / "report" / "data" / "paper_table_1.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["paper"] for row in rows if row["group"] == "X-X"} == {"0.7918", "0.6737", "0.5479", "410.2"}
    latex = (tmp_path / "report" / "data" / "paper_table_1.tex").read_text(encoding="utf-8")
    assert latex.count(r" \\") == 4
    assert r"strategy & XQuAD-R Mo. & XQuAD-R Cr." in latex
    assert "; paper 0.7053}" in latex


def test_a_part_of_the_languages_is_not_compared(tmp_path: Path) -> None:
    """Other cells and another pool are other quantities; within one language the number is the same one."""
    groups = grouped(find_runs([write_sweep(tmp_path, LEVELS, seeds=1, benchmarks=("mlqa_r",), settings=XLMR)]).runs)
    macro, by_language = paper_tables([study("mlqa_r", groups)])
    assert not any("paper" in below for *_, cells in macro.grid.rows for _, below in cells)
    arabic = dict(zip(by_language.grid.columns, by_language.grid.rows[0][2], strict=True))
    assert arabic["Mo. X-X"][1].endswith("; paper 0.5973")
    assert "paper" not in arabic["Mul. X-X"][1]


def test_debiased_evaluations_are_rows_of_their_own_without_the_papers_numbers(tmp_path: Path) -> None:
    for method in ("none", "lir"):
        settings = XLMR | {"evaluation": {"debias": method}}
        write_sweep(
            tmp_path / method, {1.0: {}}, seeds=2, benchmarks=("xquad_r",), settings=settings, languages=XQUAD_R
        )
    found = study("xquad_r", grouped(find_runs([tmp_path]).runs))
    macro, *_ = paper_tables([found])
    shown = {label: ["paper" in below for _, below in cells] for label, _, cells in macro.grid.rows}
    assert shown == {
        "xlm-roberta-base X-X debias=none": [True] * 4, "xlm-roberta-base X-X debias=lir": [False] * 4,
    }  # fmt: skip
    assert reference_of(found.groups).label == "X-X debias=none"

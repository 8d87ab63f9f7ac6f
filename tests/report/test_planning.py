"""How many seeds a difference takes, by the page and by tests with so many seeds."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from babelbatch.report import command
from babelbatch.report.comparisons import Study, study
from babelbatch.report.contrasts import Contrast
from babelbatch.report.grouping import grouped
from babelbatch.report.page import build_report, write_report
from babelbatch.report.planned import Planned
from babelbatch.report.planning import planning
from babelbatch.report.runs import find_runs
from babelbatch.report.settings import Settings
from babelbatch.statistics import Design, design
from run_folders import write_run, write_sweep


@pytest.fixture(scope="module")
def scattered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seeds of X-Y and of X-X whose scores scatter as a whole."""
    place = tmp_path_factory.mktemp("scattered")
    for seed, scatter in enumerate((-0.02, -0.005, 0.005, 0.02)):
        write_run(place / f"x{seed}", "x_x", 1.0, seed, scatter=scatter)
        write_run(place / f"y{seed}", "x_y", 0.0, seed, scatter=scatter / 2, level={"monolingual": 0.61})
    return place


@pytest.fixture(scope="module")
def found(scattered: Path) -> Study:
    return study("facts", grouped(find_runs([scattered]).runs))


def planned_design(found: Study) -> Design:
    xy, xx = found.groups
    return design(found.of(xy, found.widest), found.of(xx, found.widest))


def test_the_table_is_of_the_design_at_hand(found: Study) -> None:
    section = planning(found, 0.02)
    xy, xx = found.groups
    measure = found.measures[0]
    plan = design(found.of(xy, measure), found.of(xx, measure))
    row = section.data.rows[0]
    assert row[:5] == ("facts", "X-Y", "X-X", "monolingual", "map")
    for group, variance in zip((xy, xx), plan.seed_variances, strict=True):
        macros = [run.metrics["facts/monolingual/map"] for run in group.runs]
        assert variance == pytest.approx(np.var(macros, ddof=1))
    assert row[8:13] == pytest.approx([plan.detectable(seeds) for seeds in (3, 5, 10, 20, 40)])
    assert list(row[8:13]) == sorted(row[8:13], reverse=True)
    assert row[13] == plan.seeds_for(0.02)
    assert section.grid.columns == ("3 seeds", "5 seeds", "10 seeds", "20 seeds", "40 seeds", "seeds for 0.02")


def test_the_sentence_names_the_seeds(found: Study) -> None:
    (sentence,) = planning(found, 0.02).sentences
    assert re.fullmatch(
        r"To find a difference of 0\.02 in mAP over the pool of all languages between X-Y and X-X takes \d+ seeds of "
        r"each\.",
        sentence,
    )
    (hopeless,) = planning(found, 1e-5).sentences
    least = planned_design(found).detectable(1_000, 0.05)
    assert hopeless == (
        "Not even 1,000 seeds find a difference of 1e-05 in mAP over the pool of all languages between X-Y and X-X "
        f"with probability 0.8: with these queries the smallest that they find is {least:.4f}."
    )


def test_the_sentence_is_at_the_level_of_the_table(found: Study) -> None:
    """Of one of seven planned comparisons, as the smallest difference in the row beside it is."""
    xy, xx = found.groups
    planned = replace(
        found, planned=(Planned(Contrast("x_y", "x_x", "multilingual"), xy, xx, found.widest, None, 1.0, None, ""),) * 7
    )
    (hopeless,) = planning(planned, 1e-5).sentences
    assert hopeless.endswith(f"is {planned_design(found).detectable(1_000, 0.05 / 7):.4f}.")


def test_more_planned_comparisons_take_larger_differences(scattered: Path, tmp_path: Path) -> None:
    contrasts = [
        {"group": "x_y", "against": "x_x", "measure": m} for m in ("monolingual", "crosslingual", "multilingual")
    ]
    for seed in range(3):
        for name, strategy, alpha in (("x", "x_x", 1.0), ("y", "x_y", 0.0)):
            write_run(
                tmp_path / f"{name}{seed}",
                strategy,
                alpha,
                seed,
                scatter=seed / 100,
                settings={"report": {"contrasts": contrasts}},
            )
    (planned,) = build_report([tmp_path], Settings()).studies
    alone = study("facts", planned.groups)
    several, one = planning(planned, None), planning(alone, None)
    assert "over 3 planned comparisons" in several.note
    assert "over a single planned comparison" in one.note
    assert several.data.rows[0][8] > one.data.rows[0][8]


def test_pairs_of_planned_comparisons_are_planned_for(tmp_path: Path) -> None:
    """A planned comparison that is not settled asks for its own seeds."""
    contrasts = [
        {"group": "hybrid", "against": "x_y", "measure": "multilingual"},
        {"group": "hybrid", "against": "x_x", "measure": "multilingual"},
    ]
    for seed in range(3):
        for strategy, alpha in (("x_x", 1.0), ("x_y", 0.0), ("hybrid", 0.5)):
            settings = {"report": {"contrasts": contrasts}}
            write_run(tmp_path / f"{strategy}{seed}", strategy, alpha, seed, scatter=seed / 100, settings=settings)
    (planned,) = build_report([tmp_path], Settings()).studies
    section = planning(planned, 0.02)
    assert list(dict.fromkeys(row[1:3] for row in section.data.rows)) == [
        ("X-Y", "X-X"), ("hybrid alpha=0.5", "X-X"), ("hybrid alpha=0.5", "X-Y"),
    ]  # fmt: skip
    (x_y,) = [each for each in planned.planned if each.b.label == "X-Y"]
    (row,) = [row for row in section.data.rows if row[1:5] == ("hybrid alpha=0.5", "X-Y", "multilingual", "map")]
    plan = design(planned.of(x_y.a, planned.widest), planned.of(x_y.b, planned.widest))
    assert row[8] == pytest.approx(plan.detectable(3, 0.05 / 2))
    assert any(" between hybrid alpha=0.5 and X-Y" in sentence for sentence in section.sentences)


def test_single_runs_plan_nothing(tmp_path: Path) -> None:
    write_sweep(tmp_path, {0.0: {}, 1.0: {}}, seeds=1)
    assert planning(study("facts", grouped(find_runs([tmp_path]).runs)), 0.01) is None


def test_the_option(scattered: Path, tmp_path: Path) -> None:
    assert command.parse(["runs=a", "plan=0.005"])[2].plan == 0.005
    with pytest.raises(ValueError, match=r"^plan: -1 is not a positive number; write plan=0\.005$"):
        command.parse(["runs=a", "plan=-1"])
    page = write_report([scattered], tmp_path / "out", Settings(plan=0.02)).read_text(encoding="utf-8")
    assert 'id="planning-facts"' in page
    assert "seeds for 0.02" in page


def test_a_fixed_system_takes_no_seeds(scattered: Path, tmp_path: Path) -> None:
    nothing = dict.fromkeys(("strategy", "alpha", "seed", "steps", "seconds/train"))
    settings = {"sampling": {}, "seed": None, "encoder": {"_target_": "babelbatch.lexical.BM25"}}
    write_run(tmp_path / "bm25", facts=nothing, settings=settings)
    found = study("facts", grouped(find_runs([scattered, tmp_path]).runs))
    fixed = [sentence for sentence in planning(found, 0.02).sentences if "BM25" in sentence]
    assert re.fullmatch(
        r"To find a difference of 0\.02 in mAP .* between BM25 and X-X takes \d+ seeds of X-X\.", fixed[0]
    )

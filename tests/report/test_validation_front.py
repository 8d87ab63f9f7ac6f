"""The front of several validation scores selects what a report compares, and says what it is."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from babelbatch.report.command import parse
from babelbatch.report.grouping import grouped
from babelbatch.report.page import build_report, write_report
from babelbatch.report.runs import find_runs
from babelbatch.report.selection import rule_for
from babelbatch.report.selection_rule import Rule
from babelbatch.report.settings import Settings
from babelbatch.report.validation_front import not_dominated, validation_front
from run_folders import write_run

MONO, POOL, DISTANCE = (
    "validation/monolingual/map", "validation/multilingual/map", "validation/multilingual/rank_distance",
)  # fmt: skip
FRONT = Settings(select={"select": [MONO, POOL]})


def tried(
    place: Path, alpha: float, mono: float, pool: float, seed: int = 0, items: str = "abc", **more: float
) -> None:
    facts = {MONO: mono, POOL: pool, DISTANCE: more.get("distance", 5.0), "fingerprint/validation_queries": items}
    level = {"multilingual": more.get("test", 0.3)}
    write_run(place / f"{alpha}-{seed}", "hybrid", alpha, seed, level=level, facts=facts)


@pytest.fixture
def searched(tmp_path: Path) -> Path:
    """Settings on the front are the worst on the benchmark."""
    tried(tmp_path, 0.1, 0.30, 0.60, test=0.1)
    tried(tmp_path, 0.3, 0.40, 0.50, test=0.1)
    tried(tmp_path, 0.5, 0.40, 0.45, test=0.6)  # as good in one, worse in the other
    tried(tmp_path, 0.7, 0.20, 0.20, test=0.6)
    tried(tmp_path, 0.9, 0.50, 0.30, test=0.1)
    return tmp_path


def test_only_the_settings_on_the_front_are_compared(searched: Path) -> None:
    report = build_report([searched], FRONT)
    assert [group.label for group in report.groups] == ["hybrid alpha=0.1", "hybrid alpha=0.3", "hybrid alpha=0.9"]
    assert [run.folder.name for run in report.found.runs] == ["0.1-0", "0.3-0", "0.9-0"]
    assert report.found.not_selected == 2
    section = report.selection
    assert section is not None
    assert section.sentences == (
        "On validation, 3 of 5 settings are on the front of mAP within a language and mAP over the pool of all "
        "languages: hybrid alpha=0.1, hybrid alpha=0.3 and hybrid alpha=0.9.",
        "Each setting is scored on one run (seed 0), so the front may owe as much to the seed as to the settings: "
        "train those on it with more seeds.",
    )
    assert [(label, below, cells[1:3]) for label, below, cells in section.grid.rows][2:4] == [
        ("3 hybrid alpha=0.5", "", (("0.4000", ""), ("0.4500", ""))),
        ("4 hybrid alpha=0.7", "", (("0.2000", ""), ("0.2000", ""))),
    ]
    assert [row[-1] for row in section.data.rows] == [True, True, False, False, True]


def test_all_settings_that_differ_are_shown(tmp_path: Path) -> None:
    """Alpha alone tells the groups apart, so their labels lack the other one."""
    for alpha, lr in ((0.1, 0.01), (0.5, 0.02)):
        facts = {MONO: alpha, POOL: lr, "fingerprint/validation_queries": "abc"}
        write_run(tmp_path / f"{alpha}", "hybrid", alpha, facts=facts, settings={"optimizer": {"lr": lr}})
    section = build_report([tmp_path], FRONT).selection
    assert section is not None
    assert [cells[0][0] for *_, cells in section.grid.rows] == ["lr=0.01 alpha=0.1", "lr=0.02 alpha=0.5"]
    assert [row[1] for row in section.data.rows] == ["lr=0.01 alpha=0.1", "lr=0.02 alpha=0.5"]


def test_the_page_shows_the_front_and_does_not_test_it(searched: Path, tmp_path: Path) -> None:
    page = write_report([searched], tmp_path / "report", FRONT).read_text(encoding="utf-8")
    section = page.partition('<section id="selection">')[2].partition("</section>")[0]
    assert section.count('<circle class="dot') == 3
    assert section.count('<circle class="ring') == 2
    assert "On validation: mAP over the pool of all languages against mAP within a language" in section
    assert "not a test" in section
    assert not re.search(r"significan|p = |dominates", section)
    assert "the curve has the settings on the front of the validation scores alone" in page
    assert "2 runs were tried and not selected on validation" in page
    assert (tmp_path / "report" / "data" / "selection_monolingual_map_multilingual_map.csv").exists()


def test_scores_are_means_over_the_seeds_that_all_have(tmp_path: Path) -> None:
    for seed, shift in ((0, 0.0), (1, 0.2)):
        tried(tmp_path, 0.1, 0.30 + shift, 0.60 + shift, seed)
        tried(tmp_path, 0.5, 0.40 + shift, 0.20, seed)
    tried(tmp_path, 0.1, 0.99, 0.99, seed=2)  # the other has no such seed
    found = validation_front(grouped(find_runs([tmp_path]).runs), Rule(MONO, others=(POOL,)))
    assert found.seeds == (0, 1)
    assert found.scores == pytest.approx(np.array([[0.4, 0.7], [0.5, 0.2]]))
    assert found.on_front == (True, True)


def test_less_rank_distance_is_better(tmp_path: Path) -> None:
    tried(tmp_path, 0.1, 0.5, 0.5, distance=30.0)
    tried(tmp_path, 0.5, 0.4, 0.5, distance=10.0)
    tried(tmp_path, 0.9, 0.3, 0.5, distance=20.0)
    found = validation_front(grouped(find_runs([tmp_path]).runs), Rule(MONO, others=(DISTANCE,)))
    assert found.on_front == (True, True, False)


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_the_front_is_that_of_every_pair_compared(columns: int) -> None:
    scores = np.random.default_rng(columns).integers(0, 6, (60, columns)).astype(float)  # with ties
    expected = [
        not any(
            all(b >= a for a, b in zip(own, other, strict=True)) and tuple(own) != tuple(other)
            for other in scores.tolist()
        )
        for own in scores.tolist()
    ]
    assert list(not_dominated(scores)) == expected
    assert 0 < sum(expected) < 60


def test_systems_that_were_not_trained_here_are_kept(searched: Path) -> None:
    system = write_run(searched / "bm25", level={"multilingual": 0.2}, settings={"sampling": None, "seed": None})
    text = (system / "metrics.json").read_text(encoding="utf-8").replace('"seed": 0', '"seed": null')
    (system / "metrics.json").write_text(text, encoding="utf-8")
    found = validation_front(grouped(find_runs([searched]).runs), Rule(MONO, others=(POOL,)))
    assert len(found.tried) == 5
    assert len(found.kept) == 1
    assert found.selected[-1:] == list(found.kept)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"items": "other"}, "have other validation items; train them with equal ones"),
        ({"seed": 7}, "have no seed in common"),
    ],
)
def test_what_cannot_be_compared(searched: Path, change: dict[str, object], problem: str) -> None:
    tried(searched, 0.95, 0.1, 0.1, **change)
    with pytest.raises(ValueError, match=problem):
        build_report([searched], FRONT)


def test_runs_without_one_of_the_scores(searched: Path) -> None:
    write_run(searched / "none", "hybrid", 0.6, 0, facts={MONO: 0.3, "fingerprint/validation_queries": "abc"})
    with pytest.raises(ValueError, match=r"no validation/multilingual/map in \S+none"):
        build_report([searched], FRONT)


def test_the_rule_of_the_command_line_and_of_the_runs(searched: Path) -> None:
    _, _, settings = parse([f"runs={searched}", f"select={MONO},{POOL}"])
    assert rule_for(find_runs([searched]).runs, settings.select) == Rule(MONO, others=(POOL,))
    write_run(
        searched / "own", "hybrid", 0.6, 0, facts={MONO: 0.3, POOL: 0.1}, settings={"report": {"select": [MONO, POOL]}}
    )
    assert rule_for(find_runs([searched]).runs, {}) == Rule(MONO, others=(POOL,))
    for more, problem in (
        ({"select_per": "seed"}, "select_per: a front is of all settings, over their seeds; leave it out"),
        ({"select_among": ["sampling.alpha"]}, "select_among: a front is of all settings"),
        ({"select": [MONO, MONO]}, "select: name one validation score, or for a front several, each once"),
        ({"select": [MONO, "world_facts/multilingual/map"]}, "'world_facts/multilingual/map' is no validation score"),
    ):
        with pytest.raises(ValueError, match=problem):
            rule_for(find_runs([searched]).runs, {"select": [MONO, POOL], **more})

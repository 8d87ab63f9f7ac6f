"""Estimates and tests of hand-made runs, and what the report says of them, word for word."""

import json
import re
from pathlib import Path

import pytest

from babelbatch.report.comparisons import (
    CROSSLINGUAL,
    MEASURES,
    MONOLINGUAL,
    MULTILINGUAL,
    RANK_DISTANCE,
    Study,
    comparable,
    reference_of,
    study,
)
from babelbatch.report.grouping import grouped
from babelbatch.report.runs import FoundRuns, find_runs
from babelbatch.report.verdicts import caveats, headline, margins, sentences
from run_folders import QUERIES, write_run, write_sweep

APART = {
    0.0: {"monolingual": 0.5, "crosslingual": 0.5, "multilingual": 0.4, "rank_distance": 50.0},
    0.5: {"monolingual": 0.6, "crosslingual": 0.4, "multilingual": 0.3, "rank_distance": 90.0},
    1.0: {"monolingual": 0.7, "crosslingual": 0.1, "multilingual": 0.1, "rank_distance": 400.0},
}
ALIKE = {alpha: {"monolingual": 0.6} for alpha in (0.0, 0.5, 1.0)}


def of_sweep(place: Path, levels: dict, **said) -> tuple[Study, FoundRuns]:
    found = find_runs([write_sweep(place, levels, **said)])
    return study("facts", grouped(found.runs)), found


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, FoundRuns]:
    return of_sweep(tmp_path_factory.mktemp("apart"), APART)


def test_an_estimate_is_the_mean_of_the_seeds_metrics(apart: tuple[Study, FoundRuns]) -> None:
    found, _ = apart
    for group in found.groups:
        for measure in MEASURES:
            key = f"facts/{measure.setting}/{measure.metric}"
            metrics = [json.loads((run.folder / "metrics.json").read_text())[key] for run in group.runs]
            estimate = found.estimates[group.label, measure]
            assert estimate.value == pytest.approx(sum(metrics) / 3, abs=1e-12)
            assert estimate.low < estimate.value < estimate.high
            assert (estimate.seeds, estimate.questions, estimate.over) == (3, QUERIES, "questions and seeds")


def test_every_pair_on_every_measure_is_one_family(apart: tuple[Study, FoundRuns]) -> None:
    found, _ = apart
    assert len(found.pairs) == 3 * 4
    smallest = min(found.pairs, key=lambda pair: pair.comparison.p_value)
    assert smallest.p_value == pytest.approx(12 * smallest.comparison.p_value)
    pair = found.pair("X-X", "X-Y", MONOLINGUAL)
    assert pair.comparison.difference == pytest.approx(
        found.estimates[pair.a, MONOLINGUAL].value - found.estimates[pair.b, MONOLINGUAL].value
    )


def test_who_wins_where(apart: tuple[Study, FoundRuns]) -> None:
    found, _ = apart
    winners = {MONOLINGUAL: "X-X", CROSSLINGUAL: "X-Y", MULTILINGUAL: "X-Y", RANK_DISTANCE: "X-Y"}
    assert {measure: found.winner(measure) for measure in MEASURES} == winners
    assert (
        headline(found) == "X-X is best within a language, and X-Y across languages and over the pool of all languages"
    )
    within, *_, distance = sentences(found)
    assert within.startswith("Within a language, X-X has the highest mAP, 0.6")
    assert ", better than every other: 0.1" in within
    assert " above the next, hybrid alpha=0.5 (95\xa0% interval [0." in within
    assert distance.startswith("X-Y has the lowest rank distance, ")
    assert " below the next, hybrid alpha=0.5 (95\xa0% interval [" in distance


def test_best_everywhere(tmp_path: Path) -> None:
    level = {"monolingual": 0.8, "crosslingual": 0.7, "multilingual": 0.6, "rank_distance": 10.0}
    found, _ = of_sweep(tmp_path, {0.5: level, 1.0: APART[1.0]})
    assert headline(found) == "Hybrid alpha=0.5 is best in every setting"
    assert margins(found)[0].startswith(
        "Hybrid alpha=0.5 keeps the monolingual mAP of X-X to within 0.01 (p\xa0<\xa00.001)"
    )


def test_nothing_is_said_to_be_best_where_nothing_is(tmp_path: Path) -> None:
    found, _ = of_sweep(tmp_path, ALIKE)
    assert headline(found) == "The runs do not settle which strategy is best"
    assert not [measure for measure in MEASURES if found.winner(measure)]
    for sentence in sentences(found):
        assert "but the tests do not tell it from" in sentence


def test_a_setting_that_is_open_is_said_to_be(tmp_path: Path) -> None:
    found, _ = of_sweep(tmp_path, {0.0: {"crosslingual": 0.5}, 1.0: {"crosslingual": 0.2}})
    assert headline(found) == (
        "X-Y is best across languages; within a language and over the pool of all languages the runs do not settle it"
    )


def test_those_behind_are_named_where_two_lead(tmp_path: Path) -> None:
    found, _ = of_sweep(tmp_path, {0.0: {"crosslingual": 0.5}, 0.5: {"crosslingual": 0.5}, 1.0: {"crosslingual": 0.2}})
    (sentence,) = [said for said in sentences(found) if said.startswith("Across languages")]
    assert sentence.endswith(" Behind: X-X.")
    assert found.winner(CROSSLINGUAL) is None


def test_the_price_within_a_language(apart: tuple[Study, FoundRuns], tmp_path: Path) -> None:
    found, _ = apart
    cost, _ = margins(found)
    assert cost.startswith("X-Y costs monolingual mAP: 0.")
    assert " less than X-X, more than the margin of 0.01 (95\xa0% interval [0." in cost
    near, _ = of_sweep(tmp_path, {0.5: {"monolingual": 0.59}, 1.0: {"monolingual": 0.6}}, seeds=2)
    (open_,) = margins(near)
    assert open_.startswith(
        "Whether hybrid alpha=0.5 keeps the monolingual mAP of X-X to within 0.01 is open: it has 0.0"
    )


def test_the_margin_can_be_set(apart: tuple[Study, FoundRuns]) -> None:
    found, _ = apart
    wide = study("facts", found.groups, margin=0.5)
    assert all("keeps the monolingual mAP of X-X to within 0.5 (p\xa0<\xa00.001)" in said for said in margins(wide))


def test_one_seed(tmp_path: Path) -> None:
    found, runs = of_sweep(tmp_path, APART, seeds=1)
    assert {estimate.over for estimate in found.estimates.values()} == {"questions"}
    assert caveats(found, runs) == [
        "One seed: intervals and tests are over questions only. Another seed might order the strategies otherwise; run "
        "at least three (seed=0,1,2)."
    ]


def test_uneven_seeds_unfinished_and_repeated_runs(tmp_path: Path) -> None:
    write_sweep(tmp_path, {1.0: {}})
    write_run(tmp_path / "h", seed=1)
    write_run(tmp_path / "y", "x_y", 0.0, seed=7)
    (write_run(tmp_path / "cut", seed=8) / "metrics.json").unlink()
    runs = find_runs([tmp_path])
    found = study("facts", grouped(runs.runs))
    hybrid, xx = found.groups[1], found.groups[2]
    assert comparable(hybrid, xx) == ([1], [1])
    assert found.pair(hybrid.label, xx.label, MONOLINGUAL).comparison.over == "questions"
    assert set(found.unpaired) == {("X-Y", "X-X")}
    assert caveats(found, runs) == [
        "One seed only: X-Y and hybrid alpha=0.5. Intervals of these are over questions only, and others are compared "
        "with them by the run of the same seed.",
        "Not compared, because one has a single run whose seed the other lacks: X-Y and X-X.",
        "1 unfinished run is left out: cut.",
    ]


def test_without_x_x_nothing_is_held_against_it(tmp_path: Path) -> None:
    found, _ = of_sweep(tmp_path, {0.0: {}, 0.5: {}}, seeds=1)
    assert reference_of(found.groups) is None
    assert found.margins == ()


def test_one_group(tmp_path: Path) -> None:
    found, _ = of_sweep(tmp_path, {0.5: {}}, seeds=2)
    assert headline(found) == "One strategy, hybrid alpha=0.5: nothing to compare it with"
    assert (sentences(found), margins(found), found.pairs) == ([], [], ())


def test_a_benchmark_without_language_pairs(tmp_path: Path) -> None:
    found, _ = of_sweep(tmp_path, {0.0: {}, 1.0: {}}, languages=("en",), seeds=1)
    assert found.measures == (MONOLINGUAL, MULTILINGUAL, RANK_DISTANCE)


def test_two_groups_are_told_without_a_next(tmp_path: Path) -> None:
    found, _ = of_sweep(tmp_path, {0.0: {"crosslingual": 0.5}, 1.0: {"crosslingual": 0.2}})
    (sentence,) = [said for said in sentences(found) if said.startswith("Across languages")]
    assert re.fullmatch(
        r"Across languages, X-Y has the highest mAP, 0\.\d{3}: 0\.\d{3} above X-X "
        r"\(95\xa0% interval \[0\.\d{3}, 0\.\d{3}\], p\xa0<\xa00\.001\)\.",
        sentence,
    )

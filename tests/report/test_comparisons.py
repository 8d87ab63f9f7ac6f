"""Estimates and tests of hand-made runs, and what the report says of them, word for word."""

import json
import re
from pathlib import Path

import pytest

from babelbatch.report.caveats import caveats
from babelbatch.report.comparisons import Study, reference_of, study
from babelbatch.report.grouping import grouped
from babelbatch.report.measures import CROSSLINGUAL, MEASURES, MONOLINGUAL, MULTILINGUAL, RANK_DISTANCE
from babelbatch.report.numbers import MISSING
from babelbatch.report.outcomes import Better, NotDifferent, NotTested
from babelbatch.report.page import write_report
from babelbatch.report.runs import FoundRuns, find_runs
from babelbatch.report.tables import legend, results
from babelbatch.report.verdicts import headline, margins, sentences
from run_folders import QUERIES, write_run, write_sweep

APART = {
    0.0: {"monolingual": 0.5, "crosslingual": 0.5, "multilingual": 0.4, "rank_distance": 50.0},
    0.5: {"monolingual": 0.6, "crosslingual": 0.4, "multilingual": 0.3, "rank_distance": 90.0},
    1.0: {"monolingual": 0.7, "crosslingual": 0.1, "multilingual": 0.1, "rank_distance": 400.0},
}
ALIKE = {alpha: {"monolingual": 0.6} for alpha in (0.0, 0.5, 1.0)}


def of_sweep(place: Path, levels: dict, **settings) -> tuple[Study, FoundRuns]:
    found = find_runs([write_sweep(place, levels, **settings)])
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
            assert (estimate.seeds, estimate.clusters, estimate.over) == (3, QUERIES, "queries and seeds")


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
    assert distance.endswith(
        " The mAP over the pool of X-Y and hybrid alpha=0.5 differs too (X-Y is better), so the distance is no measure "
        "of language bias alone."
    )
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
    assert headline(found) == "No strategy is significantly better than every other"
    assert not [measure for measure in MEASURES if found.winner(measure)]
    for sentence in sentences(found):
        assert "not significantly different from" in sentence
        assert re.search(r"and a difference of [\d.]+ would be found with probability 0\.8\.", sentence)


def test_a_setting_that_is_open_is_said_to_be(tmp_path: Path) -> None:
    found, _ = of_sweep(tmp_path, {0.0: {"crosslingual": 0.5}, 1.0: {"crosslingual": 0.2}})
    assert headline(found) == (
        "X-Y is best across languages; within a language and over the pool of all languages no strategy is "
        "significantly best"
    )


def test_those_behind_are_named_where_two_lead(tmp_path: Path) -> None:
    found, _ = of_sweep(tmp_path, {0.0: {"crosslingual": 0.5}, 0.5: {"crosslingual": 0.5}, 1.0: {"crosslingual": 0.2}})
    (sentence,) = [line for line in sentences(found) if line.startswith("Across languages")]
    assert sentence.endswith(" Significantly lower: X-X.")
    assert found.winner(CROSSLINGUAL) is None


def test_the_price_within_a_language(apart: tuple[Study, FoundRuns], tmp_path: Path) -> None:
    """A loss is stated by the test that it is larger than the margin, corrected as that of the opposite is."""
    found, _ = apart
    cost, _ = margins(found)
    assert re.fullmatch(
        r"X-Y costs monolingual mAP: 0\.\d{4} less than X-X, significantly more than the margin of 0\.01 "
        r"\(p\s<\s0\.001\)\.",
        cost,
    )
    near, _ = of_sweep(tmp_path, {0.5: {"monolingual": 0.59}, 1.0: {"monolingual": 0.6}}, seeds=2)
    (open_,) = margins(near)
    assert open_.startswith(
        "Whether hybrid alpha=0.5 keeps the monolingual mAP of X-X to within 0.01 is open: it has 0.0"
    )
    tests = [each for each in near.margins]
    assert [each.p_value for each in tests] >= [each.test.p_value for each in tests]
    smaller, larger = sorted((tests[0].test.p_value, tests[0].test.loss_p_value))
    assert sorted((tests[0].p_value, tests[0].loss_p_value)) == pytest.approx(
        [min(1, 2 * smaller), max(min(1, 2 * smaller), larger)]
    )


def test_the_margin_can_be_set(apart: tuple[Study, FoundRuns]) -> None:
    found, _ = apart
    wide = study("facts", found.groups, margin=0.5)
    assert all("keeps the monolingual mAP of X-X to within 0.5 (p\xa0<\xa00.001)" in line for line in margins(wide))


def test_one_seed_compares_runs_and_not_strategies(tmp_path: Path) -> None:
    found, runs = of_sweep(tmp_path, APART, seeds=1)
    assert {estimate.over for estimate in found.estimates.values()} == {"queries"}
    assert headline(found) == "One run each: to say which strategy is better takes at least three seeds"
    assert [found.winner(measure) for measure in MEASURES] == [None] * 4
    assert not [cell for *_, cells in results(found).rows for cell in cells if cell.best or cell.ties_best]
    for sentence in sentences(found):
        assert re.search(
            r"the run of (X-X|X-Y) has the (high|low)est .* the run of hybrid alpha=0\.5 \(", sentence, re.I
        )
        assert "over queries)" in sentence
    assert all("the run of X-X" in sentence for sentence in margins(found))
    assert caveats([found], runs)[0] == (
        "One run of each strategy. Run at least three seeds (seed=0,1,2) to compare strategies: other seeds can order "
        "them otherwise. Until then this page compares runs, and its intervals and tests are over queries only."
    )


def test_one_run_beside_several_is_not_tested(tmp_path: Path) -> None:
    """X-X scores .40, .60 and .62 by seed, X-Y .50 in its one run, with the seed of the worst: no test of that seed
    alone stands in for the mean of three."""
    for seed, scatter in enumerate((-0.2, 0.0, 0.02)):
        write_run(tmp_path / f"x{seed}", "x_x", 1.0, seed, scatter=scatter)
    write_run(tmp_path / "y", "x_y", 0.0, 0, scatter=-0.1)
    write_run(tmp_path / "h", seed=1)
    (write_run(tmp_path / "cut", seed=8) / "metrics.json").unlink()
    runs = find_runs([tmp_path])
    found = study("facts", grouped(runs.runs))
    outcome = found.outcome("X-X", "X-Y", MONOLINGUAL)
    assert outcome == NotTested("X-Y", "X-X", "X-Y has one run, which does not show how much its training varies")
    assert headline(found) == (
        "One run of X-Y and hybrid alpha=0.5: to say which strategy is better takes at least three seeds of each"
    )
    assert not any("the run of X-X" in sentence for sentence in sentences(found))
    assert not any("X-Y" in sentence for sentence in margins(found))
    assert isinstance(found.outcome("X-Y", "hybrid alpha=0.5", MONOLINGUAL), Better)
    assert caveats([found], runs) == [
        "One run only: X-Y and hybrid alpha=0.5. A single run does not show how much its training varies, so they are "
        "not tested against strategies of several runs; their intervals are over queries only. Run more seeds.",
        "facts: 40 queries, taken as independent: some runs do not record which queries are about one article, passage "
        "or subject. Evaluate them again to have these clustered.",
        "1 unfinished run is left out: cut.",
    ]


def test_strategies_of_several_runs_are_judged_beside_one_that_is_not(tmp_path: Path) -> None:
    write_sweep(tmp_path, {0.0: APART[0.0], 1.0: APART[1.0]})
    write_run(tmp_path / "h", level={"monolingual": 0.9, "multilingual": 0.9})
    found = study("facts", grouped(find_runs([tmp_path]).runs))
    assert headline(found) == (
        "X-X is best of those tested within a language, and X-Y across languages and over the pool of all languages"
    )
    within, *_, untested = sentences(found)
    assert within.startswith("Within a language, X-X has, of those tested, the highest mAP, 0.6")
    assert re.fullmatch(
        r"Not tested against strategies of several runs, because a single run does not show how much its training "
        r"varies: hybrid alpha=0\.5 \(0\.(8|9)\d\d\); in brackets mAP over the pool of all languages\.",
        untested,
    )
    assert "In bold: significantly better than every other strategy that was tested" in legend(results(found), "bold")


def test_not_different_from_the_best_of_those_tested(tmp_path: Path) -> None:
    """The single run is far above the two that are marked."""
    write_sweep(tmp_path, {0.0: {"monolingual": 0.585}, 1.0: {"monolingual": 0.58}})
    write_run(tmp_path / "h", level={"monolingual": 0.9})
    found = study("facts", grouped(find_runs([tmp_path]).runs))
    marked = [label for label, _, cells in results(found).rows if cells[0].ties_best]
    assert marked == ["X-Y", "X-X"]
    assert "≈: not significantly different from the best of those tested." in legend(results(found), "bold")


def test_single_runs_beside_fixed_systems_are_runs(tmp_path: Path) -> None:
    """A pilot: the fixed systems are no strategies that win because nothing else has several seeds."""
    for strategy, alpha in (("x_x", 1.0), ("x_y", 0.0)):
        write_run(tmp_path / strategy, strategy, alpha, level=APART[alpha])
    fixed_system(tmp_path / "bm25", monolingual=0.3, crosslingual=0.3, multilingual=0.3)
    found = study("facts", grouped(find_runs([tmp_path]).runs))
    assert headline(found) == "One run each: to say which strategy is better takes at least three seeds"
    assert sentences(found)[0].startswith("Within a language, the run of X-X has the highest mAP")
    assert not any(cell.best for *_, cells in results(found).rows for cell in cells)
    assert [seeds for _, seeds, _ in results(found).rows] == ["1", "1", MISSING]
    assert all("the run of X" in sentence for sentence in margins(found))


def fixed_system(folder: Path, **level: float) -> Path:
    """The evaluation of an encoder that was not trained here."""
    nothing = dict.fromkeys(("strategy", "alpha", "seed", "steps", "seconds/train"))
    settings = {"sampling": {}, "seed": None, "encoder": {"_target_": "babelbatch.lexical.BM25"}}
    return write_run(folder, facts=nothing, settings=settings, level=level)


def test_three_seeds_beside_a_fixed_system(tmp_path: Path) -> None:
    """0.75 beside 0.36 is a difference, whatever the seeds of the one; the other has none."""
    for seed in range(3):
        write_run(tmp_path / f"x{seed}", "x_x", 1.0, seed, level={"multilingual": 0.36}, scatter=0.004 * (seed - 1))
    fixed_system(tmp_path / "bm25", monolingual=0.75, crosslingual=0.3, multilingual=0.75, rank_distance=100.0)
    found = study("facts", grouped(find_runs([tmp_path]).runs))
    outcome = found.outcome("BM25", "X-X", MULTILINGUAL)
    assert isinstance(outcome, Better)
    assert (outcome.winner, outcome.loser) == ("BM25", "X-X")
    assert sorted(outcome.pair.comparison.runs) == [1, 3]
    assert outcome.pair.comparison.over == "queries and seeds"
    assert headline(found) == (
        "BM25 is best within a language and over the pool of all languages, and X-X across languages"
    )
    assert re.match(
        r"Over the pool of all languages, BM25 has the highest mAP, 0\.7\d\d: 0\.3\d\d above X-X \(95\s%",
        sentences(found)[2],
    )


def test_many_groups_do_not_hide_a_difference(tmp_path: Path) -> None:
    """20 groups 0.045 apart make 760 tests. 9,999 random draws could not say less than p = 0.0001, and Holm would make
    that 0.076."""
    levels = {number / 20: {"monolingual": 0.05 + 0.045 * number} for number in range(20)}
    write_sweep(tmp_path, levels, seeds=5, languages=("de", "en"))
    found = study("facts", grouped(find_runs([tmp_path]).runs))
    assert len(found.pairs) == 190 * 4
    best, second = found.best(MONOLINGUAL)[:2]
    pair = found.pair(best, second, MONOLINGUAL)
    assert pair.p_value < 0.05
    assert found.winner(MONOLINGUAL) == best == "hybrid alpha=0.95"
    like = [found.outcome(best, other, CROSSLINGUAL) for other in found.best(CROSSLINGUAL)[1:]]
    assert sum(isinstance(outcome, NotDifferent) for outcome in like) > 6
    across = sentences(found)[1]
    assert re.search(
        r"not significantly different from (hybrid alpha=[\d.]+(, | and )|X-Y, ){4,5}.* and \d+ others: ", across
    )


def test_queries_of_an_article_are_one_observation(tmp_path: Path) -> None:
    for folder, alpha in (("x", 1.0), ("y", 0.0)):
        for seed in range(3):
            write_run(tmp_path / f"{folder}{seed}", f"x_{folder}", alpha, seed, article=4)
    runs = find_runs([tmp_path])
    found = study("facts", grouped(runs.runs))
    assert {pair.comparison.clusters for pair in found.pairs} == {10}
    assert {estimate.clusters for estimate in found.estimates.values()} == {10}
    assert caveats([found], runs) == [
        "facts: 40 queries in 10 articles; the queries of one article, in all languages, are one observation."
    ]
    write_run(tmp_path / "old", seed=5)  # by an earlier version
    runs = find_runs([tmp_path])
    found = study("facts", grouped(runs.runs))
    assert {pair.comparison.clusters for pair in found.pairs} == {40}
    notes = caveats([found], runs)
    assert notes[1].startswith("facts: 40 queries, taken as independent: some runs do not record which")


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
    (sentence,) = [line for line in sentences(found) if line.startswith("Across languages")]
    assert re.fullmatch(
        r"Across languages, X-Y has the highest mAP, 0\.\d{3}: 0\.\d{3} above X-X "
        r"\(95\xa0% interval \[0\.\d{3}, 0\.\d{3}\], p\xa0<\xa00\.001\)\.",
        sentence,
    )


def test_two_seeds_that_differ_wildly_say_nothing_and_leave_no_range(tmp_path: Path) -> None:
    """mAP lies between 0 and 1: no interval goes on beyond, and no difference above 1 is called visible."""
    for strategy, alpha, scatters in (("x_x", 1.0, (-0.2, 0.3)), ("x_y", 0.0, (-0.25, 0.25))):
        for seed, scatter in enumerate(scatters):
            write_run(tmp_path / f"{strategy}-{seed}", strategy, alpha, seed, scatter=scatter)
    found = study("facts", grouped(find_runs([tmp_path]).runs))
    for label in ("X-X", "X-Y"):
        estimate = found.estimates[label, MONOLINGUAL]
        assert (estimate.low, estimate.high) == (0.0, 1.0)
        assert (label, MONOLINGUAL) in found.cut
    outcome = found.outcome("X-X", "X-Y", MONOLINGUAL)
    assert isinstance(outcome, NotDifferent)
    assert outcome.detectable > 1
    sentence = sentences(found)[0]
    assert sentence.endswith("and no difference would be found with probability 0.8.")
    assert "[−1.000, 1.000]" in sentence
    assert "intervals are cut at an end of the measure's range" in write_report([tmp_path], tmp_path / "r").read_text(
        "utf-8"
    )

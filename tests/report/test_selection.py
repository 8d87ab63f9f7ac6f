"""Hyperparameters are selected by a validation score, before anything is tested on a benchmark."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from babelbatch.report.command import parse
from babelbatch.report.grouping import Hyperparameters, grouped
from babelbatch.report.page import build_report, write_report
from babelbatch.report.runs import find_runs
from babelbatch.report.selection import Choice, choices, rule_for, selected
from babelbatch.report.selection_rule import Rule
from babelbatch.report.settings import Settings
from run_folders import write_run

KEY = "validation/multilingual/map"
ITEMS = {"fingerprint/validation_queries": "abc"}


def tried(
    place: Path, strategy: str, alpha: float, lr: float, scores: Mapping[int, float], test: float = 0.3, **more: object
) -> None:
    """Runs of one candidate: seed -> validation score. test: their score on the benchmark."""
    for seed, score in scores.items():
        write_run(
            place / f"{strategy}-{alpha}-{lr}-{seed}", strategy, alpha, seed,
            level={"multilingual": test}, facts=ITEMS | {KEY: score}, settings={"optimizer": {"lr": lr}}, **more,
        )  # fmt: skip


def best_on_validation_is_not_best_on_test(place: Path) -> Path:
    tried(place, "x_x", 1.0, 0.001, {0: 0.50, 1: 0.52}, test=0.20)
    tried(place, "x_x", 1.0, 0.003, {0: 0.40, 1: 0.42}, test=0.60)
    tried(place, "hybrid", 0.25, 0.001, {0: 0.30, 1: 0.80}, test=0.50)
    tried(place, "hybrid", 0.5, 0.001, {0: 0.60, 1: 0.52}, test=0.40)
    tried(place, "hybrid", 0.5, 0.003, {0: 0.10, 1: 0.12}, test=0.70)
    return place


def made(place: Path, rule: Rule) -> list[Choice]:
    return choices(find_runs([place]).runs, rule)


def test_each_strategy_keeps_its_best_candidate_by_the_mean_over_seeds(tmp_path: Path) -> None:
    hybrid, pure = made(best_on_validation_is_not_best_on_test(tmp_path), Rule(KEY))
    assert hybrid.winner.hyperparameters == {"optimizer.lr": 0.001, "sampling.alpha": 0.5}
    assert [candidate.score for candidate in hybrid.candidates] == pytest.approx([0.55, 0.56, 0.11])
    assert pure.winner.hyperparameters == {"optimizer.lr": 0.001, "sampling.alpha": 1}
    assert pure.winner.score == pytest.approx(0.51)
    names = [run.folder.name for run in selected([hybrid, pure])]
    assert names == ["hybrid-0.5-0.001-0", "hybrid-0.5-0.001-1", "x_x-1.0-0.001-0", "x_x-1.0-0.001-1"]


def test_each_seed_keeps_its_best_candidate(tmp_path: Path) -> None:
    found = made(best_on_validation_is_not_best_on_test(tmp_path), Rule(KEY, "seed"))
    assert [(choice.seed, choice.winner.hyperparameters["sampling.alpha"]) for choice in found] == [
        (0, 0.5), (1, 0.25), (0, 1), (1, 1),
    ]  # fmt: skip
    groups = grouped(selected(found), Hyperparameters(Rule(KEY).among))
    assert [(group.label, group.alpha, group.seeds) for group in groups] == [
        ("X-X", 1.0, (0, 1)), ("hybrid", None, (0, 1)),
    ]  # fmt: skip


def test_only_what_is_named_is_selected_among(tmp_path: Path) -> None:
    found = made(best_on_validation_is_not_best_on_test(tmp_path), Rule(KEY, among=("optimizer",)))
    assert [choice.winner.hyperparameters for choice in found] == [{"optimizer.lr": 0.001}] * 3
    labels = [group.label for group in grouped(selected(found), Hyperparameters(("optimizer",)))]
    assert labels == ["hybrid alpha=0.25", "hybrid alpha=0.5", "X-X"]
    assert not Hyperparameters(("optimizer",)).includes("optimizer._target_")
    assert Hyperparameters(("optimizer._target_",)).includes("optimizer._target_")


def test_less_rank_distance_is_better(tmp_path: Path) -> None:
    for lr, distance in ((0.1, 30.0), (0.2, 10.0), (0.3, 20.0)):
        write_run(
            tmp_path / str(lr), facts=ITEMS | {"validation/multilingual/rank_distance": distance},
            settings={"optimizer": {"lr": lr}},
        )  # fmt: skip
    (choice,) = made(tmp_path, Rule("validation/multilingual/rank_distance"))
    assert choice.winner.hyperparameters["optimizer.lr"] == 0.2


def test_a_metric_of_the_users_own_says_which_end_is_better(tmp_path: Path) -> None:
    for lr, value in ((0.1, 3.0), (0.2, 1.0)):
        facts = ITEMS | {"validation/multilingual/gap": value, "custom_metric/gap": "lower"}
        write_run(tmp_path / str(lr), facts=facts, settings={"optimizer": {"lr": lr}})
    runs = find_runs([tmp_path]).runs
    rule = rule_for(runs, {"select": "validation/multilingual/gap"})
    assert rule is not None
    assert choices(runs, rule)[0].winner.hyperparameters["optimizer.lr"] == 0.2


def test_pure_hybrids_are_the_pure_strategies(tmp_path: Path) -> None:
    for alpha, score in ((0.0, 0.1), (0.25, 0.2), (0.5, 0.3), (1.0, 0.4)):
        tried(tmp_path, "hybrid", alpha, 0.001, {0: score})
    found = made(tmp_path, Rule(KEY))
    assert [choice.winner.hyperparameters["sampling.alpha"] for choice in found] == [0.5, 1, 0]
    groups = grouped(selected(found), Hyperparameters(Rule(KEY).among))
    assert [(group.label, group.strategy, group.alpha) for group in groups] == [
        ("X-Y", "x_y", 0.0), ("hybrid", "hybrid", 0.5), ("X-X", "x_x", 1.0),
    ]  # fmt: skip


def test_candidates_are_scored_over_the_seeds_that_all_have(tmp_path: Path) -> None:
    """A pilot on seed 0; the winner has more seeds, whose scores are not compared with those of one seed."""
    tried(tmp_path, "x_x", 1.0, 0.001, {0: 0.5, 1: 0.1, 2: 0.1})
    tried(tmp_path, "x_x", 1.0, 0.003, {0: 0.4})
    (choice,) = made(tmp_path, Rule(KEY))
    assert choice.seeds == (0,)
    assert choice.winner.score == 0.5
    assert [run.seed for run in choice.winner.runs] == [0, 1, 2]


def test_a_single_candidate_needs_no_score(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "x_x", 1.0)
    write_run(tmp_path / "bm25", facts={"seed": None, "strategy": None, "alpha": None}, settings={"sampling": {}})
    report = build_report([tmp_path], Settings(select={"select": KEY}))
    assert report.selection is not None
    assert report.selection.sentences == ("Every strategy has one candidate: there was nothing to select.",)
    assert len(report.groups) == 2


def test_what_cannot_be_selected(tmp_path: Path) -> None:
    tried(tmp_path / "a", "x_x", 1.0, 0.001, {0: 0.5})
    tried(tmp_path / "a", "x_x", 1.0, 0.003, {1: 0.5})
    tried(tmp_path / "b", "x_y", 0.0, 0.001, {0: 0.5})
    write_run(tmp_path / "b" / "none", "x_y", 0.0, settings={"optimizer": {"lr": 0.003}})
    tried(tmp_path / "c", "hybrid", 0.5, 0.001, {0: 0.5})
    write_run(
        tmp_path / "c" / "other", facts={KEY: 0.1, "fingerprint/validation_queries": "def"},
        settings={"optimizer": {"lr": 0.003}},
    )  # fmt: skip
    with pytest.raises(ValueError, match="select") as found:
        made(tmp_path, Rule(KEY))
    assert str(found.value).splitlines() == [
        f"select: {tmp_path}/c/hybrid-0.5-0.001-0, {tmp_path}/c/other have other validation items; train them with "
        "equal ones",
        f"select: the candidates {tmp_path}/a/x_x-1.0-0.001-0, {tmp_path}/a/x_x-1.0-0.003-1 have no seed in common, so "
        "they cannot be compared on validation; run all of them with one seed more",
        f"select: no validation/multilingual/map in {tmp_path}/b/none (there are: validation/multilingual/map); train "
        "with validation items and data.validation_queries above 0, or set select=none",
    ]


def test_the_page_compares_the_selected_runs_alone(tmp_path: Path) -> None:
    best_on_validation_is_not_best_on_test(tmp_path)
    page = write_report([tmp_path], tmp_path / "report", Settings(select={"select": KEY})).read_text("utf-8")
    report = build_report([tmp_path], Settings(select={"select": KEY}))
    assert [group.label for group in report.groups] == ["hybrid", "X-X"]
    assert report.studies[0].estimates["hybrid", report.studies[0].widest].value == pytest.approx(0.4, abs=0.02)
    assert report.selection is not None
    assert report.selection.sentences == (
        "Hybrid: alpha=0.5 lr=0.001, the best of 3 candidates by validation mAP over the pool of all languages, "
        "0.5600.",
        "X-X: lr=0.001, the best of 2 candidates by validation mAP over the pool of all languages, 0.5100.",
        "Unequal budgets: the number of candidates is 2 for X-X; 3 for hybrid. More candidates make a better choice "
        "more likely, so a part of a difference may be due to the search.",
    )
    assert page.index("How were hyperparameters selected?") < page.index("which strategy is best?")
    assert "6 runs were tried and not selected on validation, and are left out of every comparison." in page
    rows = (tmp_path / "report" / "data" / "selection.csv").read_text().splitlines()
    assert rows == [
        "group,seed,hyperparameters,validation/multilingual/map,seeds,selected,candidates",
        "hybrid,,alpha=0.25 lr=0.001,0.55,0 1,False,3",
        "hybrid,,alpha=0.5 lr=0.001,0.56,0 1,True,3",
        "hybrid,,alpha=0.5 lr=0.003,0.11,0 1,False,3",
        "X-X,,lr=0.001,0.51,0 1,True,2",
        "X-X,,lr=0.003,0.41000000000000003,0 1,False,2",
    ]
    assert "## How were hyperparameters selected?" in (tmp_path / "report" / "report.md").read_text("utf-8")


def test_the_curve_over_alpha_is_a_description_and_has_every_alpha(tmp_path: Path) -> None:
    best_on_validation_is_not_best_on_test(tmp_path)
    write_report([tmp_path], tmp_path / "report", Settings(select={"select": KEY}))
    curve = (tmp_path / "report" / "data" / "facts_alpha_multilingual_map.csv").read_text().splitlines()
    alphas = [(line.split(",")[1], round(float(line.split(",")[2]), 1)) for line in curve[1:]]
    assert alphas == [("0.25", 0.5), ("0.5", 0.4), ("1.0", 0.2)]
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert (
        "the curve has every alpha that was tried, each with its other hyperparameters selected on validation" in page
    )
    assert "alpha itself was selected there too" in page
    plain = write_report([tmp_path], tmp_path / "plain").read_text("utf-8")
    assert "an alpha chosen by them looks better than it is" in plain
    rates_alone = Settings(select={"select": KEY, "select_among": ["optimizer.lr"]})
    of_rates = write_report([tmp_path], tmp_path / "rates", rates_alone).read_text("utf-8")
    assert (
        "looks better than it is. Alpha was not selected on validation; the settings that were may differ" in of_rates
    )
    assert "selected there too" not in of_rates
    assert "selected there too" not in plain


def test_what_chose_weights_or_changed_vectors_is_said_beside_the_selection(tmp_path: Path) -> None:
    def note(name: str, facts: Mapping[str, object], settings: Mapping[str, object], wanted: object) -> str:
        for lr in (0.001, 0.003):
            scored = ITEMS | {KEY: lr, "validation/monolingual/map": lr} | facts
            write_run(tmp_path / name / str(lr), facts=scored, settings={"optimizer": {"lr": lr}} | settings)
        report = build_report([tmp_path / name], Settings(select={"select": wanted}))
        assert report.selection is not None
        return report.selection.note.partition("compared on benchmarks; ")[2]

    monitored = {"callbacks": {"best": {"monitor": "facts/multilingual/map"}}}
    evaluated = {"trained/sampling.name": "hybrid"}
    for place, wanted in (("one", KEY), ("front", [KEY, "validation/monolingual/map"])):
        assert note(f"{place}/plain", {}, {}, wanted) == "no candidate was judged by its score on a benchmark."
        assert note(f"{place}/monitored", {}, monitored, wanted) == (
            "but weights of some candidates were chosen by a score on a benchmark, while they were trained."
        )
        assert note(f"{place}/debiased", evaluated, {"evaluation": {"debias": "lir"}}, wanted) == (
            "no candidate was judged by its score on a benchmark. Validation scores are those of the trained runs, "
            "without the evaluation.debias of their evaluations."
        )


def test_where_nothing_was_selected_the_results_come_first(tmp_path: Path) -> None:
    for strategy, alpha in (("x_x", 1.0), ("hybrid", 0.5)):
        tried(tmp_path, strategy, alpha, 0.001, {0: 0.5, 1: 0.5})
    page = write_report([tmp_path], tmp_path / "report", Settings(select={"select": KEY})).read_text("utf-8")
    assert page.index("which strategy is best?") < page.index("How were hyperparameters selected?")
    assert "How were hyperparameters selected?" not in (tmp_path / "report" / "report.md").read_text("utf-8")


def test_a_system_that_was_not_trained_is_no_candidate(tmp_path: Path) -> None:
    best_on_validation_is_not_best_on_test(tmp_path)
    nothing = dict.fromkeys(("strategy", "alpha", "seed", "steps", "seconds/train"))
    settings = {"sampling": {}, "seed": None, "encoder": {"_target_": "babelbatch.lexical.BM25"}}
    write_run(tmp_path / "bm25", facts=nothing, settings=settings)
    report = build_report([tmp_path], Settings(select={"select": KEY}))
    assert [group.label for group in report.groups] == ["hybrid", "X-X", "BM25"]
    assert report.selection is not None
    assert {row[0] for row in report.selection.data.rows} == {"hybrid", "X-X"}


def test_the_end_of_a_grid_is_pointed_out(tmp_path: Path) -> None:
    for lr, score in ((0.001, 0.1), (0.003, 0.2), (0.01, 0.3)):
        tried(tmp_path, "x_x", 1.0, lr, {0: score})
    report = build_report([tmp_path], Settings(select={"select": KEY}))
    assert report.selection is not None
    assert report.selection.sentences == (
        "X-X: lr=0.01, the best of 3 candidates by validation mAP over the pool of all languages, 0.3000. Its lr "
        "is the largest of 3: the best may lie beyond.",
    )


def test_planned_comparisons_are_of_selected_runs_whatever_their_learning_rates(tmp_path: Path) -> None:
    plan = {"report": {"contrasts": [{"group": "hybrid", "against": "x_x", "measure": "multilingual"}], "select": KEY}}
    for strategy, alpha, best in (("x_x", 1.0, 0.001), ("hybrid", 0.5, 0.003)):
        for lr in (0.001, 0.003):
            for seed in range(2):
                write_run(
                    tmp_path / f"{strategy}-{lr}-{seed}", strategy, alpha, seed,
                    facts=ITEMS | {KEY: 0.5 if lr == best else 0.4}, settings={"optimizer": {"lr": lr}} | plan,
                )  # fmt: skip
    report = build_report([tmp_path])
    (planned,) = report.studies[0].planned
    assert (planned.a.label, planned.b.label) == ("hybrid", "X-X")
    assert planned.a.runs[0].settings["optimizer.lr"] == 0.003
    assert planned.b.runs[0].settings["optimizer.lr"] == 0.001
    assert build_report([tmp_path], Settings(select={"select": "none"})).selection is None


def test_runs_that_select_differently(tmp_path: Path) -> None:
    for lr, key in ((0.1, KEY), (0.2, "validation/monolingual/map")):
        tried_with = {"optimizer": {"lr": lr}, "report": {"select": key}}
        write_run(tmp_path / str(lr), settings=tried_with, facts=ITEMS | {key: 0.1})
    with pytest.raises(ValueError, match=r"^report\.select: ") as found:
        rule_for(find_runs([tmp_path]).runs, {})
    among = "optimizer, scheduler, loss.temperature, sampling.alpha"
    assert str(found.value) == (
        f"report.select: {tmp_path}/0.1 selects by validation/multilingual/map per strategy among {among}, "
        f"{tmp_path}/0.2 by validation/monolingual/map per strategy among {among}; set select= for both, or select=none"
    )


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"select": "xquad_r/multilingual/map"},
         "select: 'xquad_r/multilingual/map' is no validation score; name one, such as validation/multilingual/map"),
        ({"select": "validation/loss"},
         "select: 'validation/loss' is no validation score (a loss is not comparable between temperatures); name one, "
         "such as validation/multilingual/map"),
        ({"select": "validation/multilingual/language_preference"},
         "select: 'validation/multilingual/language_preference' is no validation score; name one, such as "
         "validation/multilingual/map"),
        ({"select": KEY, "select_per": "run"}, "select_per: 'run' is none of strategy, seed"),
        ({"select": KEY, "select_among": ["lr="]},
         "select_among: it is no list of settings; write [optimizer.lr, sampling.alpha]"),
        ({"select_per": "seed"},
         "select_per: nothing is selected; set select=validation/multilingual/map, or leave it out"),
    ],
)  # fmt: skip
def test_rules_that_say_nothing(wanted: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        rule_for([], wanted)


def test_the_command_line(tmp_path: Path) -> None:
    arguments = [f"runs={tmp_path}", f"select={KEY}", "select_per=seed", "select_among=optimizer.lr,sampling.alpha"]
    assert parse(arguments)[2].select == {
        "select": KEY, "select_per": "seed", "select_among": ["optimizer.lr", "sampling.alpha"],
    }  # fmt: skip


def test_a_rule_makes_no_other_run(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "x_x", 1.0)
    again = write_run(tmp_path / "b", "x_x", 1.0, settings={"report": {"select": KEY}})
    assert find_runs([tmp_path]).repeated == [again]


def test_a_configuration_with_a_rule_that_says_nothing_is_named(tmp_path: Path) -> None:
    write_run(tmp_path / "a", settings={"report": {"select": "map"}})
    with pytest.raises(ValueError, match="'map' is no validation score"):
        find_runs([tmp_path])
    assert json.loads((tmp_path / "a" / "metrics.json").read_text())["seed"] == 0

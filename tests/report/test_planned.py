"""Planned comparisons: one family of their own, said first, and what is wrong with them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from babelbatch.report import command
from babelbatch.report.comparisons import Study, study
from babelbatch.report.contrasts import Contrast, contrasts_of, plan_for
from babelbatch.report.grouping import grouped
from babelbatch.report.page import build_report, markdown, write_report
from babelbatch.report.planned import sentences
from babelbatch.report.runs import find_runs
from babelbatch.report.settings import Settings
from babelbatch.report.verdicts import headline, planned
from babelbatch.statistics import holm
from run_folders import write_run, write_sweep

LEVELS = {
    0.0: {"monolingual": 0.50, "crosslingual": 0.40, "multilingual": 0.30},
    0.5: {"monolingual": 0.60, "crosslingual": 0.40, "multilingual": 0.30, "rank_distance": 101.0},
    1.0: {"monolingual": 0.60, "crosslingual": 0.10, "multilingual": 0.30, "rank_distance": 102.0},
}
CONTRASTS = [
    {"group": "hybrid", "against": "x_x", "measure": "monolingual", "margin": 0.02},
    {"group": "hybrid", "against": "x_x", "measure": "crosslingual"},
    {"group": "hybrid", "against": "x_y", "measure": "multilingual"},
    {"group": "x_y", "against": "hybrid", "measure": "monolingual"},
]


def planned_study(place: Path, **options: object) -> Study:
    write_sweep(place, LEVELS, settings={"report": {"contrasts": CONTRASTS}}, **options)
    (found,) = build_report([place], Settings()).studies
    return found


def test_planned_comparisons_are_a_family_of_their_own(tmp_path: Path) -> None:
    found = planned_study(tmp_path)
    assert len(found.pairs) == 12
    assert [each.p_value for each in found.planned] == holm([each.test.p_value for each in found.planned])
    assert headline(found) == (
        "Hybrid alpha=0.5 keeps the mAP of X-X within a language to within 0.02; hybrid alpha=0.5 is better than X-X "
        "across languages; X-Y is worse than hybrid alpha=0.5 within a language; 1 of 4 planned comparisons is not "
        "significant"
    )
    keeps, better, open_, worse = sentences(found.planned, 0.95)
    assert re.fullmatch(
        r"Hybrid alpha=0\.5 keeps the mAP of X-X within a language to within 0\.02 "
        r"\(mAP [+−]?0\.00\d, p\s=\s0\.0\d\d\)\.",
        keeps,
    )
    assert re.fullmatch(
        r"Hybrid alpha=0\.5 is better than X-X across languages \(mAP \+0\.3\d\d, 95\s% interval "
        r"\[\+0\.\d{3}, \+0\.\d{3}\], p\s<\s0\.001\)\.",
        better,
    )
    assert re.fullmatch(
        r"Hybrid alpha=0\.5 is not significantly different from X-Y over the pool of all languages \(mAP .*, p\s=\s.*; "
        r"a difference of 0\.0\d\d would be found with probability 0\.8\)\.",
        open_,
    )
    assert worse.startswith("X-Y is worse than hybrid alpha=0.5 within a language (mAP −0.")


def test_the_headline_counts_where_there_is_too_much_to_spell_out(tmp_path: Path) -> None:
    against_x_y = [{"group": "hybrid", "against": "x_y", "measure": "monolingual"}]
    worse = [{"group": "hybrid", "against": "x_y", "measure": "rank_distance"}]
    cases = {
        "Of 5 planned comparisons 3 hold and 1 fail; 1 is not significant": CONTRASTS + against_x_y,
        "Hybrid alpha=0.5 is better, or loses less than the margin, in 4 of 5 planned comparisons; "
        "1 is not significant": CONTRASTS[:3] + against_x_y
        + [{"group": "hybrid", "against": "x_y", "measure": "monolingual", "margin": 0.01}],
    }  # fmt: skip
    levels = {
        0.0: LEVELS[0.0] | {"rank_distance": 80.0},
        0.5: LEVELS[0.5],
        1.0: LEVELS[1.0] | {"multilingual": 0.1, "monolingual": 0.5},
    }
    for number, (expected, contrasts) in enumerate(cases.items()):
        write_sweep(tmp_path / str(number), LEVELS, settings={"report": {"contrasts": contrasts}})
        (found,) = build_report([tmp_path / str(number)], Settings()).studies
        assert headline(found) == expected
    contrasts = [
        {"group": "hybrid", "against": "x_x", "measure": measure}
        for measure in ("monolingual", "crosslingual", "multilingual")
    ] + worse
    write_sweep(tmp_path / "worse", levels, settings={"report": {"contrasts": contrasts}})
    (found,) = build_report([tmp_path / "worse"], Settings()).studies
    assert headline(found) == "Hybrid alpha=0.5 is better in 3 of 4 planned comparisons, and worse in 1"


def test_a_margin_that_is_missed_by_far_is_not_called_open(tmp_path: Path) -> None:
    """Below it stands that hybrid costs significantly more than the margin."""
    contrasts = [{"group": "hybrid", "against": "x_x", "measure": "monolingual", "margin": 0.01}]
    levels = {0.5: {"monolingual": 0.4}, 1.0: {"monolingual": 0.6}}
    write_sweep(tmp_path, levels, settings={"report": {"contrasts": contrasts}})
    (found,) = build_report([tmp_path], Settings()).studies
    (sentence,) = sentences(found.planned, 0.95)
    assert re.fullmatch(
        r"That hybrid alpha=0\.5 keeps the mAP of X-X within a language to within 0\.01 is not shown "
        r"\(mAP −0\.\d{3}, p\s=\s1\.00\)\.",
        sentence,
    )


def test_strategies_that_mean_different_pairs_by_x_y_are_not_a_planned_pair(tmp_path: Path) -> None:
    """Hybrid through English differs from X-Y in all languages in more than alpha; X-X has no X-Y batches."""
    sampling = {"name": "hybrid", "alpha": 0.5, "cross_language": "english"}
    against = [{"group": "hybrid", "against": each, "measure": "multilingual"} for each in ("x_x", "x_y")]
    contrasts = {"report": {"contrasts": against}}
    write_sweep(tmp_path, {0.0: {}, 1.0: {}}, settings=contrasts)
    for seed in range(3):
        write_run(tmp_path / f"english{seed}", "hybrid", 0.5, seed, settings=contrasts | {"sampling": sampling})
    (found,) = build_report([tmp_path], Settings()).studies
    assert [each.b.label for each in found.planned] == ["X-X"]


def test_fewer_tests_leave_more_power(tmp_path: Path) -> None:
    found = planned_study(tmp_path)
    (planned,) = [each for each in found.planned if each.detectable and not each.holds(0.95) and not each.fails(0.95)]
    pair = found.pair("hybrid alpha=0.5", "X-Y", planned.measure)
    assert planned.test.p_value == pytest.approx(pair.comparison.p_value)
    assert planned.p_value <= pair.p_value
    assert planned.detectable < pair.detectable


@pytest.mark.parametrize(("pool", "explained"), [(0.32, True), (0.30, False), (0.40, False)])
def test_the_page_explains_a_planned_result_that_differs_among_all_pairs(
    tmp_path: Path, pool: float, explained: bool
) -> None:
    levels = {0.0: {"multilingual": 0.30}, 0.5: {"multilingual": pool}, 1.0: {"multilingual": 0.30}}
    contrasts = [{"group": "hybrid", "against": "x_y", "measure": "multilingual"}]
    write_sweep(tmp_path, levels, settings={"report": {"contrasts": contrasts}})
    report = build_report([tmp_path], Settings())
    first, *rest = planned(report.studies[0], report.plan)
    assert ("is better than X-Y" in first) is (pool > 0.3)
    assert (
        rest
        == [
            "Among the 12 exploratory comparisons, which Holm corrects together, hybrid alpha=0.5 is not significantly "
            "different from X-Y over the pool of all languages (p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.14). The "
            "planned comparison decides, because it was chosen before the results were known."
        ][: int(explained)]
    )
    assert all(sentence in markdown(report) for sentence in rest)


def test_the_page_says_what_was_planned_and_what_is_exploratory(tmp_path: Path) -> None:
    write_sweep(tmp_path, LEVELS, settings={"report": {"contrasts": CONTRASTS}})
    page = write_report([tmp_path], tmp_path / "report").read_text(encoding="utf-8")
    assert page.index("<h3>Planned comparisons</h3>") < page.index("<h3>Exploratory</h3>")
    assert (tmp_path / "report" / "data" / "planned.csv").read_text().count("\n") == 5


def test_single_runs_are_not_judged_by_a_plan(tmp_path: Path) -> None:
    found = planned_study(tmp_path, seeds=1)
    assert headline(found) == "One run each: to say which strategy is better takes at least three seeds"
    assert all("the run of" in sentence for sentence in sentences(found.planned, 0.95))


def test_one_run_beside_several_is_no_planned_test(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path / f"x{seed}", "x_x", 1.0, seed)
    write_run(tmp_path / "h", seed=0)
    found = study("facts", grouped(find_runs([tmp_path]).runs), contrasts=[Contrast("hybrid", "x_x", "monolingual")])
    assert sentences(found.planned, 0.95) == [
        "hybrid alpha=0.5 against X-X within a language: not tested, because hybrid alpha=0.5 has one run, which does "
        "not show how much its training varies."
    ]


def test_a_plan_makes_no_other_run(tmp_path: Path) -> None:
    plain = write_run(tmp_path / "a", "x_x", 1.0)
    planned = write_run(tmp_path / "b", "x_x", 1.0, settings={"report": {"contrasts": CONTRASTS}})
    assert find_runs([tmp_path]).repeated == [planned]
    assert find_runs([plain]).runs[0].settings == find_runs([planned]).runs[0].settings


@pytest.mark.parametrize(
    ("contrast", "problem"),
    [
        ({"group": "hybrid", "against": "hybrid", "measure": "monolingual"},
         "report.contrasts[0]: hybrid is compared with itself; name another strategy in against, or two shares in "
         "alpha and against_alpha"),
        ({"group": "hybrid", "against": "x_x", "measure": "map"},
         "report.contrasts[0].measure: 'map' is none of monolingual, crosslingual, multilingual, rank_distance"),
        ({"group": "hybrid", "measure": "monolingual"},
         "report.contrasts[0].against: it names no strategy; set it to a name such as hybrid or x_x"),
        ({"group": "hybrid", "against": "x_x", "measure": "monolingual", "margin": -1},
         "report.contrasts[0].margin: -1 is no positive number; leave it out to test for a difference"),
        ({"groups": "hybrid"},
         "report.contrasts[0]: its keys are not among group, against, measure, margin, alpha, against_alpha; write "
         "{group: hybrid, against: x_x, measure: monolingual}"),
    ],
)  # fmt: skip
def test_contrasts_that_say_nothing(contrast: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        contrasts_of({"report": {"contrasts": [contrast]}})


def of_hybrid(**alphas: float) -> dict[str, object]:
    return {"group": "hybrid", "against": "x_x", "measure": "crosslingual", **alphas}


def test_a_contrast_is_tested_for_each_alpha_or_for_the_one_that_it_names(tmp_path: Path) -> None:
    levels = {0.25: {"crosslingual": 0.5}, 0.5: {"crosslingual": 0.4}, 1.0: {"crosslingual": 0.3}}
    cases = {
        "each": ([of_hybrid()], [("hybrid alpha=0.25", "X-X"), ("hybrid alpha=0.5", "X-X")]),
        "one": ([of_hybrid(alpha=0.5)], [("hybrid alpha=0.5", "X-X")]),
        "two": (
            [of_hybrid(alpha=0.25) | {"against": "hybrid", "against_alpha": 0.5}],
            [("hybrid alpha=0.25", "hybrid alpha=0.5")],
        ),
        "whole number": ([of_hybrid(alpha=0.5, against_alpha=1)], [("hybrid alpha=0.5", "X-X")]),
    }
    for name, (contrasts, expected) in cases.items():
        write_sweep(tmp_path / name, levels, settings={"report": {"contrasts": contrasts}})
        report = build_report([tmp_path / name], Settings())
        (found,) = report.studies
        assert [(each.a.label, each.b.label) for each in found.planned] == expected
        assert [each.p_value for each in found.planned] == holm([each.test.p_value for each in found.planned])
        assert report.plan.note is None


def test_no_pair_is_tested_twice(tmp_path: Path) -> None:
    """Runs of an earlier plan, which named no alpha, beside those of a later one."""
    plans = ([of_hybrid()], [of_hybrid(alpha=0.5), of_hybrid(margin=0.02)])
    for number, (alpha, contrasts) in enumerate(zip((0.5, 1.0), plans, strict=True)):
        write_sweep(tmp_path / str(number), {alpha: {}}, settings={"report": {"contrasts": contrasts}})
    (found,) = build_report([tmp_path], Settings()).studies
    assert [(each.a.label, each.b.label, each.contrast.margin) for each in found.planned] == [
        ("hybrid alpha=0.5", "X-X", None), ("hybrid alpha=0.5", "X-X", 0.02),
    ]  # fmt: skip


def test_a_planned_comparison_without_runs_is_named(tmp_path: Path) -> None:
    contrasts = [of_hybrid(alpha=0.75), of_hybrid(), of_hybrid() | {"against": "x_y", "measure": "rank_distance"}]
    write_sweep(tmp_path, {0.5: {}, 1.0: {}}, settings={"report": {"contrasts": contrasts}})
    note = (
        "Planned, but not tested, because no two groups here are its sides and differ in nothing else: "
        "hybrid alpha=0.75 against x_x on "
        "crosslingual; hybrid against x_y on rank distance."
    )
    page = write_report([tmp_path], tmp_path / "report").read_text(encoding="utf-8")
    assert note in page
    assert f"* {note}\n" in (tmp_path / "report" / "report.md").read_text(encoding="utf-8")


def test_a_report_may_be_given_another_plan(tmp_path: Path) -> None:
    """As a list, by a file such as an experiment's, or none at all. The page does not call it the runs' own."""
    sweep = tmp_path / "sweep"
    levels = {0.0: {"multilingual": 0.30}, 0.5: {"multilingual": 0.32}, 1.0: {"multilingual": 0.30}}
    write_sweep(sweep, levels, settings={"report": {"contrasts": CONTRASTS}})
    plan = tmp_path / "plan.yaml"
    plan.write_text("name: x\nreport:\n  contrasts:\n    - {group: hybrid, against: x_y, measure: multilingual}\n")
    typed = "[{group: hybrid, against: x_y, measure: multilingual}]"
    for wanted, source in ((typed, "the command line"), (str(plan), str(plan))):
        page = write_report([sweep], tmp_path / "out", Settings(contrasts=wanted)).read_text(encoding="utf-8")
        text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
        assert (tmp_path / "out" / "data" / "planned.csv").read_text().count("\n") == 2
        assert f"The planned comparisons are those of {source}, given when this report was written" in text
        assert f"Named by {source} in place of the runs" in page
        assert "The planned comparison decides, if it was chosen before the results were known." in text
    page = write_report([sweep], tmp_path / "none", Settings(contrasts="none")).read_text(encoding="utf-8")
    assert not (tmp_path / "none" / "data" / "planned.csv").exists()
    assert "<h3>Planned comparisons</h3>" not in page
    assert "Nothing was planned for this report (contrasts=none), whatever its runs had planned." in page


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "contrasts: there is no file '{file}'; name one that has report.contrasts, or write [{{"),
        ("a: [", "{file}, line 2: did not find expected node content; write [{{"),
        ("report: {}", "{file}: report.contrasts: it is empty, and the file's defaults are not followed; write "),
        ("report: 5", "{file}: report.contrasts: it is no list; write [{{"),
        (
            "report: [{group: a, against: b, measure: monolingual}]",
            "{file}: report.contrasts: it is no list; write [{{",
        ),
        ("report: {contrasts: [{group: a}]}", "{file}: report.contrasts[0].against: it names no strategy; "),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "plan.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=r"contrasts|line") as refusal:
        plan_for([], str(file))
    assert str(refusal.value).startswith(message.format(file=file))


def test_a_typed_plan_that_is_none_is_refused() -> None:
    for typed, message in (
        ("[{group: hybrid", "contrasts: did not find expected"),
        ("[]", "contrasts: it is empty; "),
        ("[{group: x_x, against: x_y, measure: map}]", "contrasts[0].measure: 'map' is none of "),
    ):
        with pytest.raises(ValueError, match="contrasts") as refusal:
            plan_for([], typed)
        assert str(refusal.value).startswith(message)


def test_the_option_keeps_its_commas() -> None:
    typed = "[{group: hybrid, against: x_y, measure: multilingual}]"
    assert command.parse(["runs=a", f"contrasts={typed}"])[2].contrasts == typed
    assert command.parse(["runs=a"])[2].contrasts == ""
    with pytest.raises(ValueError, match=r"^contrasts: several values; name one file, or write one list$"):
        command.parse(["runs=a", "contrasts=a.yaml", "contrasts=b.yaml"])


def test_what_could_not_be_tested_is_said_to_be(tmp_path: Path) -> None:
    """One run of hybrid beside three of X-X; and a setting that the benchmark lacks."""
    for seed in range(3):
        write_run(tmp_path / "one" / f"x{seed}", "x_x", 1.0, seed)
    write_run(tmp_path / "one" / "h", seed=0, settings={"report": {"contrasts": [of_hybrid()]}})
    for seed in range(3):
        write_run(tmp_path / "one" / f"y{seed}", "x_y", 0.0, seed)
    (found,) = build_report([tmp_path / "one"], Settings()).studies
    assert headline(found) == "None of the planned comparisons could be tested"
    contrasts = [of_hybrid() | {"measure": measure} for measure in ("monolingual", "multilingual")]
    levels = {0.5: {"monolingual": 0.6}, 1.0: {"monolingual": 0.5}}
    write_sweep(tmp_path / "two", levels, within_only=True, settings={"report": {"contrasts": contrasts}})
    (found,) = build_report([tmp_path / "two"], Settings()).studies
    assert headline(found) == ("Hybrid alpha=0.5 is better than X-X within a language; 1 could not be tested")
    assert sentences(found.planned, 0.95)[1] == (
        "hybrid alpha=0.5 against X-X over the pool of all languages: not tested, because there are no scores by query "
        "there."
    )


def test_a_plan_of_later_runs_alone_is_not_called_older_than_the_results(tmp_path: Path) -> None:
    levels = {0.0: {"multilingual": 0.30}, 1.0: {"multilingual": 0.30}}
    write_sweep(tmp_path / "first", levels)
    plan = {"report": {"contrasts": [{"group": "x_y", "against": "x_x", "measure": "multilingual"}]}}
    write_sweep(tmp_path / "later", {0.5: {"multilingual": 0.4}}, settings=plan)
    page = write_report([tmp_path], tmp_path / "report").read_text(encoding="utf-8")
    assert "Planned by some of the compared runs only: x_y against x_x on multilingual." in page
    assert "before the runs, some only by some of them; p-values" in page

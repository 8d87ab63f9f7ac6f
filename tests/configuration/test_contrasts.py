"""Planned comparisons, as a user types them."""

from __future__ import annotations

from hydra import compose, initialize_config_dir

from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.report.contrasts import contrasts_of
from configurations import problems


def test_a_plan_is_typed_at_the_command_line() -> None:
    plan = "report.contrasts=[{group: hybrid, against: x_x, measure: crosslingual, margin: 0.01}]"
    assert problems(plan) == []
    assert problems(plan, "checkpoint=nowhere", root="evaluate")[0].startswith("checkpoint")
    assert problems("report.contrasts=[{group: hybrid, against: x_x, measure: map}]") == [
        "report.contrasts[0].measure: 'map' is none of monolingual, crosslingual, multilingual, rank_distance"
    ]
    assert problems("report.contrasts=[{group: x_x, against: x_x, measure: monolingual, margin: 0}]") == [
        "report.contrasts[0]: x_x is compared with itself; name another strategy in against, or two shares in alpha "
        "and against_alpha",
        "report.contrasts[0].margin: 0.0 is no positive number; leave it out to test for a difference",
    ]
    two = "report.contrasts=[{group: hybrid, alpha: %s, against: hybrid, against_alpha: %s, measure: monolingual}]"
    assert problems(two % (0.25, 0.5)) == []
    assert problems(two % (0.5, 0.5))[0].startswith("report.contrasts[0]: hybrid is compared with itself; ")
    assert problems(two % (0.25, 2)) == [
        "report.contrasts[0].against_alpha: 2.0 is no number from 0 to 1; leave it out to compare every alpha"
    ]


def test_the_papers_question_has_its_plan() -> None:
    """A hybrid keeps what X-X has within a language and what X-Y has across, and is better elsewhere."""
    register()
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", overrides=["experiment=paper/xlmr_hybrid"])
    plan = contrasts_of({"report": config.report})
    assert {(each.group, each.against, each.measure) for each in plan} == {
        ("hybrid", against, measure)
        for against in ("x_x", "x_y")
        for measure in ("monolingual", "crosslingual", "multilingual")
    }
    assert [(each.against, each.measure, each.margin) for each in plan if each.margin] == [
        ("x_x", "monolingual", 0.01),
        ("x_y", "crosslingual", 0.01),
    ]

"""Charts of a report: which lines, with which points."""

from pathlib import Path

from babelbatch.report.bias import language_preference
from babelbatch.report.comparisons import study
from babelbatch.report.grouping import grouped
from babelbatch.report.plots import alpha_curves, downsample, learning_curves
from babelbatch.report.runs import find_runs
from babelbatch.report.svg import SERIES
from run_folders import write_run, write_sweep


def test_the_alpha_curve_has_a_point_an_alpha(tmp_path: Path) -> None:
    found = study("facts", grouped(find_runs([write_sweep(tmp_path, {0.0: {}, 0.5: {}, 1.0: {}}, seeds=2)]).runs))
    figures = alpha_curves(found)
    assert [figure.title for figure in figures] == [
        "mAP within a language", "mAP across languages", "mAP over the pool of all languages",
        "rank distance (less is better)",
    ]  # fmt: skip
    assert [row[:2] for row in figures[0].data.rows] == [("X-Y", 0.0), ("hybrid alpha=0.5", 0.5), ("X-X", 1.0)]
    assert figures[0].svg.count("<circle") == 3
    assert figures[0].legend == ()


def test_two_curves_have_a_legend_of_what_differs(tmp_path: Path) -> None:
    for value in (0.1, 0.2):
        settings = {"loss": {"temperature": value}}
        write_sweep(tmp_path / str(value), {0.0: {}, 1.0: {}}, seeds=1, settings=settings)
    figure, *_ = alpha_curves(study("facts", grouped(find_runs([tmp_path]).runs)))
    assert figure.legend == (("temperature=0.1", 0), ("temperature=0.2", 1))
    assert figure.svg.count("<circle") == 4


def test_a_curve_of_default_settings_has_a_name(tmp_path: Path) -> None:
    """Its line in the legend was empty."""
    target = {"_target_": "babelbatch.evaluation.evaluation.Evaluation"}
    for name, more in (("plain", {}), ("lir", {"debias": "lir"})):
        settings = {"evaluation": target | more}
        write_sweep(tmp_path / name, {0.0: {}, 1.0: {}}, seeds=1, settings=settings)
    figure, *_ = alpha_curves(study("facts", grouped(find_runs([tmp_path]).runs)))
    assert figure.legend == (("other settings at their defaults", 0), ("debias=lir", 1))


def test_hybrids_that_mean_something_else_by_x_y_have_a_curve_of_their_own(tmp_path: Path) -> None:
    """X-X is an end of both curves, X-Y of that in all languages alone."""
    write_sweep(tmp_path / "any", {0.0: {}, 0.5: {}, 1.0: {}}, seeds=1)
    for alpha in (0.25, 0.5):
        sampling = {"name": "hybrid", "alpha": alpha, "cross_language": "english"}
        write_run(tmp_path / f"english{alpha}", "hybrid", alpha, settings={"sampling": sampling})
    figure, *_ = alpha_curves(study("facts", grouped(find_runs([tmp_path]).runs)))
    assert figure.legend == (("cross_language=english", 0), ("other settings at their defaults", 1))
    assert [row[:2] for row in figure.data.rows] == [
        ("hybrid alpha=0.25 cross_language=english", 0.25), ("hybrid alpha=0.5 cross_language=english", 0.5),
        ("X-X", 1.0),
        ("X-Y", 0.0), ("hybrid alpha=0.5", 0.5), ("X-X", 1.0),
    ]  # fmt: skip


def test_no_curve_through_runs_that_differ_otherwise(tmp_path: Path) -> None:
    write_sweep(tmp_path / "a", {0.0: {}}, seeds=1, settings={"loss": {"temperature": 0.1}})
    write_sweep(tmp_path / "b", {1.0: {}}, seeds=1, settings={"loss": {"temperature": 0.2}})
    assert alpha_curves(study("facts", grouped(find_runs([tmp_path]).runs))) == []


def test_learning_curves_by_batch_kind(tmp_path: Path) -> None:
    groups = grouped(find_runs([write_sweep(tmp_path, {0.0: {}, 1.0: {}}, seeds=2, curves=True)]).runs)
    figures = learning_curves(groups)
    assert [figure.title for figure in figures] == ["training loss, X-X batches", "validation loss, X-X batches"]
    assert figures[0].data.rows[0] == ("X-Y", 10, 0.4)
    assert figures[0].legend == (("X-Y", 0), ("X-X", 1))
    assert learning_curves(grouped(find_runs([write_sweep(tmp_path / "without", {0.5: {}}, seeds=1)]).runs)) == []


def test_a_measure_of_bias_that_one_group_lacks_is_shown_for_the_others(tmp_path: Path) -> None:
    facts = {"facts/multilingual/mrc@10": 0.25}
    write_run(tmp_path / "x", "x_x", 1.0, bias=True, facts=facts)
    write_run(tmp_path / "y", "x_y", 0.0, bias=True)
    found = language_preference(study("facts", grouped(find_runs([tmp_path]).runs)))
    assert found is not None
    (values,) = [values for name, values in found.others if "MRC@10" in name]
    assert found.groups == ("X-Y", "X-X")
    assert values == ("–", "0.250")


def test_a_mean_ends_where_the_first_seed_ends() -> None:
    """Else the curve falls because a seed with a high loss has stopped."""
    assert downsample([[(10, 1.0), (20, 0.9), (30, 0.8), (40, 0.7)], [(10, 2.0), (20, 1.9)]]) == [(10, 1.5), (20, 1.4)]


def test_seeds_without_a_log_are_counted(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path / str(seed), "x_x", 1.0, seed, curves=seed > 0)
    figure, *_ = learning_curves(grouped(find_runs([tmp_path]).runs))
    assert figure.legend == (("X-X (2 of 3 seeds)", 0),)


def test_long_curves_are_downsampled_to_means() -> None:
    points = downsample(
        [[(step, float(step)) for step in range(1, 601)], [(step, float(step)) for step in range(1, 601)]]
    )
    assert len(points) == 60
    assert points[0] == (10, 5.5)
    assert points[-1] == (600, 595.5)
    assert downsample([[(1, float("nan")), (2, 1.0)]]) == [(2, 1.0)]
    assert downsample([]) == []


def test_more_strategies_than_colours_are_counted(tmp_path: Path) -> None:
    for number in range(SERIES + 1):
        write_run(tmp_path / str(number), "hybrid", number / 10, curves=True, bias=True)
    write_run(tmp_path / "x", "x_x", 1.0, curves=True, bias=True)
    groups = grouped(find_runs([tmp_path]).runs)
    training, *_ = learning_curves(groups)
    assert training.title == "training loss, X-X batches, 6 of 8 strategies"
    found = language_preference(study("facts", groups))
    assert (len(found.groups), found.left_out, found.groups[-1]) == (6, 2, "X-X")


def test_more_curves_over_alpha_than_colours_are_counted_and_their_numbers_are_kept(tmp_path: Path) -> None:
    """The numbers of the seventh curve were left out as well, and nothing said so."""
    for number in range(SERIES + 1):
        settings = {"loss": {"temperature": 0.1 + number / 10}}
        write_sweep(tmp_path / str(number), {0.0: {}, 1.0: {}}, seeds=1, settings=settings)
    figure, *_ = alpha_curves(study("facts", grouped(find_runs([tmp_path]).runs)))
    assert figure.title == "mAP within a language, 6 of 7 curves"
    assert len(figure.legend) == SERIES
    assert len(figure.data.rows) == 2 * (SERIES + 1)

"""What a reader must know before believing a report, word for word."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from babelbatch.commands.checkpoint import facts_of_run
from babelbatch.report.caveats import caveats
from babelbatch.report.comparisons import MONOLINGUAL, study
from babelbatch.report.grouping import grouped
from babelbatch.report.outcomes import NotDifferent
from babelbatch.report.page import build_report, write_report
from babelbatch.report.runs import find_runs
from babelbatch.report.settings import Settings
from babelbatch.report.verdicts import sentences
from run_folders import write_run, write_sweep

ALL = {0.0: {}, 0.5: {}, 1.0: {}}


def notes_of(place: Path, benchmark: str = "facts") -> list[str]:
    runs = find_runs([place])
    return caveats([study(benchmark, grouped(runs.runs))], runs)


def stopped(monitor: str) -> dict[str, object]:
    return {"callbacks": {"best": {"_target_": "Best", "monitor": monitor}}}


def by_early_stopping(place: Path, evaluated: Mapping[str, tuple[int, int, int]], monitor: str) -> None:
    """Three seeds of 1,000 steps, whose best weights are of these steps; without steps by the default callbacks."""
    for folder, (strategy, alpha) in {"x": ("x_x", 1.0), "h": ("hybrid", 0.5), "y": ("x_y", 0.0)}.items():
        for seed in range(3):
            settings = stopped(monitor) if folder in evaluated else {}
            facts = {"steps": 1_000, "evaluated_step": evaluated.get(folder, (1_000,) * 3)[seed]}
            write_run(place / f"{folder}{seed}", strategy, alpha, seed, facts=facts, settings=settings)


def test_scores_of_earlier_weights_are_named(tmp_path: Path) -> None:
    """Only for the groups that have them: the others' are of their last weights."""
    by_early_stopping(tmp_path, {"x": (1_000, 600, 400), "h": (1_000, 1_000, 500)}, "validation/loss")
    assert notes_of(tmp_path)[:2] == [
        "Strategies differ here in more than their names say: callbacks.best is not set for X-Y, and set for hybrid "
        "alpha=0.5 and X-X. A difference between them may be due to that.",
        "The scores of hybrid alpha=0.5 (step 500 of 1,000 in 1 of 3 runs) and X-X (step 400 to 600 of 1,000 in 2 of 3 "
        "runs) are of the weights with the best validation/loss, not of the last. Alpha and its schedule are those "
        "planned for the whole run; the costs are of all steps that were trained.",
    ]


def test_weights_that_were_chosen_on_the_benchmark_are_not_said_to_be_by_validation(tmp_path: Path) -> None:
    """Also where the best weights are the last ones: the choice was made."""
    last = (1_000, 1_000, 1_000)
    by_early_stopping(tmp_path, {"x": last, "h": last, "y": last}, "facts/multilingual/map")
    chosen = (
        "The weights of 9 of 9 runs were chosen by facts/multilingual/map, a score of the benchmark itself, so their "
        "scores on facts are too good (y0, y1, y2, h0, h1 and 4 others). Choose them on validation "
        "(monitor=validation/loss)."
    )
    assert notes_of(tmp_path)[0] == chosen
    assert chosen in write_report([tmp_path], tmp_path / "out").read_text(encoding="utf-8")


def test_an_evaluation_says_which_weights_it_is_of(tmp_path: Path) -> None:
    by_early_stopping(tmp_path / "trained", {"x": (300, 300, 300)}, "validation/loss")
    for seed in range(3):
        run = tmp_path / "trained" / f"x{seed}"
        (run / "encoder").mkdir()
        folder = tmp_path / "evaluated" / str(seed)
        shutil.copytree(run, folder)
        metrics = json.loads((folder / "metrics.json").read_text())
        own = {key: value for key, value in metrics.items() if key not in {"steps", "evaluated_step"}}
        (folder / "metrics.json").write_text(json.dumps(own | facts_of_run(run / "encoder")))
        config = {"checkpoint": str(run / "encoder"), "evaluation": {"debias": "lir"}, "name": "evaluate"}
        (folder / "config.yaml").write_text(yaml.safe_dump(config | {"output_dir": str(folder)}))
    assert notes_of(tmp_path / "evaluated")[0].startswith(
        "The scores of X-X (step 300 of 1,000) are of the weights with the best validation/loss, not of the last."
    )


def test_settings_that_no_name_shows_are_named(tmp_path: Path) -> None:
    """X-X and hybrid are told apart by their strategy alone."""
    for seed in range(3):
        for strategy, alpha, lr in (("x_x", 1.0, 0.1), ("hybrid", 0.5, 0.001)):
            write_run(tmp_path / f"{strategy}{seed}", strategy, alpha, seed, settings={"optimizer": {"lr": lr}})
    note = (
        "Strategies differ here in more than their names say: optimizer.lr is 0.001 for hybrid alpha=0.5, and 0.1 for "
        "X-X. A difference between them may be due to that."
    )
    assert notes_of(tmp_path)[0] == note
    for seed in range(3):  # now both have both, and the names tell them apart
        for strategy, alpha, lr in (("x_x", 1.0, 0.001), ("hybrid", 0.5, 0.1)):
            write_run(tmp_path / f"{strategy}{seed}_2", strategy, alpha, seed, settings={"optimizer": {"lr": lr}})
    assert not any("names say" in each for each in notes_of(tmp_path))


def test_what_belongs_to_a_named_part_is_not_listed(tmp_path: Path) -> None:
    for name, pooling in (("a/large", "cls"), ("a/small", "mean")):
        encoder = {"_target_": "babelbatch.encoder.pretrained", "name_or_path": name, "pooling": pooling}
        write_run(tmp_path / pooling, "x_x", 1.0, settings={"encoder": encoder})
    assert not any("names say" in each for each in notes_of(tmp_path))


def test_so_few_clusters_that_nothing_can_be_significant(tmp_path: Path) -> None:
    """Eight articles have 2**8 permutations, so no p-value is below 1/128, and the first of 12 tests needs .05/12."""
    levels = {0.0: {"monolingual": 0.3}, 0.5: {"monolingual": 0.6}, 1.0: {"monolingual": 0.9}}
    write_sweep(tmp_path, levels, article=5)
    found = study("facts", grouped(find_runs([tmp_path]).runs))
    outcome = found.outcome("X-X", "X-Y", MONOLINGUAL)
    assert isinstance(outcome, NotDifferent)
    assert outcome.pair.comparison.p_value == pytest.approx(1 / 128, rel=0.01)
    assert "and no difference would be found with probability 0.8." in sentences(found)[0]
    assert (
        "facts: 8 articles are too few: no p-value is below 0.0078, so that after Holm's correction none of 12 "
        "exploratory comparisons can be significant, however large the difference."
    ) in notes_of(tmp_path)
    write_sweep(tmp_path / "enough", levels, article=4)  # ten articles
    assert not any("too few" in each for each in notes_of(tmp_path / "enough"))


def test_clusters_that_runs_contradict(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "x_x", 1.0, article=4)
    write_run(tmp_path / "b", "x_y", 0.0, article=5)
    assert notes_of(tmp_path)[-1] == (
        "facts: 40 queries, taken as independent: the runs record different articles, passages or subjects for them, "
        "as versions of the data may. Evaluate them again on one version to have these clustered."
    )


def test_two_seeds_of_some(tmp_path: Path) -> None:
    for strategy, alpha, seeds in (("x_x", 1.0, 3), ("x_y", 0.0, 2), ("hybrid", 0.5, 1)):
        for seed in range(seeds):
            write_run(tmp_path / f"{strategy}{seed}", strategy, alpha, seed)
    notes = notes_of(tmp_path)
    assert notes[0].startswith("One run only: hybrid alpha=0.5.")
    assert notes[1] == (
        "Two seeds of X-Y say little about how much training varies: intervals are wide. Run at least three."
    )


def test_a_metric_that_some_lack_is_said_to_be_left_out(tmp_path: Path) -> None:
    write_sweep(tmp_path, ALL, seeds=1)
    path = tmp_path / "x_x_1.0_seed-0" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"custom_metric/success@5": "higher"}))
    assert notes_of(tmp_path)[-1] == (
        "facts: success@5 is left out, because some runs of X-Y and hybrid alpha=0.5 lack it."
    )


def test_runs_without_the_asked_benchmark_are_counted(tmp_path: Path) -> None:
    for seed in range(2):
        for strategy, alpha in (("x_x", 1.0), ("x_y", 0.0)):
            write_run(tmp_path / f"{strategy}{seed}", strategy, alpha, seed, benchmarks=("facts", "more"))
        write_run(tmp_path / f"hybrid{seed}", "hybrid", 0.5, seed)
    report = build_report([tmp_path], Settings(benchmarks=("more",)))
    assert "2 runs are left out, without scores on more: hybrid0 and hybrid1." in caveats(report.studies, report.found)

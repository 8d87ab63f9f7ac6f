"""Evaluations of trained runs, which the report compares as it would compare the runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from babelbatch.commands.checkpoint import facts_of_run
from babelbatch.report.comparisons import of_setting, study
from babelbatch.report.grouping import Group, grouped
from babelbatch.report.page import write_report
from babelbatch.report.paper import LANGUAGES, paper_tables, published
from babelbatch.report.runs import find_runs
from run_folders import write_run, write_sweep

XLMR = {"encoder": {"_target_": "babelbatch.encoder.pretrained", "name_or_path": "FacebookAI/xlm-roberta-base"}}
STRATEGIES = {"x_y": 0.0, "hybrid": 0.5, "x_x": 1.0}
NDCG = of_setting("monolingual", "ndcg@10")


def evaluate(checkpoint: Path, folder: Path, languages: tuple[str, ...] = (*LANGUAGES["miracl"], "en", "yo")) -> None:
    """The files of babelbatch-evaluate checkpoint=... benchmarks=[miracl] evaluation=search."""
    settings = {"benchmarks": ("miracl",), "metric": "ndcg@10", "within_only": True, "languages": languages}
    write_run(folder, seed=len(folder.name), **settings)
    metrics = json.loads((folder / "metrics.json").read_text())
    for key in ("strategy", "alpha", "seed"):
        del metrics[key]
    (folder / "metrics.json").write_text(json.dumps(metrics | facts_of_run(checkpoint)))
    settings = {"checkpoint": str(checkpoint), "encoder": {"_target_": "babelbatch.encoder.local"}, "name": "evaluate"}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings | {"output_dir": str(folder)}))


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("evaluated")
    levels = {alpha: {} for alpha in STRATEGIES.values()}
    for run in write_sweep(place / "trained", levels, seeds=3, settings=XLMR).iterdir():
        evaluate(run, place / "miracl" / run.name)
    return place / "miracl"


def groups_in(folder: Path) -> list[Group]:
    return grouped(find_runs([folder]).runs)


def test_three_seeds_are_one_group(evaluations: Path) -> None:
    groups = groups_in(evaluations)
    assert [(group.label, group.seeds) for group in groups] == [
        ("X-Y", (0, 1, 2)),
        ("hybrid alpha=0.5", (0, 1, 2)),
        ("X-X", (0, 1, 2)),
    ]
    assert all(group.on_the_curve for group in groups)
    assert [published(group)["miracl/monolingual/ndcg@10"] for group in groups] == [0.3993, 0.4054, 0.4148]


def test_the_macro_beside_the_papers_is_over_its_languages(evaluations: Path, tmp_path: Path) -> None:
    groups = groups_in(evaluations)
    found = study("miracl", groups)
    macro, by_language = paper_tables([found])
    assert macro.grid.columns == ("MIRACL nDCG@10",)
    keys = [f"miracl/monolingual/ndcg@10/{code}" for code in LANGUAGES["miracl"]]
    ours = [run.metrics[key] for run in groups[0].runs for key in keys]
    (_, _, _, _, value, low, high, paper) = macro.data.rows[0]
    assert value == pytest.approx(sum(ours) / len(ours), abs=1e-9)
    assert value != pytest.approx(found.estimates["X-Y", NDCG].value, abs=1e-5)  # which has English and Yoruba too
    assert low < value < high
    assert paper == 0.3993
    assert macro.grid.rows[0][0] == "xlm-roberta-base X-Y"
    assert "15 languages" in macro.note
    scores = {row[0]: row[-1] for row in by_language.data.rows if row[1] == "X-Y"}
    assert scores["sw"] == 0.3531
    assert scores["yo"] is None
    assert 'id="paper-miracl"' in write_report([evaluations], tmp_path).read_text(encoding="utf-8")


def test_a_part_of_the_languages_has_no_macro_of_the_papers(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "x_x", 1.0, settings=XLMR)
    evaluate(run, tmp_path / "part", languages=("sw", "bn", "ko"))
    groups = groups_in(tmp_path / "part")
    found = study("miracl", groups)
    macro, by_language = paper_tables([found])
    assert macro.data.rows[0][4:] == (found.estimates["X-X", NDCG].value, *macro.data.rows[0][5:7], None)
    assert {row[0]: row[-1] for row in by_language.data.rows}["sw"] == 0.3319


def test_what_a_checkpoint_is_of(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "hybrid", 0.25, seed=4, settings=XLMR)
    (run / "encoder").mkdir()
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "step-00000012.ckpt").touch()
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(metrics | {"validation/multilingual/map": 0.5}))
    facts = facts_of_run(run)
    assert {key: facts[key] for key in ("strategy", "alpha", "seed")} == {
        "strategy": "hybrid",
        "alpha": 0.25,
        "seed": 4,
    }
    assert facts["trained/encoder.name_or_path"] == "FacebookAI/xlm-roberta-base"
    assert facts_of_run(run / "encoder") == facts
    assert facts.pop("validation/multilingual/map") == 0.5  # not of the weights of a checkpoint
    assert facts.pop("steps_of_run") == 100
    assert facts_of_run(run / "checkpoints" / "step-00000012.ckpt") == facts
    (tmp_path / "model").mkdir()
    assert facts_of_run(tmp_path / "model") == {}
    evaluate(run / "encoder", tmp_path / "evaluated" / "last")
    evaluate(run / "checkpoints" / "step-00000012.ckpt", tmp_path / "evaluated" / "earlier")
    groups = groups_in(tmp_path / "evaluated")
    assert [group.seeds for group in groups] == [(4,), (4,)]
    assert len({group.label for group in groups}) == 2

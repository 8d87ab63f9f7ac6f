"""Finished runs read from disk: what is found, what is left out, what is refused."""

import json
import shutil
from pathlib import Path

import pytest

from babelbatch.report.runs import find_runs, read_curves
from run_folders import write_run, write_sweep

REMEDY = "remove that folder and run the job again, or name only the other runs in runs="


def test_a_run_a_sweep_and_a_folder_of_sweeps(tmp_path: Path) -> None:
    write_run(tmp_path / "multirun" / "one" / "a")
    write_run(tmp_path / "multirun" / "two" / "b", seed=1)
    for folder, count in ((tmp_path / "multirun", 2), (tmp_path / "multirun" / "one", 1)):
        assert len(find_runs([folder]).runs) == count
    (run,) = find_runs([tmp_path / "multirun" / "two" / "b"]).runs
    assert (run.seed, run.benchmarks, run.settings["sampling.alpha"]) == (1, ("facts",), 0.5)
    assert "name" not in run.settings


def test_the_configuration_that_wandb_keeps_is_no_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a")
    (folder / "wandb").mkdir()
    shutil.copy(folder / "config.yaml", folder / "wandb" / "config.yaml")
    assert find_runs([tmp_path]).unfinished == []


def test_unfinished_and_repeated_runs_are_left_out(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "again")
    (write_run(tmp_path / "cut", seed=1) / "metrics.json").unlink()
    found = find_runs([tmp_path])
    assert [run.folder.name for run in found.runs] == ["a"]
    assert found.unfinished == [tmp_path / "cut"]
    assert found.repeated == [tmp_path / "again"]


def test_a_folder_named_twice_counts_once(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a")
    found = find_runs([tmp_path, folder])
    assert (len(found.runs), found.repeated) == (1, [])


def test_nothing_finished(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no finished run") as empty:
        find_runs([tmp_path])
    assert str(empty.value) == (
        f"runs: no finished run in {tmp_path}; a finished run is a folder with metrics.json, as babelbatch-train "
        "writes it in multirun/<name>"
    )
    (write_run(tmp_path / "a") / "metrics.json").unlink()
    with pytest.raises(ValueError, match=r"\(1 unfinished: run their command again\)"):
        find_runs([tmp_path])
    with pytest.raises(ValueError, match=r"^runs: there is no folder '.*/nowhere'; name the folder of a run or of a"):
        find_runs([tmp_path / "nowhere"])


def test_another_metric_to_read_first(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "searched", metric="ndcg@10")
    (run,) = find_runs([folder]).runs
    assert "ndcg@10" in run.per_query.column_names
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | {"metric/facts": "recall@1"}))
    with pytest.raises(ValueError, match="has no 'facts/monolingual/recall@1'; "):
        find_runs([folder])


def test_every_damaged_file_is_named_with_a_remedy(tmp_path: Path) -> None:
    write_run(tmp_path / "good")
    cut = write_run(tmp_path / "cut", seed=1) / "per_query.parquet"
    cut.write_bytes(cut.read_bytes()[:-100])
    unreadable = write_run(tmp_path / "unreadable", seed=2) / "metrics.json"
    unreadable.write_text('{"name": "x",')
    (write_run(tmp_path / "without", seed=3) / "per_query.parquet").unlink()
    (write_run(tmp_path / "no_config", seed=4) / "config.yaml").unlink()
    lacking = write_run(tmp_path / "lacking", seed=5) / "metrics.json"
    metrics = json.loads(lacking.read_text())
    del metrics["facts/multilingual/map"]
    lacking.write_text(json.dumps(metrics))
    (write_run(tmp_path / "odd", seed=6) / "config.yaml").write_text("- a\n b: [")
    with pytest.raises(ValueError, match="cut") as refusal:
        find_runs([tmp_path])
    lines = str(refusal.value).splitlines()
    assert len(lines) == 6
    assert lines[0].startswith(f"{cut} cannot be read, it may be cut short (")
    assert lines[1] == f"{lacking} has no 'facts/multilingual/map'; {REMEDY}"
    assert lines[2] == f"{tmp_path}/no_config/config.yaml is missing, and the report needs it to name the run; {REMEDY}"
    assert lines[3].startswith(f"{tmp_path}/odd/config.yaml is not a configuration (")
    assert lines[4].startswith(f"{unreadable} is not valid JSON (")
    assert lines[5] == f"{tmp_path}/without/per_query.parquet is missing; {REMEDY}"
    assert all(line.endswith(REMEDY) for line in lines)


def test_scores_of_another_benchmark_are_noticed(tmp_path: Path) -> None:
    write_run(tmp_path / "a", benchmarks=("facts",))
    other = write_run(tmp_path / "b", benchmarks=("other",))
    shutil.copy(other / "per_query.parquet", tmp_path / "a" / "per_query.parquet")
    with pytest.raises(ValueError, match=r"a/per_query.parquet has no rows of facts; "):
        find_runs([tmp_path / "a"])


def test_curves_count_optimiser_steps_and_skip_half_a_row(tmp_path: Path) -> None:
    write_sweep(tmp_path, {0.5: {}}, seeds=1, curves=True)
    (run,) = find_runs([tmp_path]).runs
    with (run.folder / "csv" / "metrics.csv").open("a") as file:
        file.write("109,0.03x")
    curves = read_curves(run)
    assert curves["validation/loss/x_y"] == [(100, 1.5)]
    assert curves["train/loss/x_x"][0] == (10, 0.4)
    assert len(curves["train/loss/x_x"]) == 10
    assert read_curves(find_runs([write_run(tmp_path / "x" / "y", seed=9)]).runs[0]) == {}


def test_a_table_of_mined_negatives_is_no_run(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    mined = tmp_path / "mined"
    mined.mkdir()
    (mined / "negatives.parquet").write_bytes(b"")
    (mined / "metrics.json").write_text('{"benchmarks": []}')
    found = find_runs([tmp_path])
    assert ([run.folder.name for run in found.runs], found.unfinished) == (["a"], [])

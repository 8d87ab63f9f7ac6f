"""Stored scores: small, and the same report."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from babelbatch.evaluation.metrics import NAMES
from babelbatch.report.page import write_report
from babelbatch.report.settings import Settings
from babelbatch.report.stored_scores import store_scores
from run_folders import write_run, write_sweep


def contents(report: Path) -> dict[str, bytes]:
    return {str(path.relative_to(report)): path.read_bytes() for path in sorted(report.rglob("*")) if path.is_file()}


def test_the_same_report_is_made_of_stored_scores(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    write_sweep(sweep, {0.0: {}, 0.5: {"multilingual": 0.4}, 1.0: {}}, bias=True, curves=True)
    (next(iter(sweep.iterdir())) / "encoder").mkdir()
    store_scores([sweep], tmp_path / "scores")
    stored = tmp_path / "scores" / "sweep"
    assert sorted(path.name for path in stored.iterdir()) == sorted(path.name for path in sweep.iterdir())
    files = {str(path.relative_to(place)) for place in stored.iterdir() for path in place.rglob("*") if path.is_file()}
    assert files == {"config.yaml", "metrics.json", "per_query.parquet", "csv/metrics.csv"}
    for place, output in ((sweep, "first"), (tmp_path / "scores", "second")):
        write_report([place], tmp_path / output, Settings(plan=0.01))
    first, second = contents(tmp_path / "first"), contents(tmp_path / "second")
    assert len(first) > 10
    assert second == first


@pytest.mark.parametrize(("metric", "stored"), [("map", {"map"}), ("ndcg@10", {"map", "ndcg@10", "recall@100"})])
def test_the_columns_that_its_report_does_not_read_are_left_out(metric: str, stored: set[str], tmp_path: Path) -> None:
    run = write_run(tmp_path / "sweep" / "run", metric=metric, bias=True)
    table = pq.read_table(run / "per_query.parquet")
    others = set(table.column_names) - set(NAMES)
    for name in ("unknown", *(name for name in NAMES if name not in table.column_names)):
        table = table.append_column(name, table[metric])
    pq.write_table(table, run / "per_query.parquet")
    store_scores([run], tmp_path / "scores")
    copy = pq.read_table(tmp_path / "scores" / "sweep" / "run" / "per_query.parquet")
    assert set(copy.column_names) == others | stored
    for name in copy.column_names:
        assert copy[name].to_pylist() == table[name].to_pylist()


def test_copies_are_replaced(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / str(seed) / "sweep" / "run", seed=seed)
        store_scores([tmp_path / str(seed)], tmp_path / "scores")
    found, expected = (place / "sweep" / "run" for place in (tmp_path / "scores", tmp_path / "1"))
    assert (found / "metrics.json").read_text() == (expected / "metrics.json").read_text()
    assert OmegaConf.load(found / "config.yaml") == OmegaConf.merge(
        OmegaConf.load(expected / "config.yaml"), {"output_dir": "."}
    )


def test_two_runs_of_one_name_are_refused(tmp_path: Path) -> None:
    for seed, place in enumerate(("a", "b")):
        write_run(tmp_path / place / "sweep" / "run", seed=seed)
    with pytest.raises(ValueError, match=re.escape("would both be ") + ".*; rename one sweep"):
        store_scores([tmp_path / "a", tmp_path / "b"], tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


def test_the_folder_of_the_runs_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "sweep" / "run")
    with pytest.raises(ValueError, match=r"scores: .*sweep is also in runs=; name another folder"):
        store_scores([tmp_path / "sweep"], tmp_path / "sweep")

"""The cost table: means over seeds, in readable units, and nothing where a run did not record it."""

from __future__ import annotations

from pathlib import Path

from babelbatch.report.cost import COLUMNS, cost_data
from babelbatch.report.grouping import grouped
from babelbatch.report.runs import find_runs
from run_folders import write_run


def test_tokens_and_operations(tmp_path: Path) -> None:
    for seed, tokens in ((0, 1_000), (1, 1_100)):
        facts = {"tokens/encoded": tokens, "tokens/padded": tokens + 50, "flops/train": tokens * 10**15}
        write_run(tmp_path / f"x_x_{seed}", "x_x", 1.0, seed, facts=facts)
    write_run(tmp_path / "x_y", "x_y", 0.0, 0, facts={"tokens/encoded": 7, "tokens/padded": 9, "flops/train": None})
    groups = grouped(find_runs([tmp_path]).runs)
    rows = {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in cost_data(groups).rows}
    assert rows["X-X"]["tokens"] == 1_050
    assert rows["X-X"]["padded tokens"] == 1_100
    assert rows["X-X"]["PFLOP"] == 1_050.0
    assert (rows["X-Y"]["tokens"], rows["X-Y"]["padded tokens"], rows["X-Y"]["PFLOP"]) == (7, 9, None)

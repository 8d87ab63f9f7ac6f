"""Runs side by side."""

import json
from pathlib import Path

import pytest

from babelbatch.report.terminal import Row, print_scores, print_tables, read_rows, tables, to_markdown


def finished(folder: Path, strategy: str, seed: int, score: float, benchmarks: tuple[str, ...] = ("b",)) -> Path:
    folder.mkdir()
    record: dict[str, object] = {"strategy": strategy, "alpha": 0.5, "seed": seed, "seconds/train": 12.4}
    record["benchmarks"] = list(benchmarks)
    for name in benchmarks:
        record |= {f"{name}/{setting}/map": score for setting in ("monolingual", "crosslingual", "multilingual")}
        record[f"{name}/multilingual/rank_distance"] = 123.44
    (folder / "metrics.json").write_text(json.dumps(record))
    return folder


def test_rows_by_benchmark_and_unfinished_runs_left_out(tmp_path: Path) -> None:
    folders = [
        finished(tmp_path / "0", "x_x", 0, 0.5, ("b", "a")),
        finished(tmp_path / "1", "x_y", 1, 0.25, ("b",)),
        tmp_path / "unfinished",
    ]
    rows = read_rows(folders)
    assert [(row.benchmark, row.strategy) for row in rows] == [("a", "x_x"), ("b", "x_x"), ("b", "x_y")]
    assert rows[2].cells() == ("x_y", "0.5", "1", "0.2500", "0.2500", "0.2500", "123.4", "12\N{NO-BREAK SPACE}s")


def test_large_numbers_have_separators() -> None:
    row = Row("r", "b", "x_x", 1.0, 0, None, None, 0.25, 22534.44, 3661.0, "mAP")
    assert row.cells()[3:] == ("-", "-", "0.2500", "22,534.4", "3,661\N{NO-BREAK SPACE}s")


def test_an_evaluation_beside_the_runs_is_none_of_them(tmp_path: Path) -> None:
    folders = [finished(tmp_path / "0", "x_x", 0, 0.5), tmp_path / "evaluation"]
    folders[1].mkdir()
    record = json.loads((folders[0] / "metrics.json").read_text())
    del record["seconds/train"]
    (folders[1] / "metrics.json").write_text(json.dumps(record))
    assert [row.run for row in read_rows(folders)] == ["0"]


def test_markdown(tmp_path: Path) -> None:
    assert to_markdown(read_rows([finished(tmp_path / "0", "hybrid", 0, 0.5)])) == (
        "b, mAP by setting:\n"
        "\n"
        "| strategy | alpha | seed | mono | cross | multi | rank distance | time |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| hybrid | 0.5 | 0 | 0.5000 | 0.5000 | 0.5000 | 123.4 | 12\N{NO-BREAK SPACE}s |\n"
    )


def test_a_long_metric_does_not_cut_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = searched(tmp_path / "0") / "metrics.json"
    record = json.loads(metrics.read_text())
    del record["search/b"]
    pool = {
        "b/multilingual/map": 0.25,
        "b/multilingual/rank_distance": 4024.9,
        "b/multilingual/rank_distance_normalised": 0.5756,
    }
    metrics.write_text(json.dumps(record | pool))
    print_scores([metrics.parent])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    for setting in ("monolingual", "crosslingual", "multilingual"):
        assert f"│ {setting}" in shown


def test_runs_that_look_alike_are_told_apart_by_their_folder(tmp_path: Path) -> None:
    folders = [finished(tmp_path / f"{number}_lr-{number}", "hybrid", 0, 0.5) for number in range(2)]
    header, *lines = tables(read_rows(folders))["b", "mAP"]
    assert header[-1] == "run"
    assert [line[-1] for line in lines] == ["0_lr-0", "1_lr-1"]


def test_long_names_of_folders_stand_below_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"x_y_batch_size-32_languages-en_de_zh_languages-en_de_zh_1_max_steps-20_lr-{n}" for n in range(2)]
    print_tables(read_rows([finished(tmp_path / name, "hybrid", 0, 0.5) for name in names]))
    shown = capsys.readouterr().out.splitlines()
    assert shown[-2:] == [f"  1  {names[0]}", f"  2  {names[1]}"]
    assert max(map(len, shown[:-2])) <= 80
    assert [line.split("│")[-2].strip() for line in shown if line.startswith("│")] == ["1", "2"]
    assert any("strategy" in line for line in shown)


def test_the_table_fits_a_narrow_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_tables(read_rows([finished(tmp_path / "0", "hybrid", 0, 0.5)]))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    for text in ("hybrid", "0.5000", "123.4", "12\N{NO-BREAK SPACE}s", "rank distance"):
        assert text in shown


def searched(folder: Path, **facts: object) -> Path:
    """As an evaluation by search leaves it: nDCG@10 instead of mAP, and no rank distance."""
    finished(folder, "hybrid", 0, 0.5)
    record = json.loads((folder / "metrics.json").read_text())
    del record["b/multilingual/rank_distance"]
    found = {key.replace("/map", "/ndcg@10"): value for key, value in record.items()}
    (folder / "metrics.json").write_text(json.dumps(found | {"search/b": "IVF", "metric/b": "ndcg@10"} | facts))
    return folder


def test_runs_evaluated_by_search_have_a_table_of_their_own(tmp_path: Path) -> None:
    folders = [searched(tmp_path / "0"), finished(tmp_path / "1", "hybrid", 0, 0.25)]
    shown = tables(read_rows(folders))
    assert list(shown) == [("b", "mAP"), ("b", "nDCG@10")]
    assert shown["b", "mAP"][1][3:7] == ("0.2500", "0.2500", "0.2500", "123.4")
    assert shown["b", "nDCG@10"][1][3:7] == ("0.5000", "0.5000", "0.5000", "-")
    assert "b, nDCG@10 by setting:" in to_markdown(read_rows(folders))


def test_the_scores_of_a_search_and_its_recall(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_scores([searched(tmp_path / "0", **{"search_recall/b/all": 0.875, "b/multilingual/recall@100": 0.75})])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "the index finds 87.5 % over the pool of all languages." in " ".join(shown.split())
    assert "recall@100" in shown
    assert "0.7500" in shown
    assert "rank dist." not in shown


def test_the_recall_of_an_index_is_not_rounded_up_and_has_its_worst_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0.9996 over the pool was "100.0 %", above scores of a language in which the index finds 41 %."""
    recalls = {"search_recall/b/all": 0.9996, "search_recall/b/de": 0.98, "search_recall/b/sw": 0.41}
    print_scores([searched(tmp_path / "0", **recalls)])
    shown = " ".join(capsys.readouterr().out.split())
    assert "finds 99.9 % over the pool of all languages, 41.0 % or more within each language (least in sw)." in shown

"""Which strategy dominates which, in words, a table and pictures."""

from __future__ import annotations

import re
from pathlib import Path

from babelbatch.report.comparisons import Study, study
from babelbatch.report.front import dominances, front
from babelbatch.report.grouping import grouped
from babelbatch.report.measures import CROSSLINGUAL, MONOLINGUAL, MULTILINGUAL
from babelbatch.report.page import write_report
from babelbatch.report.runs import find_runs
from babelbatch.statistics import holm
from run_folders import write_run, write_sweep

LEVELS = {
    0.0: {"monolingual": 0.50, "crosslingual": 0.50, "multilingual": 0.20},
    0.5: {"monolingual": 0.60, "crosslingual": 0.50, "multilingual": 0.30},
    1.0: {"monolingual": 0.65, "crosslingual": 0.10, "multilingual": 0.10},
}


def of_sweep(place: Path, **options: object) -> Study:
    return study("facts", grouped(find_runs([write_sweep(place, LEVELS, **options)]).runs))


def test_the_front_in_words_and_numbers(tmp_path: Path) -> None:
    found = of_sweep(tmp_path)
    tests = dominances(found, [MONOLINGUAL, CROSSLINGUAL, MULTILINGUAL], 0.02)
    assert len(tests) == 6
    assert [test.p_value for test in tests] == holm([test.raw for test in tests])
    section = front(found, 0.02)
    assert section is not None
    first, second = section.sentences
    assert first.startswith("Hybrid alpha=0.5 dominates X-Y (p")
    assert second == "Not significantly dominated by any other: hybrid alpha=0.5 and X-X."
    assert [(label, below, [text for text, _ in cells]) for label, below, cells in section.grid.rows] == [
        ("1 X-Y", "", ["0", "1", "1"]),
        ("2 hybrid alpha=0.5", "on the front", ["1", "0", "1"]),
        ("3 X-X", "on the front", ["0", "0", "2"]),
    ]


def test_who_was_not_tested_is_no_other(tmp_path: Path) -> None:
    """The single run of hybrid is far above in all settings."""
    for seed in range(3):
        write_run(tmp_path / f"x{seed}", "x_x", 1.0, seed, level={"monolingual": 0.6})
        write_run(tmp_path / f"y{seed}", "x_y", 0.0, seed, level={"monolingual": 0.3})
    write_run(tmp_path / "h", level={"monolingual": 0.9, "crosslingual": 0.8, "multilingual": 0.7})
    section = front(study("facts", grouped(find_runs([tmp_path]).runs)), 0.02)
    assert section is not None
    assert section.sentences[-1] == "Not significantly dominated by any that it was tested against: X-X."


def test_the_pictures_have_a_region_a_group_and_rings_for_the_dominated(tmp_path: Path) -> None:
    section = front(of_sweep(tmp_path), 0.02)
    assert section is not None
    assert [figure.title for figure in section.figures] == [
        "Across languages against within a language",
        "Over the pool of all languages against within a language",
        "Over the pool of all languages against across languages",
    ]
    for figure in section.figures:
        assert figure.svg.count('class="region') == 3
        assert (figure.svg.count('class="ring'), figure.svg.count('class="dot')) == (1, 2)
        assert [label for label, _ in figure.legend] == ["1 X-Y", "2 hybrid alpha=0.5", "3 X-X"]
        assert [row[0] for row in figure.data.rows] == ["X-Y", "hybrid alpha=0.5", "X-X"]


def test_equal_strategies_dominate_nobody(tmp_path: Path) -> None:
    write_sweep(tmp_path, {alpha: {"monolingual": 0.6} for alpha in (0.0, 1.0)})
    section = front(study("facts", grouped(find_runs([tmp_path]).runs)), 0.02)
    assert section is not None
    assert section.sentences == ("No strategy significantly dominates another.",)


def test_single_runs_are_spoken_of_as_runs(tmp_path: Path) -> None:
    section = front(of_sweep(tmp_path, seeds=1), 0.02)
    assert section is not None
    assert section.sentences[0].startswith("The run of hybrid alpha=0.5 dominates the run of X-Y (p")


def test_one_setting_or_one_strategy_has_no_front(tmp_path: Path) -> None:
    for name, alpha in (("x_x", 1.0), ("x_y", 0.0)):
        write_run(tmp_path / name, name, alpha, within_only=True)
    assert front(study("facts", grouped(find_runs([tmp_path]).runs)), 0.02) is None
    write_run(tmp_path / "alone" / "run", "x_x", 1.0)
    assert front(study("facts", grouped(find_runs([tmp_path / "alone"]).runs)), 0.02) is None


def test_twenty_groups_are_told_apart_and_the_page_stays_readable(tmp_path: Path) -> None:
    """Groups 0.04 apart in every setting: 760 tests, and all of the 570 of mAP are significant after Holm."""
    for number in range(20):
        level = {setting: 0.08 + 0.042 * number for setting in ("monolingual", "crosslingual", "multilingual")}
        for seed in range(3):
            write_run(
                tmp_path / f"{number}-{seed}", "x_x" if number == 0 else "hybrid", 1.0 if number == 0 else 0.5, seed,
                level=level | {"rank_distance": 100.0 + 10 * number}, settings={"optimizer": {"lr": number}},
                languages=("en", "hi"),
            )  # fmt: skip
    page = write_report([tmp_path], tmp_path / "report").read_text("utf-8")
    rows = (tmp_path / "report" / "data" / "comparisons.csv").read_text().splitlines()
    assert len(rows) == 1 + 760
    p_by_holm = [float(row.split(",")[10]) for row in rows[1:] if ",map," in row]
    assert len(p_by_holm) == 570
    assert max(p_by_holm) < 0.05
    assert "All of them</summary>" in page  # 760 rows are folded
    text = (tmp_path / "report" / "report.md").read_text("utf-8")
    assert text.count("and 14 others keep the monolingual mAP of X-X lr=0 to within 0.01 (p") == 1
    assert "Hybrid alpha=0.5 lr=19 dominates hybrid alpha=0.5 lr=1, hybrid alpha=0.5 lr=2" in page
    drawn = (tmp_path / "report" / "data" / "facts_front_monolingual_multilingual.svg").read_text("utf-8")
    labels = re.findall(r">(\d+) [^<]*lr=(\d+)</text>", drawn)  # more than colours: the numbers tell them apart
    assert [number for number, _ in labels] == [str(number) for number in range(1, 21)]
    assert {int(lr) for _, lr in labels} == set(range(20))


def test_two_that_dominate_each_other_are_counted_once(tmp_path: Path) -> None:
    """Each is better in one setting, and worse by less than a large margin in the others."""
    levels = {0.0: {"monolingual": 0.6, "multilingual": 0.5}, 1.0: {"monolingual": 0.5, "multilingual": 0.6}}
    write_sweep(tmp_path, {alpha: {"crosslingual": 0.5} | level for alpha, level in levels.items()})
    section = front(study("facts", grouped(find_runs([tmp_path]).runs)), 0.3)
    assert section is not None
    assert [sentence.partition(" (p")[0] for sentence in section.sentences] == [
        "X-Y dominates X-X",
        "X-X dominates X-Y",
    ]
    assert [[text for text, _ in cells] for *_, cells in section.grid.rows] == [["1", "1", "0"], ["1", "1", "0"]]

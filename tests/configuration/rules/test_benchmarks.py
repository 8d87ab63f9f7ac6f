"""Settings of benchmarks that contradict each other."""

from pathlib import Path

import pytest

from configurations import problems


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["benchmarks=[]"], "benchmarks: choose at least one"),
        (
            ["benchmarks.xquad_r.data_dir=x"],
            "benchmarks.xquad_r: not among the chosen benchmarks (world_facts)",
        ),
    ],
)
def test_one_problem_of_a_benchmark(overrides: list[str], expected: str) -> None:
    assert expected in problems(*overrides)


def test_a_name_that_leads_elsewhere(tmp_path: Path) -> None:
    """In a file of the user's, or of somebody else: it would become the name of files."""
    (tmp_path / "benchmarks").mkdir()
    target = "babelbatch.benchmarks.world_facts.load_benchmark"
    (tmp_path / "benchmarks" / "theirs.yaml").write_text(f"../../../ESCAPED:\n  _target_: {target}\n")
    assert problems("benchmarks=theirs", config_dir=str(tmp_path)) == [
        "benchmarks: the name '../../../ESCAPED' has a slash, a backslash or a control character in it; choose another"
    ]

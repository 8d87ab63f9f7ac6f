"""Settings of benchmarks that contradict each other."""

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

"""metrics.json is read back with the types that runs write, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from babelbatch.runs.metrics_file import DamagedMetrics, read_metrics

GOOD = {
    "name": "x", "strategy": "hybrid", "alpha": 0.5, "seed": 0, "benchmarks": ["facts"], "languages/facts": ["de"],
    "fingerprint/facts": "c0ffee", "metric/facts": "map", "facts/multilingual/map": 0.5, "trained/sampling.alpha": 0.5,
    "flops/train": 10**21, "custom_metric/success@5": "higher", "mining": {"depth": 3},
}  # fmt: skip


def test_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(GOOD))
    assert read_metrics(tmp_path) == GOOD


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"benchmarks": "facts"}, "'benchmarks' is no list of texts"),
        ({"benchmarks": [["facts"]]}, "'benchmarks' is no list of texts"),
        ({"benchmarks": ["../../../ESCAPED"]}, "the benchmark '../../../ESCAPED' has a slash, a backslash or a control "
         "character in it"),
        ({"benchmarks": [".."]}, "the benchmark '..' begins with a dot or a space, or ends with a space"),
        ({"benchmarks": ["a\nb"]}, "the benchmark 'a\\nb' has a slash, a backslash or a control character in it"),
        ({"benchmarks": ["x" * 101]}, f"the benchmark '{'x' * 80}' is longer than 100 characters"),
        ({"metric/facts": "../x"}, "the metric '../x' has a slash, a backslash or a control character in it"),
        ({"custom_metric/../x": "higher"}, "'custom_metric/../x' is no key of a run"),
        ({"languages/facts": ["../de"]}, "'languages/facts' is no list of languages"),
        ({"alpha": "0.5"}, "'alpha' is no number"),
        ({"alpha": True}, "'alpha' is no number"),
        ({"seed": 0.5}, "'seed' is no whole number"),
        ({"seconds/train": []}, "'seconds/train' is no number"),
        ({"facts/multilingual/map": {}}, "'facts/multilingual/map' is no number"),
        ({"parameters": 10**40}, "'parameters' is no whole number"),
    ],
)  # fmt: skip
def test_values_of_other_types(tmp_path: Path, change: dict, problem: str) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(GOOD | change))
    with pytest.raises(DamagedMetrics) as error:
        read_metrics(tmp_path)
    assert str(error.value) == f"{tmp_path / 'metrics.json'}: {problem}"


def test_no_json(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{\n"a": ]')
    with pytest.raises(DamagedMetrics) as error:
        read_metrics(tmp_path)
    assert str(error.value) == f"{tmp_path / 'metrics.json'} is not valid JSON (line 2: Expecting value)"
    with pytest.raises(FileNotFoundError):
        read_metrics(tmp_path / "nowhere")

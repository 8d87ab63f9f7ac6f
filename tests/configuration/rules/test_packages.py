"""Packages of an extra that a setting needs."""

import sys

import pytest

from configurations import problems


@pytest.mark.parametrize(
    ("overrides", "missing", "expected"),
    [
        (
            ["tuning=lora"],
            "peft",
            "tuning: lora needs peft, which is not installed; pip install 'babelbatch[lora]', or set tuning=full",
        ),
        (
            ["tuning=qlora"],
            "bitsandbytes",
            "tuning.four_bit: needs bitsandbytes, which is not installed; pip install 'babelbatch[qlora]', "
            "or set tuning=lora",
        ),
    ],
)
def test_a_missing_package_is_reported_before_anything_is_loaded(overrides, missing, expected, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    assert problems(*overrides) == [expected]
    assert problems("tuning=full") == []

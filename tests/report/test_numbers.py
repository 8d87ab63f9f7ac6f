"""Numbers as text: one minus, one interval, no break before a unit."""

import pytest

from babelbatch.report.numbers import fixed, general, interval, interval_and_p, p_text, percent, with_unit


@pytest.mark.parametrize(
    ("value", "digits", "signed", "expected"),
    [
        (0.58335, 4, False, "0.5834"),
        (-0.0124, 4, False, "−0.0124"),
        (-0.00004, 4, False, "0.0000"),
        (-21597.64, 1, False, "−21,597.6"),
        (0.0204, 3, True, "+0.020"),
        (-0.0204, 3, True, "−0.020"),
        (0.0004, 3, True, "0.000"),
        (-0.0, 0, True, "0"),
    ],
)
def test_decimals(value: float, digits: int, signed: bool, expected: str) -> None:
    assert fixed(value, digits, signed=signed) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.30000000000000004, "0.3"), (-0.12345, "−0.1235"), (-22534.4, "−22,534"), (999.96, "1000"), (-0.0, "0")],
)
def test_significant_digits(value: float, expected: str) -> None:
    assert general(value) == expected


def test_intervals() -> None:
    assert interval(-0.00671, 0.00644, 4) == "[−0.0067, 0.0064]"
    assert interval(-1303.04, -1087.66, 1) == "[−1,303.0, −1,087.7]"
    assert interval(-0.0046, 0.0041, 3, signed=True) == "[−0.005, +0.004]"


def test_no_break_before_a_unit() -> None:
    assert percent(0.95) == "95\N{NO-BREAK SPACE}%"
    assert percent(0.995) == "99.5\N{NO-BREAK SPACE}%"
    assert percent(0.8749, 1) == "87.5\N{NO-BREAK SPACE}%"
    assert with_unit("12", "s") == "12\N{NO-BREAK SPACE}s"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0009, "p < 0.001"), (0.001, "p = 0.001"), (0.0999, "p = 0.100"), (0.1, "p = 0.10"), (1.0, "p = 1.00")],
)
def test_p_values(value: float, expected: str) -> None:
    assert p_text(value) == expected.replace(" ", "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(
    ("low", "p_value", "expected"),
    [
        (-0.004, 0.78, "95 % interval [−0.004, +0.023], p = 0.78"),
        (0.002, 0.001, "95 % interval [+0.002, +0.023], p = 0.001"),
        (0.002, 0.051, "uncorrected 95 % interval [+0.002, +0.023], p = 0.051 by Holm"),
    ],
)
def test_an_interval_and_a_p_value_that_seem_to_disagree(low: float, p_value: float, expected: str) -> None:
    found = interval_and_p(low, 0.023, 3, 0.95, p_value, signed=True)
    assert found.replace("\N{NO-BREAK SPACE}", " ") == expected

"""Numbers as text, in one style for the page, Markdown, LaTeX, the terminal and the charts.

A minus is U+2212, an interval is `[low, high]`, and a no-break space joins a number to its unit.
"""

from __future__ import annotations

MINUS = "\N{MINUS SIGN}"
NO_BREAK = "\N{NO-BREAK SPACE}"
MISSING = "–"
"""What a table shows where there is no number."""


def fixed(value: float, digits: int, *, signed: bool = False) -> str:
    """`value` with `digits` decimals and thousands separators. Zero has no sign; with `signed`, a gain has a plus."""
    return _with_sign(value, f"{abs(value):,.{digits}f}", signed)


def general(value: float) -> str:
    """`value` with four significant digits, or as a whole number from 1,000 on."""
    return _with_sign(value, f"{abs(value):,.0f}" if abs(value) >= 1000 else f"{abs(value):.4g}")


def interval(low: float, high: float, digits: int, *, signed: bool = False) -> str:
    return f"[{fixed(low, digits, signed=signed)}, {fixed(high, digits, signed=signed)}]"


def percent(share: float, digits: int | None = None) -> str:
    """A share as a percentage: 0.95 is `95 %`. digits: decimals; None means as many as needed."""
    return with_unit(f"{100 * share:g}" if digits is None else fixed(100 * share, digits), "%")


def p_number(value: float) -> str:
    """A p-value for a column: `0.012`, or `< 0.001`."""
    if value < 0.001:
        return NO_BREAK.join(("<", "0.001"))
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def p_text(value: float) -> str:
    """A p-value for a sentence, in one piece: `p = 0.012`, or `p < 0.001`."""
    number = p_number(value)
    return NO_BREAK.join(("p", number) if number.startswith("<") else ("p", "=", number))


def interval_and_p(low: float, high: float, digits: int, level: float, p_value: float, *, signed: bool = False) -> str:
    """The interval of a difference and its p-value, adjusted by Holm, for a sentence. Intervals are not corrected for
    several tests, which is said where an interval excludes zero and the p-value is not significant."""
    bounds = f"{percent(level)} interval {interval(low, high, digits, signed=signed)}"
    if (low > 0 or high < 0) and p_value >= 1 - level:
        return f"uncorrected {bounds}, {p_text(p_value)} by Holm"
    return f"{bounds}, {p_text(p_value)}"


def with_unit(number: str, unit: str) -> str:
    return f"{number}{NO_BREAK}{unit}"


def _with_sign(value: float, digits: str, signed: bool = False) -> str:
    if not digits.strip("0.,"):
        return digits
    return f"{MINUS if value < 0 else '+' if signed else ''}{digits}"

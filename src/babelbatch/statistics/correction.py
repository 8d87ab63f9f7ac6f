"""Many tests at once."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given (Holm 1979).

    Calling those at or below q different is wrong about any of them with probability at most q, however the tests
    depend on each other. The i-th smallest of m is multiplied by m - i + 1, is never below a smaller one's, and at
    most 1.
    Raises ValueError for what is no p-value.
    """
    for place, p_value in enumerate(p_values):
        if not 0 <= p_value <= 1:
            raise ValueError(f"p-value {place} is {p_value}; it must lie between 0 and 1")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for smaller, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (len(p_values) - smaller) * p_values[place]))
        adjusted[place] = largest
    return adjusted

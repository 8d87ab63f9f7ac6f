"""Names in a sentence: "a, b and c"."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 5
"""Names that a sentence gives before it counts."""


def some(names: Sequence[str]) -> str:
    """The first five names, and how many more there are."""
    return listed([*names[:NAMED], f"{len(names) - NAMED} others"] if len(names) > NAMED + 1 else list(names))


def listed(names: Sequence[str], comma: bool = False) -> str:
    """All names. comma: whether one stands before the last, too."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])}{',' if comma else ''} and {names[-1]}"

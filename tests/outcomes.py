"""What a command says of its jobs at its end."""

from __future__ import annotations

import re


def states(stdout: str) -> dict[str, str]:
    """What the end of a sweep says: name of the folder -> state."""
    block = re.search(r"\n\d+ jobs in .*:\n((?:  .*\n)+)", stdout)
    assert block, stdout
    rows = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in block[1].splitlines()]
    return {name.partition(":")[0]: state for state, name in rows}

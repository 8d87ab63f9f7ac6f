"""Where the report writes, and what of a run's names may stand in its Markdown."""

from __future__ import annotations

import re
from pathlib import Path

from babelbatch.records import problem_of_name

_LONGEST = 200  # characters of a file's name: a benchmark's, a measure's and what the table is
_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def data_file(folder: Path, name: str, suffix: str) -> Path:
    """The file of a table. Raises ValueError for a name that would lead out of the folder."""
    if (problem := problem_of_name(name, _LONGEST)) is not None:
        raise ValueError(f"report: the table {name[:60]!r} {problem}, and a file is called by it; rename its benchmark")
    return folder / f"{name}{suffix}"


def without_html(markdown: str) -> str:
    """Markdown whose raw HTML is text. Names from runs are part of it, and pages show Markdown as it is."""
    return _TAG.sub("&lt;", markdown)

"""Where the report writes, and what of a run's names may stand in its Markdown."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from babelbatch.records import problem_of_name

_LONGEST = 200  # characters of a file's name: a benchmark's, a measure's and what the table is
_LINK = re.compile(r'<a href="data/([^"/]+)\.csv">')
_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def data_file(folder: Path, name: str, suffix: str) -> Path:
    """The file of a table. Raises ValueError for a name that would lead out of the folder."""
    if (problem := problem_of_name(name, _LONGEST)) is not None:
        raise ValueError(f"report: the table {name[:60]!r} {problem}, and a file is called by it; rename its benchmark")
    return folder / f"{name}{suffix}"


def of_earlier_page(page: Path, folder: Path) -> set[Path]:
    """The files in `folder` that the report wrote whose page is there; none if there is no page.

    The page links to the CSV files. LaTeX tables and charts are called like these, or (.tex) as a benchmark is, which
    has maps of its cells.
    """
    if not page.is_file():
        return set()
    names = {unescape(name) for name in _LINK.findall(page.read_text(encoding="utf-8", errors="replace"))}
    return {
        file
        for file in folder.iterdir()
        if (file.stem in names and file.suffix in (".csv", ".tex", ".svg"))
        or (file.suffix == ".tex" and f"{file.stem}_cells_0" in names)
    }


def without_html(markdown: str) -> str:
    """Markdown whose raw HTML is text. Names from runs are part of it, and pages show Markdown as it is."""
    return _TAG.sub("&lt;", markdown)

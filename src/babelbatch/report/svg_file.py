"""A chart of the page as a file of its own, for papers and slides: with title, legend and the colours of the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, partial
from html import escape
from importlib.resources import files

from babelbatch.report.figure import Figure
from babelbatch.report.svg import SERIES

_MARGIN, _TITLE, _ROW = 10, 26, 18
_CHART_RULES = re.compile(r"^\.(chart (text|\.mark)|grid|line|whisker|band|dot|ring|region)(\.s\d)?$")
_VARIABLE = re.compile(r"var\(--([\w-]+)\)")
_SIZE = re.compile(r'viewBox="0 0 (\d+) (\d+)"')


def standalone(figure: Figure) -> str:
    """An SVG document, in the light theme. Its colours are plain values, which not only browsers understand."""
    found = _SIZE.search(figure.svg)
    assert found is not None, "a chart has a size"
    width, height = map(int, found.groups())
    top = _TITLE + _ROW * len(figure.legend)
    parts = [f'<text class="title" y="14">{escape(figure.title)}</text>']
    for row, (label, series) in enumerate(figure.legend):
        y = _TITLE + _ROW * row
        parts.append(f'<polyline class="line s{series}" points="0,{y + 4} 27,{y + 4}"/>')
        parts.append(f'<text x="34" y="{y + 8}">{escape(label)}</text>')
    parts.append(figure.svg.replace("<svg ", f'<svg y="{top}" width="{width}" height="{height}" ', 1))
    whole = (width + 2 * _MARGIN, top + height + 2 * _MARGIN)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole[0]}" height="{whole[1]}" '
        f'viewBox="{-_MARGIN} {-_MARGIN} {whole[0]} {whole[1]}"><style>{_style()}</style>'
        f'<rect class="paper" x="{-_MARGIN}" y="{-_MARGIN}" width="{whole[0]}" height="{whole[1]}"/>'
        f"{''.join(parts)}</svg>\n"
    )


@cache
def _style() -> str:
    """The page's rules of charts, each with its colours in place of the variables."""
    css = (files("babelbatch.report") / "templates" / "report.css").read_text(encoding="utf-8")
    colours: dict[str, str] = {}
    for name, colour in re.findall(r"--([\w-]+): (#\w+);", css):
        colours.setdefault(name, colour)  # the first are those of the light theme
    of_series = [colours["accent"], *(colours[f"s{number}"] for number in range(1, SERIES))]
    rules: dict[str, str] = {}
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", css):
        if _CHART_RULES.match(selector := selector.strip()):
            rules.setdefault(selector, body.strip())
    found = [f"svg {{ font-family: sans-serif; }} .paper {{ fill: {colours['paper']}; }}"]
    for selector, body in rules.items():
        if "var(--c)" in body:
            of_each = [(f"{selector}.s{number}", {**colours, "c": colour}) for number, colour in enumerate(of_series)]
        else:
            of_each = [(selector.replace(".chart ", ""), colours)]
        found += [f"{name} {{ {_VARIABLE.sub(partial(_value, values), body)} }}" for name, values in of_each]
    found.append(f".title {{ font-size: 14px; font-weight: 600; fill: {colours['ink']}; }}")
    return " ".join(found)


def _value(values: Mapping[str, str], variable: re.Match[str]) -> str:
    return values[variable[1]]

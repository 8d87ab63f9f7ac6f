"""Charts as files: what the page shows, in a document that needs no style of the page."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from babelbatch.report.figure import Figure
from babelbatch.report.page import write_report
from babelbatch.report.svg import SERIES, Line, Point, chart
from babelbatch.report.svg_file import standalone
from babelbatch.report.tables import Data
from run_folders import write_sweep

SVG = "{http://www.w3.org/2000/svg}"


def made(series: int) -> ElementTree.Element:
    lines = [Line(f"<{n}>", (Point(0, n, (n - 1, n + 1)), Point(1, n, (n - 1, n + 1))), n) for n in range(series)]
    legend = tuple((line.label, line.series) for line in lines)
    return ElementTree.fromstring(standalone(Figure("Loss & more", chart(lines, "a", "x"), legend, Data("d", (), []))))


def test_title_and_legend_are_above_the_chart() -> None:
    root = made(3)
    texts = [each.text for each in root.findall(f"{SVG}text")]
    assert texts == ["Loss & more", "<0>", "<1>", "<2>"]
    (inner,) = root.findall(f"{SVG}svg")
    lowest = max(float(each.get("y", "0")) for each in root.findall(f"{SVG}text"))
    assert float(inner.get("y")) > lowest
    whole = [float(number) for number in root.get("viewBox").split()]
    assert float(inner.get("y")) + float(inner.get("height")) < whole[1] + whole[3]


def test_every_class_has_its_rules_without_variables() -> None:
    root = made(SERIES)
    style = root.findtext(f"{SVG}style")
    assert "var(" not in style
    rules: dict[str, str] = {}
    for selector, body in re.findall(r"([^{}]+) \{ ([^{}]*) \}", style):
        rules[selector.strip()] = rules.get(selector.strip(), "") + body
    used = {each.get("class") for each in root.iter() if each.get("class")} - {"chart"}
    for name in used - {"grid", "title", "paper"}:
        assert f".{'.'.join(name.split())}" in rules, name
    assert {".grid", "text", ".mark"} <= rules.keys()
    colours = {re.search(r"stroke: (#\w+)", rules[f".line.s{number}"])[1] for number in range(SERIES)}
    assert len(colours) == SERIES
    assert re.search(r"fill: #\w+; stroke: #\w+", rules[".ring.s4"])


def test_the_report_has_a_file_for_each_chart(tmp_path: Path) -> None:
    write_sweep(tmp_path / "runs", {0.0: {}, 0.5: {}, 1.0: {}})
    page = write_report([tmp_path / "runs"], tmp_path / "report").read_text(encoding="utf-8")
    drawn = sorted((tmp_path / "report" / "data").glob("*.svg"))
    assert len(drawn) == page.count('<svg class="chart"') > 3
    for file in drawn:
        assert file.with_suffix(".csv").is_file()
        inner = ElementTree.parse(file).find(f"{SVG}svg")
        assert inner.get("aria-label") in page.replace("&lt;", "<").replace("&amp;", "&")

"""The page Architecture: its picture has the wings of today, and its words are those of the glossary."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from pages import DOCS, tool


@pytest.fixture(scope="module")
def drawn() -> str:
    return tool("architecture_picture").picture()


def test_the_picture_is_not_stale(drawn: str) -> None:
    committed = (DOCS / "pictures" / "architecture.svg").read_text(encoding="utf-8")
    assert committed == drawn, "docs/pictures/architecture.svg is stale: run make settings"


def test_every_wing_is_in_its_place(drawn: str) -> None:
    texts = [element.text for element in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    floors = tool("architecture_picture").wings()
    wings = [wing for floor in floors for wing in floor]
    assert wings == [text for text in texts if text in wings]
    assert floors[0] == ["cli"]
    assert "records" in floors[-2]
    assert floors[-1] == ["progress"]


def test_the_glossary_is_in_order() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    glossary = text.split("## Glossary")[1].split("## Contracts")[0]
    terms = re.findall(r"^([^\s:].*)\n: ", glossary, re.MULTILINE)
    assert terms == sorted(terms, key=str.lower)
    assert {"alpha", "cell", "passage key", "plan", "rank distance", "setting"} <= set(terms)

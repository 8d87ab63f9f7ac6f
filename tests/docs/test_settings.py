"""The page Settings is what the signatures say today, and says something about every key of our own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from babelbatch.configuration.shipped import CONF
from pages import DOCS, tool


@pytest.fixture(scope="module")
def page() -> str:
    tool("docstrings")
    return tool("settings_page").page()


def rows(page: str) -> dict[str, list[str]]:
    """key -> type, default and meaning, of each key of a group."""
    found = {}
    for line in page.splitlines():
        if re.match(r"\| `[a-z_]+\.", line):
            key, *cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            found[key.strip("`")] = cells
    return found


def test_it_is_not_stale(page: str) -> None:
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == page, "docs/settings.md is stale: run make settings"


def test_every_group_is_on_it(page: str) -> None:
    groups = {path.parent.name for path in Path(CONF).glob("*/*.yaml")} - {"experiment"}
    assert groups <= set(re.findall(r"^## (\w+)$", page, re.MULTILINE))


def test_keys_have_type_default_and_meaning(page: str) -> None:
    found = rows(page)
    assert found["sampling.batch_size"] == ["int", "`128`", "Pairs in the global batch"]
    assert found["sampling.alpha"][:2] == ["float", "*required*"]
    assert found["loss.temperature"][:2] == ["float", "`0.05`"]
    assert found["encoder.pooling"][0].startswith("one of 'cls', 'mean', ")
    assert found["data.validation_fraction"][1] == "`0.05`"
    assert "callbacks.checkpoint.every_minutes" in found
    assert [key for key, cells in found.items() if not cells[2]] == []


def test_what_the_run_adds_is_no_setting(page: str) -> None:
    assert (
        not {"data.corpus", "data.requirements", "encoder.texts", "trainer.logger", "optimizer.params"}
        & rows(page).keys()
    )


@pytest.mark.parametrize(
    ("docstring", "names", "expected"),
    [
        ("Does it.\n\nalpha: one. beta: more.", ["alpha", "beta"], {"alpha": "one.", "beta": "more."}),
        ("k1, b: two\n    lines of it.", ["k1", "b"], {"k1": "two lines of it.", "b": "two lines of it."}),
        ("mix: `words`: each. `texts`: all.\ntexts: which.", ["mix", "texts"], {
            "mix": "`words`: each. `texts`: all.", "texts": "which.",
        }),
        ("The seed: a number.", ["seed"], {}),
        ("Nothing.", [], {}),
    ],
)  # fmt: skip
def test_notes_of_a_docstring(docstring: str, names: list[str], expected: dict[str, str]) -> None:
    assert tool("docstrings").notes(docstring, names) == expected

"""The file of wordings: what is checked when it is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from babelbatch.sources import world_facts_wordings
from babelbatch.sources.world_facts_wordings import Wordings, load_wordings

VALUES = {
    "home": {
        "en": {"queries": ["Where is {subject} spoken?"], "passages": ["{subject} is spoken in {object}."]},
        "de": {"queries": ["{subject}: wo?"], "passages": ["{object}: {subject}."]},
    }
}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[object], dict[tuple[str, str], Wordings]]:
    def load_values(values: object) -> dict[tuple[str, str], Wordings]:
        path = tmp_path / "wordings.json"
        path.write_text(json.dumps(values), encoding="utf-8")
        monkeypatch.setattr(world_facts_wordings, "_FILE", path)
        return load_wordings.__wrapped__(("home",), ("de", "en"))

    return load_values


def test_wordings(load):
    assert load(VALUES) == {
        ("home", "de"): Wordings(("{subject}: wo?",), ("{object}: {subject}.",)),
        ("home", "en"): Wordings(("Where is {subject} spoken?",), ("{subject} is spoken in {object}.",)),
    }


def changed(language: str, role: str, wordings: list[str]) -> dict[str, dict]:
    values = json.loads(json.dumps(VALUES))
    values["home"][language][role] = wordings
    return values


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({**VALUES, "script": VALUES["home"]}, ": the relations are home, script, not home; install it again"),
        ({"home": {"en": VALUES["home"]["en"]}}, ": the languages of home are en, not de, en; install it again"),
        (changed("en", "queries", []), ", home.en: no queries; add one"),
        (
            changed("de", "queries", ["Wo ist {object}?"]),
            ", home.de: 'Wo ist {object}?' must have the fields {subject} and no other",
        ),
        (
            changed("de", "passages", ["Hier ist {subject}."]),
            ", home.de: 'Hier ist {subject}.' must have the fields {subject} and {object} and no other",
        ),
    ],
)
def test_damage(load, tmp_path, values, problem):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        load(values)
    assert str(caught.value) == f"{tmp_path / 'wordings.json'}{problem}"

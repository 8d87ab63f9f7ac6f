"""Models in the hub's cache: files that are damaged say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from babelbatch.commands.fetch import read_manifest
from babelbatch.sources.models import base_of_adapter

DAMAGED = ["{", "[1]", "[" * 100_000, '{"n": ' + "9" * 5_000 + "}", '{"base_model_name_or_path": 3}']


@pytest.mark.parametrize("content", DAMAGED, ids=["cut off", "a list", "deep", "a long number", "a number"])
def test_damaged_files(content: str, tmp_path: Path) -> None:
    file = tmp_path / "adapter_config.json"
    file.write_text(content)
    assert base_of_adapter(file) is None


@pytest.mark.parametrize("content", DAMAGED[:4], ids=["cut off", "a list", "deep", "a long number"])
def test_a_damaged_record_of_fetched_files(content: str, tmp_path: Path) -> None:
    file = tmp_path / "fetched.json"
    file.write_text(content)
    assert read_manifest(file) == {}


def test_the_base_of_an_adapter(tmp_path: Path) -> None:
    file = tmp_path / "adapter_config.json"
    file.write_text('{"base_model_name_or_path": "owner/model"}')
    assert base_of_adapter(file) == "owner/model"
    file.write_text(f'{{"base_model_name_or_path": "{tmp_path}"}}')
    assert base_of_adapter(file) is None

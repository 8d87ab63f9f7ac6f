"""Folders of encoders whose files were damaged after they were saved."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from babelbatch.encoder import load, load_architecture, save, tiny
from babelbatch.encoder.checksums import CHECKSUMS_FILE


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoder") / "encoder"
    save(tiny(["one text", "another text"] * 9, vocab_size=300, hidden_size=16, heads=2), folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    for path in saved.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(saved)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_one_bit_of_what_nobody_edits_is_noticed(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-99] ^= 1  # of a weight, say; safetensors reads it without a word
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match="not as it was saved") as error:
        load(folder)
    assert str(error.value) == (
        f"encoder.name_or_path: {folder / name} is not as it was saved; it is damaged: copy it again or, if you have "
        f"replaced it yourself, remove {folder / CHECKSUMS_FILE}"
    )


def test_without_checksums_a_folder_is_read_as_it_is(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "layer.0.output.dense.weight" in name)
    save_file(weights | {name: weights[name] + 1}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="is not as it was saved"):
        load(folder)
    (folder / CHECKSUMS_FILE).unlink()
    read = load(folder).tower("query").backbone.state_dict()
    assert torch.equal(read[name], weights[name] + 1)


def test_a_folder_that_is_saved_again_has_new_checksums(folder: Path) -> None:
    encoder = load(folder)
    before = (folder / CHECKSUMS_FILE).read_text()
    with torch.no_grad():
        next(encoder.parameters()).add_(1)
    save(encoder, folder)
    assert (folder / CHECKSUMS_FILE).read_text() != before
    assert torch.equal(next(load(folder).parameters()), next(encoder.parameters()))


def test_checksums_name_no_file_elsewhere(folder: Path) -> None:
    (folder / CHECKSUMS_FILE).write_text(json.dumps({"crc32": {"../other": "00000000"}}))
    with pytest.raises(ValueError, match="leads out") as error:
        load(folder)
    assert str(error.value) == (
        f"{folder / CHECKSUMS_FILE}: '../other' leads out of the folder; remove the file to load the encoder unverified"
    )


@pytest.mark.parametrize("size", [10**8, 10**30])
@pytest.mark.parametrize(
    "setting", ["num_hidden_layers", "hidden_size", "intermediate_size", "max_position_embeddings", "vocab_size"]
)
def test_a_gigantic_size_in_config_json_is_refused_at_once(folder: Path, setting: str, size: int) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert setting in config
    (folder / "config.json").write_text(json.dumps(config | {setting: size}))
    (folder / "step.ckpt").write_bytes(b"x" * 100_000)
    for read in (lambda: load(folder), lambda: load_architecture(folder, folder / "step.ckpt")):
        started = time.process_time()
        with pytest.raises(ValueError, match=r"describes a model of more than|Overflow|int too big"):
            read()
        assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "changed", [{"dimensions": 10**9}, {"dense": [{"size": 10**9, "bias": True, "activation": "Tanh"}]}]
)
def test_a_gigantic_size_in_babelbatch_json_is_refused_before_it_takes_memory(
    folder: Path, changed: dict[str, object]
) -> None:
    settings = json.loads((folder / "babelbatch.json").read_text())
    (folder / "babelbatch.json").write_text(json.dumps(settings | changed))
    (folder / "step.ckpt").write_bytes(b"x" * 100_000)
    for read in (lambda: load(folder), lambda: load_architecture(folder, folder / "step.ckpt")):
        with pytest.raises(ValueError, match=r"describes a model of more than 1\.0 GiB, but its weights have 0"):
            read()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (
            lambda path: path.write_bytes(path.read_bytes()[:-20]),
            "Error while deserializing header: incomplete metadata, file not fully covered",
        ),
        (
            lambda path: save_file({"w": torch.zeros(8, 16)}, path),
            'Error(s) in loading state_dict for Linear: Missing key(s) in state_dict: "weight" '
            'Unexpected key(s) in state_dict: "w"',
        ),
    ],
)
def test_a_damaged_projection_without_checksums(damage: Callable[[Path], None], reason: str, tmp_path: Path) -> None:
    save(tiny(["one text", "another text"], vocab_size=60, hidden_size=16, heads=2, dimensions=8), tmp_path)
    (tmp_path / CHECKSUMS_FILE).unlink()
    damaged = tmp_path / "query_projection.safetensors"
    damage(damaged)
    with pytest.raises(ValueError, match="projection") as error:
        load(tmp_path)
    assert str(error.value) == (
        f"encoder.name_or_path: {damaged} cannot be loaded ({reason}); copy it there again, or save the model again"
    )

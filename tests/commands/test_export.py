"""babelbatch-export: the folder that it writes, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from babelbatch import load
from babelbatch.cli import export as command
from babelbatch.encoder import publishing, save, tiny
from commands import exit_code
from configurations import problems
from run_folders import write_run

TEXTS = ["Lima is the capital of Peru.", "Quito ist die Hauptstadt von Ecuador.", "ลิมา"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs with encoders that were not trained: `one` tower, and `two` with a projection."""
    folder = tmp_path_factory.mktemp("runs")
    for name, more in {"one": {}, "two": {"shared": False, "dimensions": 12}}.items():
        save(tiny(TEXTS, vocab_size=100, hidden_size=16, heads=2, layers=1, **more), folder / name / "encoder")
        (folder / name / "metrics.json").write_text("{}")
    return folder


@pytest.fixture
def typed(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs the command in this process: its exit code, what it prints, and its errors. It writes to `model`."""

    def run(name: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(
            "sys.argv", ["babelbatch-export", f"run={runs / name}", f"output={tmp_path}/model", *arguments]
        )
        return exit_code(command), *capsys.readouterr()

    return run


def cut(vectors: np.ndarray, size: int) -> np.ndarray:
    return vectors[:, :size] / np.linalg.norm(vectors[:, :size], axis=1, keepdims=True)


@pytest.mark.parametrize("name", ["one", "two"])
def test_shorter_vectors_are_the_first_components(name: str, runs: Path, tmp_path: Path, typed) -> None:
    code, printed, _ = typed(name, "dimensions=8")
    assert code == 0
    away = r"at most \d\.\de[-+]\d\d of their length away from those of the run"
    measured = r"\(measured on two English sentences, as queries and as passages\)"
    assert re.search(rf"\n{re.escape(str(tmp_path))}/model: vectors of 8 components, {away} {measured}\n", printed)
    before, after = load(runs / name), load(tmp_path / "model")
    for encode in ("encode_queries", "encode_passages"):
        expected = cut(getattr(before, encode)(TEXTS), 8)
        np.testing.assert_allclose(getattr(after, encode)(TEXTS), expected, atol=1e-5)


def test_sentence_transformers_computes_them_too(runs: Path, tmp_path: Path, typed) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers", reason="the extra `bench` is not installed")
    assert typed("two", "dimensions=8")[0] == 0
    model = sentence_transformers.SentenceTransformer(str(tmp_path / "model"), device="cpu")
    before = load(runs / "two")
    np.testing.assert_allclose(model.encode_query(TEXTS), cut(before.encode_queries(TEXTS), 8), atol=1e-5)
    np.testing.assert_allclose(model.encode_document(TEXTS), cut(before.encode_passages(TEXTS), 8), atol=1e-5)


@pytest.mark.parametrize(("dtype", "stored"), [("float32", "F32"), ("float16", "F16"), ("bfloat16", "BF16")])
def test_weights_have_the_type(dtype: str, stored: str, runs: Path, tmp_path: Path, typed) -> None:
    assert typed("two", f"dtype={dtype}")[0] == 0
    for file in ("model.safetensors", "passage/model.safetensors", "query_projection.safetensors"):
        with safe_open(tmp_path / "model" / file, "pt") as weights:
            assert {weights.get_slice(key).get_dtype() for key in weights.keys()} == {stored}  # noqa: SIM118 - safetensors' file is not iterable
    before, after = load(runs / "two").encode_queries(TEXTS), load(tmp_path / "model").encode_queries(TEXTS)
    np.testing.assert_allclose(after, before, atol={"F32": 0, "F16": 1e-3, "BF16": 2e-2}[stored])


def test_a_finished_run_gives_a_card(tmp_path: Path, runs: Path, typed) -> None:
    write_run(runs / "full", "x_x", 1.0)
    shutil.copytree(runs / "one" / "encoder", runs / "full" / "encoder")
    code, printed, _ = typed("full", "dtype=float16", "dimensions=8")
    assert (code, "no model card" in printed) == (0, False)
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    note = (
        "Exported with weights in float16 and the first 8 components of its vectors; the scores below are those of the "
    )
    assert f"\n{note}whole model.\n" in card
    assert (
        "no model card: only a finished training run knows what is in one\n" in typed("one", f"output={tmp_path}/2")[1]
    )


def test_the_code_of_the_card_runs_and_agrees(
    tmp_path: Path, runs: Path, typed, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sentence_transformers", reason="the extra `bench` is not installed")
    write_run(runs / "shown", "x_x", 1.0)
    shutil.copytree(runs / "one" / "encoder", runs / "shown" / "encoder")
    assert typed("shown")[0] == 0
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in card.split("```python\n")[1:]]
    assert [len(list(filter(None, block.splitlines()))) for block in blocks] == [5, 5]
    printed = []
    for block in blocks:
        exec(block.replace("this folder", str(tmp_path / "model")), {})
        printed.append(float(re.findall(r"-?\d\.\d+", capsys.readouterr().out)[0]))
    assert printed[0] == pytest.approx(printed[1], abs=1e-4)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_graphs_of_both_towers(name: str, tmp_path: Path, typed) -> None:
    """The command itself compares their states with torch's."""
    for package in {"onnx": ("onnx", "onnxscript", "onnxruntime"), "openvino": ("openvino",)}[name]:
        pytest.importorskip(package, reason="the extra `export` is not installed")
    code, printed, _ = typed("two", f"formats=[{name}]")
    assert code == 0
    assert f"{name}: states of the backbone, at most " in printed
    file = {"onnx": "model.onnx", "openvino": "openvino_model.xml"}[name]
    assert (tmp_path / "model" / name / file).is_file()
    assert (tmp_path / "model" / "passage" / name / file).is_file()


def test_a_package_that_is_missing_is_named(tmp_path: Path, typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, errors = typed("one", "formats=[onnx]")
    assert code == 2
    assert errors.endswith(
        "babelbatch: formats: onnx needs onnx, onnxscript, onnxruntime; pip install 'babelbatch[export]', or leave it "
        "out\n"
    )
    assert not list(tmp_path.iterdir())


class Hub:
    """Stands for `huggingface_hub.HfApi`, which the tests keep from the net."""

    calls: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012 - of one test

    def create_repo(self, name: str, **options: Any) -> str:
        self.calls.append((name, options))
        return f"https://hub/{name}"

    def upload_folder(self, **options: Any) -> None:
        options["files"] = sorted(path.name for path in Path(options["folder_path"]).iterdir())
        self.calls.append(("upload", options))


def test_it_uploads_only_if_asked_to(tmp_path: Path, typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "HfApi", Hub)
    monkeypatch.setattr(Hub, "calls", [])
    assert typed("one")[0] == 0
    assert Hub.calls == []
    (tmp_path / "model").rename(tmp_path / "first")
    code, printed, _ = typed("one", "push_to_hub=me/retriever")
    assert (code, printed.splitlines()[-1]) == (0, "https://hub/me/retriever")
    (repository, made), (_, uploaded) = Hub.calls
    assert (repository, made) == ("me/retriever", {"private": True, "exist_ok": True})
    assert (uploaded["repo_id"], uploaded["folder_path"]) == ("me/retriever", tmp_path / "model")
    assert {"model.safetensors", "modules.json", "babelbatch.json", "tokenizer.json"} <= set(uploaded["files"])


def test_an_upload_that_fails_leaves_the_folder(tmp_path: Path, typed) -> None:
    code, _, errors = typed("one", "push_to_hub=me/retriever")  # the tests are offline
    assert code == 2
    assert "babelbatch: push_to_hub: me/retriever was not uploaded (" in errors
    assert f"and upload {tmp_path}/model with `hf upload me/retriever {tmp_path}/model`\n" in errors
    assert "Traceback" not in errors
    assert json.loads((tmp_path / "model" / "babelbatch.json").read_text())["pooling"] == "mean"


def test_vectors_do_not_grow(tmp_path: Path, typed) -> None:
    code, _, errors = typed("one", "dimensions=16")
    assert code == 2
    assert errors.endswith("babelbatch: dimensions: 16 of vectors of 16; set it to 1 to 15, or leave it out\n")
    assert not list(tmp_path.iterdir())


def test_settings_are_checked_first(runs: Path, tmp_path: Path) -> None:
    assert problems(root="export") == [
        "run: missing; set it to the folder of a run",
        "output: missing; set it to a new folder",
    ]
    overrides = ("run=/gone", f"output={tmp_path}", "dtype=float61", "formats=[onx]", "dimensions=0")
    assert problems(*overrides, root="export") == [
        "dimensions: 0 is not at least 1",
        "run: there is no '/gone'",
        f"output: {tmp_path} exists; name a new folder, or remove that one",
        "dtype: 'float61' is not one of float32, float16, bfloat16, did you mean 'float16'?",
        "formats: 'onx' is not one of onnx, openvino, did you mean 'onnx'?",
    ]

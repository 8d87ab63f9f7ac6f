"""`from babelbatch import load`: an encoder with texts in and vectors out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from babelbatch import load
from babelbatch.encoder import save, tiny
from babelbatch.evaluation.encoding import encode
from processes import python

QUERIES = ["What is the capital of Peru?", "¿Cuál es la capital de Perú?", "Wie heißt die Hauptstadt von Peru?"]
PASSAGES = ["Lima is the capital of Peru.", "Lima."]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a small encoder that was not trained."""
    folder = tmp_path_factory.mktemp("run")
    save(tiny([*QUERIES, *PASSAGES], vocab_size=150, hidden_size=16, heads=2, layers=1), folder / "encoder")
    (folder / "metrics.json").write_text("{}")
    return folder


def test_nothing_is_imported_before_it_is_used() -> None:
    script = "import sys, babelbatch\nprint(sorted(babelbatch.__all__), {'torch', 'numpy', 'pandas'} & {*sys.modules})"
    assert python(script).stdout == "['__version__', 'compare', 'evaluate', 'load'] set()\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    import babelbatch

    with pytest.raises(AttributeError, match=r"^module 'babelbatch' has no attribute 'train'$"):
        babelbatch.train  # noqa: B018 - reading it raises
    assert {"load", "evaluate", "compare"} <= set(dir(babelbatch))


@pytest.mark.parametrize("inside", ["", "encoder"])
def test_the_vectors_are_those_of_the_evaluation(run: Path, inside: str) -> None:
    model = load(run / inside, device="cpu")
    assert not model.encoder.training
    queries, passages = model.encode_queries(QUERIES), model.encode_passages(PASSAGES)
    assert queries.dtype == passages.dtype == np.float32
    assert queries.shape == (3, model.dimensions) == (3, 16)
    np.testing.assert_array_equal(queries, encode(model.encoder, QUERIES, "query"))
    np.testing.assert_array_equal(passages, encode(model.encoder, PASSAGES, "passage"))
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(model.encode_queries(QUERIES, token_budget=1), queries, atol=1e-6)  # one text at a time


def test_settings_replace_those_of_the_folder(run: Path) -> None:
    plain, prefixed = load(run), load(run, query_prefix="capital of ")
    expected = plain.encode_queries([f"capital of {text}" for text in QUERIES])
    np.testing.assert_array_equal(prefixed.encode_queries(QUERIES), expected)
    np.testing.assert_array_equal(prefixed.encode_passages(PASSAGES), plain.encode_passages(PASSAGES))


def test_a_saved_encoder_is_loaded_as_it_was(run: Path, tmp_path: Path) -> None:
    model = load(run, query_prefix="capital of ")
    model.save(tmp_path / "copy")
    np.testing.assert_array_equal(load(tmp_path / "copy").encode_queries(QUERIES), model.encode_queries(QUERIES))


def test_no_text_is_no_row(run: Path) -> None:
    assert load(run).encode_queries([]).shape == (0, 16)


def test_bars_can_be_switched_off(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from babelbatch import progress

    shown: list[str] = []
    model = load(run)
    monkeypatch.setattr(progress, "_watch", lambda work, display, over: shown.append(work.description))
    model.encode_queries(["a text without vectors"], progress=False)
    assert shown == []
    model.encode_queries(["another text without vectors"])
    assert "encoding 1 queries" in shown


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "texts: it is one text; give a list of texts"),
        (["a", 7], "texts: element 1 is a int; give a list of str"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(run: Path, texts: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=rf"^{message}$"):
        load(run).encode_queries(texts)


def test_a_budget_of_no_tokens_is_refused(run: Path) -> None:
    with pytest.raises(ValueError, match=r"^token_budget: 0 is not above 0; leave it out for that of an evaluation$"):
        load(run).encode_queries(QUERIES, token_budget=0)


def test_what_cannot_be_loaded_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"^query_prefx: an encoder has no such setting, did you mean 'query_prefix'\?$"
    ):
        load(run, query_prefx="q: ")
    with pytest.raises(ValueError, match=rf"^checkpoint: {tmp_path} is not a run; it contains no finished run$"):
        load(tmp_path)
    with pytest.raises(ValueError, match=r"^encoder.name_or_path: there is no folder /gone$"):
        load("/gone")
    with pytest.raises(ValueError, match=r"^device: 'gpu' cannot be used .*; set device=auto, cpu or cuda$"):
        load(run, device="gpu")
    (tmp_path / "checkpoints").mkdir()
    (file := tmp_path / "checkpoints" / "last.ckpt").touch()
    with pytest.raises(
        ValueError,
        match=r"^query_prefix: a checkpoint file is loaded as it was trained; load the run's folder instead$",
    ):
        load(file, query_prefix="q: ")


def test_a_damaged_folder_is_refused(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "encoder", tmp_path / "encoder")
    (tmp_path / "encoder" / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"^encoder.name_or_path: .* has no weights \(model.safetensors"):
        load(tmp_path / "encoder")
    settings = json.loads((tmp_path / "encoder" / "babelbatch.json").read_text())
    assert settings["query_length"] == 48

"""A model by its hub name is the folder that it is there: the real client, against a hub on the loopback interface."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from babelbatch.encoder import pretrained, save, tiny
from babelbatch.evaluation.encoding import encode
from loopback_hub import serving

pytestmark = pytest.mark.slow

NAMES = ["team/bare", "team/sentences", "team/trained"]
TEXTS = ["red green blue", "green", "blue and grey and white"]
LOADING = """
import json, logging, sys
from dataclasses import asdict
from babelbatch.encoder import pretrained
from babelbatch.evaluation.encoding import encode

logging.basicConfig(format="%(message)s", stream=sys.stderr, level=logging.WARNING)
texts, asked = json.loads(sys.argv[1]), json.loads(sys.argv[2])
found = {}
for name in sys.argv[3:]:
    try:
        encoder = pretrained(name, **asked).eval()
    except ValueError as error:
        found[name] = str(error)
    else:
        settings = {key: value for key, value in asdict(encoder.settings).items() if key != "dense"}
        found[name] = [settings, encode(encoder, texts, "query", 100).tolist()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four models, as they are published: a bare transformer, one of sentence-transformers with a dense layer and
    prompts, one of babelbatch, and one without weights."""
    root = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    small = {"vocab_size": 60, "hidden_size": 16, "layers": 1, "heads": 2, "passage_length": 256}
    encoder = tiny(TEXTS, **small)
    for name in ("bare", "sentences", "broken"):
        folder = root / "team" / name
        encoder.towers["query"].backbone.save_pretrained(folder)
        encoder.tokenizer.save_pretrained(folder)
    (root / "team" / "broken" / "model.safetensors").unlink()
    folder = root / "team" / "sentences"
    kinds = ("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense")
    (folder / "modules.json").write_text(
        json.dumps(
            [
                {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
                for place, (path, kind) in enumerate(kinds)
            ]
        )
    )
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "find: "}}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 20}))
    for part, config in (
        ("1_Pooling", {"word_embedding_dimension": 16, "pooling_mode_cls_token": True}),
        ("2_Dense", {"in_features": 16, "out_features": 5, "activation_function": "torch.nn.modules.activation.Tanh"}),
    ):
        (folder / part).mkdir()
        (folder / part / "config.json").write_text(json.dumps(config))
    save_file(
        {"linear.weight": torch.randn(5, 16), "linear.bias": torch.randn(5)}, folder / "2_Dense/model.safetensors"
    )
    for other in ("pytorch_model.bin", "tf_model.h5", "onnx/model.onnx"):  # nobody needs to fetch them
        (folder / other).parent.mkdir(exist_ok=True)
        (folder / other).write_bytes(b"of another kind")
    trained = tiny(TEXTS, **small, pooling="max", query_length=7, dimensions=3)
    save(trained, root / "team" / "trained")
    return root


def loaded(cache: Path, names: list[str], asked: dict[str, Any] | None = None, **env: str) -> tuple[dict, str]:
    """Settings and vectors of each model, or why there are none; and the warnings."""
    done = subprocess.run(
        [sys.executable, "-c", LOADING, json.dumps(TEXTS), json.dumps(asked or {}), *names],
        env={name: value for name, value in os.environ.items() if name[:3] != "HF_"} | {"HF_HOME": str(cache)} | env,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.fixture(scope="module")
def online(models: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, str, list[str]]:
    """All of them fetched into one cache: where it is, what was found, the warnings, the files that were fetched."""
    cache = tmp_path_factory.mktemp("cache")
    with serving(models) as (address, fetched):
        found, warnings = loaded(cache, [*NAMES, "team/broken", "team/nobody"], HF_ENDPOINT=address)
    return cache, found, warnings, fetched


def test_a_hub_name_says_what_a_copy_of_its_folder_says(models: Path, online: tuple) -> None:
    cache, found, warnings, fetched = online
    for name in NAMES:
        local = pretrained(str(models / name)).eval()
        settings, vectors = found[name]
        assert settings == {key: value for key, value in asdict(local.settings).items() if key != "dense"}
        np.testing.assert_allclose(vectors, encode(local, TEXTS, "query", 100), atol=1e-6)
    assert [found[name][0]["pooling"] for name in NAMES] == ["mean", "cls", "max"]
    assert [len(found[name][1][0]) for name in NAMES] == [16, 5, 3]
    assert found["team/sentences"][0]["query_prefix"] == "find: "
    assert "cannot be looked up" not in warnings
    assert not any(name.endswith((".bin", ".h5", ".onnx")) for name in fetched)
    assert sorted(fetched) == sorted(set(fetched))  # each file once
    # And then without a connection: what was fetched is enough, and that the bare one says nothing is known.
    offline, warnings = loaded(cache, NAMES, HF_HUB_OFFLINE="1")
    assert offline == {name: found[name] for name in NAMES}
    assert "cannot be looked up" not in warnings


def test_what_cannot_be_loaded(online: tuple) -> None:
    for name in ("team/broken", "team/nobody"):
        reason = online[1][name]
        assert reason.startswith(f"encoder.name_or_path: no model could be loaded from '{name}' (")
        assert reason.endswith("give a folder that holds it, or a hub name while the hub can be reached")


def test_what_nobody_could_be_asked_is_told(online: tuple, tmp_path: Path) -> None:
    """A cache that another program filled has the transformer's files, and not whether there are others."""
    cache = shutil.copytree(online[0], tmp_path / "cache", symlinks=True)
    for unknown in cache.glob("hub/*/.no_exist/*/modules.json"):
        unknown.unlink()
    found, warnings = loaded(cache, ["team/bare", "team/sentences"], HF_HUB_OFFLINE="1")
    assert found == {name: online[1][name] for name in found}
    assert warnings.count("says how it pools cannot be looked up") == 1
    assert "encoder: whether team/bare says how it pools cannot be looked up" in warnings
    assert "set encoder.pooling, or fetch the model with `hf download team/bare`" in warnings
    # What is asked for counts for more than what is said, and leaves nothing to look up.
    asked = {"pooling": "mean", "query_prefix": "", "query_length": 9}
    found, warnings = loaded(cache, ["team/bare", "team/sentences"], asked, HF_HUB_OFFLINE="1")
    assert "cannot be looked up" not in warnings
    settings = found["team/sentences"][0]
    assert settings == online[1]["team/sentences"][0] | asked

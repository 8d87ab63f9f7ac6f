"""A folder with a LoRA adapter alone is loaded with the model that it names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModel, Qwen3Config

from babelbatch.encoder import load, pretrained, save, tiny
from babelbatch.encoder.backbones import train_tokenizer
from babelbatch.evaluation.encoding import encode

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")  # between peft and transformers
TEXTS = ["red green blue", "green", "blue and grey and white"]
SETTINGS = {"pooling": "last", "query_length": 16, "passage_length": 16, "normalise": False}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A base model with its tokenizer, and an adapter."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer(TEXTS, 80)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = Qwen3Config(**sizes, vocab_size=len(tokenizer), num_key_value_heads=1, head_dim=16)
    AutoModel.from_config(config).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    model = get_peft_model(
        AutoModel.from_pretrained(tmp_path / "base"),
        LoraConfig(r=2, lora_alpha=6, target_modules=["q_proj", "down_proj"], init_lora_weights=False),
    )
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "base", tmp_path / "adapter"


def test_vectors_are_those_of_peft(folders: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = folders
    encoder = pretrained(str(adapter), **SETTINGS)
    vectors = encode(encoder, TEXTS, "query", 1_000)
    model = PeftModel.from_pretrained(AutoModel.from_pretrained(base), adapter).eval()
    for text, vector in zip(TEXTS, vectors, strict=True):
        rows = encoder.tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            states = model(input_ids=rows["input_ids"], attention_mask=rows["attention_mask"]).last_hidden_state
        np.testing.assert_allclose(vector, states[0, -1], atol=1e-5)
    plain = encode(pretrained(str(base), **SETTINGS), TEXTS, "query", 1_000)
    assert np.abs(plain - vectors).max() > 1e-2
    save(encoder, tmp_path / "saved")
    np.testing.assert_allclose(encode(load(tmp_path / "saved"), TEXTS, "query", 1_000), vectors, atol=1e-5)


def test_settings_are_those_of_the_model(tmp_path: Path) -> None:
    """Pooling, prefixes and a projection, which the adapter's folder does not state; what is set wins."""
    settings = {"pooling": "cls", "query_prefix": "query: ", "dimensions": 8, "query_length": 20}
    torch.manual_seed(0)
    save(tiny(TEXTS, vocab_size=80, hidden_size=16, layers=1, heads=2), tmp_path / "plain")
    save(pretrained(str(tmp_path / "plain"), **settings), tmp_path / "base")
    adapted = get_peft_model(
        AutoModel.from_pretrained(tmp_path / "base"),
        LoraConfig(r=2, target_modules=["query", "value"], init_lora_weights=False),
    )
    adapted.save_pretrained(tmp_path / "adapter")
    base, encoder = load(tmp_path / "base"), load(tmp_path / "adapter")
    assert encoder.settings == base.settings
    torch.testing.assert_close(
        encoder.tower("query").projection.state_dict(), base.tower("query").projection.state_dict()
    )
    assert np.abs(encode(encoder, TEXTS, "query", 99) - encode(base, TEXTS, "query", 99)).max() > 1e-3
    assert pretrained(str(tmp_path / "adapter"), query_prefix="q: ").settings.query_prefix == "q: "
    save(encoder, tmp_path / "saved")
    np.testing.assert_allclose(
        encode(load(tmp_path / "saved"), TEXTS, "query", 99), encode(encoder, TEXTS, "query", 99), atol=1e-5
    )


def test_an_adapter_of_an_exported_model(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """The model's folder is one of sentence-transformers, with its transformer in a subfolder."""
    base, adapter = folders
    exported = tmp_path / "exported"
    shutil.copytree(base, exported / "0_Transformer")
    modules = [("0", "0_Transformer", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]
    (exported / "1_Pooling").mkdir()
    (exported / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 32, "pooling_mode_lasttoken": True})
    )
    (exported / "modules.json").write_text(
        json.dumps(
            [
                {"idx": int(name), "name": name, "path": path, "type": f"sentence_transformers.models.{kind}"}
                for name, path, kind in modules
            ]
        )
    )
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": str(exported)}))
    encoder = pretrained(str(adapter))
    assert (encoder.settings.pooling, encoder.settings.normalise) == ("last", True)


def test_an_adapter_of_another_model(folders: tuple[Path, Path]) -> None:
    _, adapter = folders
    weights = load_file(adapter / "adapter_model.safetensors")
    other = {name.replace("layers.1", "layers.7"): weight for name, weight in weights.items()}
    save_file(other, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="does not fit") as caught:
        pretrained(str(adapter), **SETTINGS)
    assert str(caught.value).startswith(
        f"encoder.name_or_path: {adapter} has an adapter that does not fit its model (8 tensors, such as layers."
    )


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"use_dora": True}, "an adapter of the kind LORA with use_dora; plain LoRA alone is merged here"),
        ({"bias": "all"}, "an adapter of the kind LORA with bias; plain LoRA alone is merged here"),
        ({"peft_type": "IA3"}, "an adapter of the kind IA3; plain LoRA alone is merged here"),
        ({"base_model_name_or_path": None}, "an adapter that does not name its model"),
    ],
    ids=["DoRA", "bias", "IA3", "no base"],
)
def test_adapters_that_are_refused(folders: tuple[Path, Path], changed: dict[str, object], what: str) -> None:
    _, adapter = folders
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(ValueError, match="adapter") as caught:
        pretrained(str(adapter), **SETTINGS)
    assert str(caught.value) == (
        f"encoder.name_or_path: {adapter} has {what}; merge it yourself (peft: merge_and_unload) and save the result"
    )

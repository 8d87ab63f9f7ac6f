"""The fingerprint changes with everything that vectors depend on, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import processors
from transformers import AutoModel, Qwen3Config

from babelbatch.encoder import Encoder, fingerprint, load, pretrained, save
from babelbatch.encoder.backbones import train_tokenizer
from babelbatch.evaluation.encoding import encode

TEXTS = ["red green blue", "green", "blue and grey and white, and red again"]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decoder")
    tokenizer = train_tokenizer(TEXTS, 80)
    tokenizer.backend_tokenizer.post_processor = processors.Sequence([])  # as decoders have it: without an end
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, max_position_embeddings=256, pad_token_id=1, eos_token_id=2,
    )  # fmt: skip
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def read(folder: Path, **options: object) -> Encoder:
    return pretrained(str(folder), pooling="last", **options)


def vectors(encoder: Encoder) -> np.ndarray:
    return encode(encoder.eval(), TEXTS, "passage")


@pytest.mark.parametrize("option", ["bidirectional", "append_eos"])
def test_the_direction_of_attention_and_the_last_token(decoder: Path, option: str) -> None:
    """Neither is among the weights, the vocabulary or the settings."""
    plain, changed = read(decoder), read(decoder, **{option: True})
    assert not np.allclose(vectors(plain), vectors(changed), atol=1e-4)
    assert fingerprint(plain) != fingerprint(changed)


def test_a_copy_that_encoded_something(decoder: Path, tmp_path: Path) -> None:
    """Neither the folder nor the lengths of earlier texts count."""
    encoder = read(decoder, bidirectional=True, append_eos=True)
    before = fingerprint(encoder)
    save(encoder, tmp_path / "copy")
    again = load(tmp_path / "copy")
    assert fingerprint(again) == before
    assert np.array_equal(vectors(again), vectors(encoder))
    again.tokenizer(TEXTS, padding=True, truncation=True, max_length=5)
    assert fingerprint(again) == fingerprint(encoder) == before

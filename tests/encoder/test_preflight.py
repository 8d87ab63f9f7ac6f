"""What a loaded encoder is asked before it is trained, and the line for each answer that is no good."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor
from transformers import (
    AutoModel,
    CLIPConfig,
    Gemma3Config,
    Gemma3Model,
    LlamaConfig,
    LlamaModel,
    PerceiverConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
    ViTConfig,
    XLNetConfig,
)

from babelbatch.encoder import Encoder, load, pretrained, save, tiny
from babelbatch.encoder.backbones import train_tokenizer
from babelbatch.encoder.model import Settings
from babelbatch.encoder.preflight import check_vectors
from babelbatch.evaluation.encoding import encode

TEXTS = ["red green blue", "green", "blue and grey and white", "grün und blau"]
SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}


def new() -> Encoder:
    torch.manual_seed(0)
    return tiny(TEXTS, vocab_size=80, hidden_size=16, layers=1, heads=2)


def line_of(encoder: Encoder) -> str:
    with pytest.raises(ValueError, match="name_or_path") as caught:
        check_vectors(encoder, "it")
    return str(caught.value).removeprefix("encoder.name_or_path: ")


def llama(folder: Path, **special_tokens: str) -> Path:
    """A Llama with a tokenizer that has no token to pad with, as it was published."""
    trained = train_tokenizer(TEXTS, 80)
    PreTrainedTokenizerFast(tokenizer_object=trained.backend_tokenizer, **special_tokens).save_pretrained(folder)
    torch.manual_seed(0)
    LlamaModel(LlamaConfig(**SIZES, vocab_size=len(trained), num_key_value_heads=1)).save_pretrained(folder)
    return folder


def test_what_is_good_passes_and_changes_nothing() -> None:
    encoder = new()
    before, training = torch.get_rng_state(), encoder.training
    check_vectors(encoder, "it")
    assert torch.equal(torch.get_rng_state(), before)
    assert encoder.training is training


@pytest.mark.parametrize("role", ["query", "passage"])
def test_a_prefix_that_leaves_no_room_for_a_text(role: str, tmp_path: Path) -> None:
    """Every text would have the same vector."""
    save(new(), tmp_path)
    prefix = "red green blue " * 20
    message = f"encoder.{role}_length: 32 tokens, of which {role}_prefix and special tokens take "
    with pytest.raises(ValueError, match=message) as caught:
        pretrained(str(tmp_path), **{f"{role}_prefix": prefix, f"{role}_length": 32})
    most = int(str(caught.value).partition("set it to ")[2].split()[0])
    encoder = pretrained(str(tmp_path), **{f"{role}_prefix": prefix, f"{role}_length": most + 1})
    assert np.ptp(encode(encoder, ["green", "blue"], role, 1_000), axis=0).max() > 1e-3
    with pytest.raises(ValueError, match=f"encoder.{role}_length: 2 tokens"):
        pretrained(str(tmp_path), **{f"{role}_length": 2})


def test_more_tokens_than_embeddings(tmp_path: Path) -> None:
    encoder = new()
    encoder.tokenizer.add_tokens(["<query>", "<passage>"])
    save(encoder, tmp_path)
    with pytest.raises(ValueError, match="tokens") as caught:
        load(tmp_path)
    rows = encoder.tower("query").backbone.config.vocab_size
    assert str(caught.value) == (
        f"encoder.name_or_path: the tokenizer of {tmp_path} has token ids up to {rows + 1}, but the model has "
        f"embeddings for {rows} tokens; call model.resize_token_embeddings({rows + 2}) and save both again, or use the "
        "tokenizer that belongs to the model"
    )


def test_another_size_than_the_configuration_states() -> None:
    encoder = new()
    encoder.tower("query").backbone.config.hidden_size = 24
    assert line_of(encoder) == (
        "it gives vectors of 16 components, but its configuration states 24; this architecture is not supported"
    )


def test_vectors_that_are_not_finite(tmp_path: Path) -> None:
    save(new(), tmp_path)
    (tmp_path / "checksums.json").unlink()
    weights = load_file(tmp_path / "model.safetensors")
    weights["encoder.layer.0.output.dense.weight"][3, 4] = float("nan")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="finite") as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"encoder.name_or_path: {tmp_path} gives vectors that are not finite; its weights are damaged: save or fetch "
        "it again"
    )


def test_padding_that_is_attended_to(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = new()
    backbone = encoder.tower("query").backbone
    forward = backbone.forward

    def without_mask(input_ids: Tensor, attention_mask: Tensor) -> object:
        return forward(input_ids=input_ids, attention_mask=torch.ones_like(attention_mask))

    monkeypatch.setattr(backbone, "forward", without_mask)
    with torch.no_grad():
        for weight in backbone.parameters():
            weight.mul_(3)  # a new model attends to all tokens alike, and hardly at all
    line = line_of(encoder)
    assert line.startswith("it gives a query another vector when it is padded in a batch (they differ by ")
    assert line.endswith(
        " of its length), so scores would depend on the batch; set encoder.attention=eager, or use another model"
    )


def test_a_decoder_without_a_token_to_pad_with(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    folder = llama(tmp_path, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    encoder = pretrained(str(folder), pooling="last")
    assert f"{folder} has no token to pad with; </s> serves, since padding is masked" in caplog.messages
    together = encode(encoder, TEXTS, "query", 1_000)
    alone = np.concatenate([encode(encoder, [text], "query", 1_000) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_a_tokenizer_without_any_token_that_could_pad(tmp_path: Path) -> None:
    folder = llama(tmp_path, unk_token="<unk>")
    with pytest.raises(ValueError, match="pad") as caught:
        pretrained(str(folder), pooling="last")
    assert str(caught.value) == (
        f"encoder.name_or_path: the tokenizer of {folder} has no token to pad with; set one "
        "(tokenizer.pad_token = ...) and save it there again"
    )


def test_a_model_of_several_media() -> None:
    """Its configuration has the size of the text's states one level down."""
    tokenizer = train_tokenizer(TEXTS, 80)
    text = SIZES | {"vocab_size": len(tokenizer) + 2, "num_key_value_heads": 1, "head_dim": 8}
    vision = SiglipVisionConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=28, patch_size=14
    )
    torch.manual_seed(0)
    config = Gemma3Config(text_config=text, vision_config=vision.to_dict(), image_token_index=len(tokenizer))
    encoder = Encoder(Gemma3Model(config), tokenizer, Settings(pooling="last"))
    assert encoder.dimensions == 16
    check_vectors(encoder, "it")


def saved(config: PreTrainedConfig, folder: Path) -> Path:
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    train_tokenizer(TEXTS, 80).save_pretrained(folder)
    return folder


def test_a_token_id_beyond_the_embeddings_although_there_are_fewer_tokens() -> None:
    backbone = new().tower("query").backbone
    rows = backbone.config.vocab_size
    with_a_gap = Tokenizer(WordLevel({"<pad>": 1, "red": 5, "blue": rows + 3}, unk_token="<pad>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=with_a_gap, pad_token="<pad>")
    assert line_of(Encoder(backbone, tokenizer, Settings())) == (
        f"the tokenizer of it has token ids up to {rows + 3}, but the model has embeddings for {rows} tokens; call "
        f"model.resize_token_embeddings({rows + 4}) and save both again, or use the tokenizer that belongs to the model"
    )


def test_models_of_images(tmp_path: Path) -> None:
    text = SIZES | {"vocab_size": 90, "eos_token_id": 2, "bos_token_id": 0, "projection_dim": 8}
    image = SIZES | {"image_size": 8, "patch_size": 4}
    for name, config in {
        "clip": CLIPConfig(text_config=text, vision_config=image, projection_dim=8),
        "vit": ViTConfig(**image),
    }.items():
        folder = saved(config, tmp_path / name)
        with pytest.raises(ValueError, match="cannot encode") as caught:
            pretrained(str(folder))
        found = str(caught.value)
        assert found.startswith(f"encoder.name_or_path: {folder} cannot encode a text (")
        assert found.endswith(
            "); it is not an encoder of text, or its code does not fit this version of transformers; use another model"
        )


def test_a_model_without_states_of_a_known_size(tmp_path: Path) -> None:
    heads = {"num_self_attention_heads": 2, "num_cross_attention_heads": 2, "num_self_attends_per_block": 1}
    sizes = {"num_latents": 4, "d_latents": 16, "d_model": 16, "num_blocks": 1, "max_position_embeddings": 300}
    folder = saved(PerceiverConfig(vocab_size=90, **heads, **sizes), tmp_path)
    with pytest.raises(ValueError, match="perceiver") as caught:
        pretrained(str(folder))
    assert str(caught.value) == (
        f"encoder.name_or_path: {folder} is a 'perceiver', whose configuration has no size of states (hidden_size); "
        "this architecture is not supported"
    )


def test_a_model_without_positions(tmp_path: Path) -> None:
    """XLNet states -1 of them."""
    folder = saved(XLNetConfig(vocab_size=90, d_model=16, n_layer=1, n_head=2, d_inner=16), tmp_path)
    encoder = pretrained(str(folder), query_length=600)
    assert (encoder.dimensions, encoder.settings.query_length) == (16, 600)

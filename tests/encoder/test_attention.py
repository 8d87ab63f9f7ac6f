"""Attention over texts laid end to end: the padded numbers, from real tokens alone."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from transformers import (
    AutoModel,
    BertConfig,
    CamembertConfig,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

from babelbatch.encoder import Encoder, pretrained, save, static, tiny
from babelbatch.encoder import attention as attention_module
from babelbatch.encoder.attention import first_position, use_attention
from babelbatch.encoder.model import Settings
from babelbatch.records import Padded

LENGTHS = [3, 9, 9, 1, 6, 9]
SMALL = {
    "vocab_size": 60,
    "num_hidden_layers": 2,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
BACKBONES = {
    "xlm-roberta": XLMRobertaConfig(**SMALL, hidden_size=16, num_attention_heads=2, intermediate_size=32),
    "roberta": RobertaConfig(**SMALL, hidden_size=16, num_attention_heads=2, intermediate_size=32),
    "camembert": CamembertConfig(**SMALL, hidden_size=16, num_attention_heads=2, intermediate_size=32),
    "bert": BertConfig(**SMALL, hidden_size=16, num_attention_heads=2, intermediate_size=32),
    "minilm": BertConfig(**SMALL, hidden_size=384, num_attention_heads=12, intermediate_size=1536, pad_token_id=0),
}


def encoder_of(config: PreTrainedConfig, pooling: str = "mean", **settings: object) -> Encoder:
    torch.manual_seed(0)
    backbone = AutoModel.from_config(copy.deepcopy(config))  # it is where the choice of attention is kept
    for parameter in backbone.parameters():  # embeddings of padding and biases start at 0, where mistakes do not show
        torch.nn.init.normal_(parameter, std=1.2 / config.hidden_size**0.5)
    return Encoder(backbone, tokenizer=None, settings=Settings(pooling=pooling, **settings))


def batch(pad: int, lengths: list[int] | None = None) -> Padded:
    torch.manual_seed(1)
    lengths = LENGTHS if lengths is None else lengths
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(5, 40, mask.shape)
    return Padded(torch.where(mask.bool(), ids, pad), mask)


def vectors_and_gradients(encoder: Encoder, texts: Padded) -> tuple[Tensor, dict[str, Tensor]]:
    encoder.zero_grad()
    vectors = encoder(texts, "passage")
    (vectors * torch.arange(vectors.numel()).view_as(vectors).cos()).sum().backward()
    return vectors.detach(), {name: weight.grad.clone() for name, weight in encoder.named_parameters()}


def require_equal(encoder: Encoder, texts: Padded) -> None:
    assert encoder.towers["passage"].backbone.config._attn_implementation == "sdpa"
    vectors, gradients = vectors_and_gradients(encoder, texts)
    use_attention(encoder.towers["passage"].backbone, "unpadded")
    found, found_gradients = vectors_and_gradients(encoder, texts)
    torch.testing.assert_close(found, vectors, atol=1e-6, rtol=1e-5)
    assert all((vectors[0] - other).abs().max() > 1e-3 for other in vectors[1:])
    for name, gradient in gradients.items():
        torch.testing.assert_close(found_gradients[name], gradient, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: n + m)


@pytest.mark.parametrize("pooling", ["cls", "mean", "pooler"])
@pytest.mark.parametrize("kind", BACKBONES)
def test_unpadded_vectors_and_gradients_are_the_padded_ones(kind, pooling):
    encoder = encoder_of(BACKBONES[kind], pooling, normalise=False)
    require_equal(encoder, batch(pad=BACKBONES[kind].pad_token_id))


@pytest.mark.parametrize("lengths", [[7], [4, 4, 4], [1, 1], [9, 8, 7, 7, 2]], ids=str)
def test_unpadded_batches_of_any_shape(lengths):
    require_equal(encoder_of(BACKBONES["xlm-roberta"], dimensions=4), batch(pad=1, lengths=lengths))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage")  # on a CPU only
@pytest.mark.parametrize("kind", BACKBONES)
def test_the_way_of_the_gpu_gives_the_same(monkeypatch, kind):
    monkeypatch.setattr(attention_module, "_attend_by_length", attention_module._attend_jagged)
    require_equal(encoder_of(BACKBONES[kind], normalise=False), batch(pad=BACKBONES[kind].pad_token_id))


@pytest.mark.parametrize(("attention", "tokens"), [(None, 6 * 9), ("unpadded", sum(LENGTHS))])
def test_only_real_tokens_are_computed(attention, tokens):
    encoder = encoder_of(BACKBONES["bert"])
    backbone = encoder.towers["passage"].backbone
    use_attention(backbone, attention)
    seen = []
    backbone.encoder.layer[1].output.dense.register_forward_hook(lambda module, inputs, output: seen.append(output))
    encoder(batch(pad=0), "passage")
    assert [output.shape[:-1].numel() for output in seen] == [tokens]


@pytest.mark.parametrize("kind", BACKBONES)
def test_a_text_may_contain_the_padding_token(kind):
    """Tokenizers make one of `<pad>` in a text."""
    pad = BACKBONES[kind].pad_token_id
    texts = batch(pad=pad)
    texts.input_ids[1, 4:6] = pad
    assert texts.attention_mask[1, 5] == 1
    require_equal(encoder_of(BACKBONES[kind], normalise=False), texts)


def test_positions_of_a_first_token():
    assert first_position(AutoModel.from_config(BACKBONES["xlm-roberta"])) == 2
    assert first_position(AutoModel.from_config(BACKBONES["bert"])) == 0


def test_unpadded_attention_drops_out_in_training_only():
    encoder = encoder_of(BACKBONES["bert"])
    for layer in encoder.towers["passage"].backbone.encoder.layer:
        layer.attention.self.dropout.p = 0.5
    use_attention(encoder.towers["passage"].backbone, "unpadded")
    texts = batch(pad=0)
    assert not torch.equal(encoder(texts, "passage"), encoder(texts, "passage"))
    encoder.eval()
    assert torch.equal(encoder(texts, "passage"), encoder(texts, "passage"))


TEXTS = ["red green blue", "green", "blue and grey and white", "grün und blau"]


@pytest.mark.parametrize("attention", [None, "sdpa", "eager", "unpadded"])
def test_every_way_gives_the_same_vectors_and_is_not_saved(tmp_path, attention):
    torch.manual_seed(0)
    made = tiny(TEXTS, vocab_size=60, hidden_size=16, heads=2, shared=False, attention=attention).eval()
    texts = batch(pad=1)
    save(made, tmp_path)
    plain = pretrained(str(tmp_path)).eval()
    loaded = pretrained(str(tmp_path), attention=attention).eval()
    assert "attn" not in (tmp_path / "config.json").read_text()
    name = {None: "sdpa", "unpadded": "babelbatch_unpadded"}.get(attention, attention)
    for encoder in (made, loaded):
        for role in ("query", "passage"):
            assert encoder.towers[role].backbone.config._attn_implementation == name
            torch.testing.assert_close(encoder(texts, role), plain(texts, role), atol=1e-6, rtol=1e-5)


def message_of(encoder: Encoder, attention: str) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers compare the whole message
        use_attention(encoder.towers["query"].backbone, attention)
    return str(caught.value)


def test_architectures_that_cannot():
    config = DistilBertConfig(vocab_size=60, dim=16, n_layers=1, n_heads=2, hidden_dim=32)
    assert message_of(Encoder(DistilBertModel(config), None, Settings()), "unpadded") == (
        "encoder.attention: unpadded is not supported for 'distilbert' (it is for bert, camembert, roberta, "
        "xlm-roberta); set encoder.attention=sdpa"
    )
    for attention in ("sdpa", "eager"):
        found = message_of(static(TEXTS, vocab_size=60, hidden_size=16), attention)
        assert found.startswith(f"encoder.attention: 'babelbatch_static' cannot use {attention} (")
        assert found.endswith("); set encoder.attention=null")


def test_flash_attention_needs_a_gpu_and_its_package(monkeypatch):
    encoder = encoder_of(BACKBONES["bert"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert message_of(encoder, "flash_attention_2") == (
        "encoder.attention: flash_attention_2 needs a GPU; set encoder.attention=sdpa"
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(attention_module.importlib.util, "find_spec", lambda name: None)
    assert message_of(encoder, "flash_attention_2") == (
        "encoder.attention: flash_attention_2 needs the package flash-attn (pip install flash-attn); "
        "encoder.attention=unpadded reaches torch's own flash kernels without it"
    )

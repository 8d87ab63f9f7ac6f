"""Floating-point operations against torch's own counter, which sees every product that is computed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertModel, PreTrainedTokenizerBase, XLMRobertaConfig, XLMRobertaModel

from babelbatch.encoder import Encoder, static, tiny
from babelbatch.encoder.attention import use_attention
from babelbatch.encoder.model import Settings
from babelbatch.records import Padded, Workload
from babelbatch.training.flops import FlopRates, forward_rates, training_rates
from babelbatch.training.grad_cache import encode_twice
from babelbatch.training.tuning import full, lora

TEXTS = ["red green blue", "green", "blue and grey and white", "grün und blau"]
LENGTHS = (9, 7, 5, 2)
WORK = Workload(4, real_tokens=23, padded_tokens=36, real_pairs=81 + 49 + 25 + 4, padded_pairs=4 * 81)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return tiny(TEXTS, vocab_size=60).tokenizer


def tiny_xlmr(tokenizer: PreTrainedTokenizerBase, **settings: object) -> Encoder:
    config = XLMRobertaConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=40,
        max_position_embeddings=40, pad_token_id=1, attn_implementation="eager",
    )  # fmt: skip
    return Encoder(XLMRobertaModel(config), tokenizer, Settings(**settings))


def minilm(tokenizer: PreTrainedTokenizerBase) -> Encoder:
    """BERT of the size of MiniLM-L12, with a small vocabulary."""
    config = BertConfig(
        vocab_size=60, hidden_size=384, num_hidden_layers=12, num_attention_heads=12, intermediate_size=1536,
        attn_implementation="eager",
    )  # fmt: skip
    return Encoder(BertModel(config), tokenizer, Settings())


def batch(lengths: tuple[int, ...] = LENGTHS) -> Padded:
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return Padded(torch.where(mask.bool(), torch.randint(5, 40, mask.shape), 1), mask)


def counted(encoder: Encoder, *, backward: bool = True, grad_cache: bool = False) -> int:
    """The operations that torch sees in a forward pass, and in the backward pass of its sum."""
    texts = batch()
    with FlopCounterMode(display=False) as counter:
        if grad_cache:
            trained = [part for part in encoder.parameters() if part.requires_grad]
            vectors = encode_twice([lambda: encoder(texts, "query")], trained)
        else:
            vectors = encoder(texts, "query")
        if backward:
            vectors.sum().backward()
    return counter.get_total_flops()


def formula(encoder: Encoder, grad_cache: bool = False) -> float:
    rates = training_rates(encoder, grad_cache)
    assert rates is not None
    return rates.of(WORK)


@pytest.mark.parametrize("make", [tiny_xlmr, minilm])
def test_a_forward_pass(make: Callable[..., Encoder], tokenizer: PreTrainedTokenizerBase) -> None:
    encoder = make(tokenizer)
    rates = forward_rates(encoder)
    assert rates is not None
    assert rates.of(WORK) == counted(encoder, backward=False)


def test_by_hand(tokenizer: PreTrainedTokenizerBase) -> None:
    """Three layers of four 16 x 16 maps and two 16 x 40 maps; attention of 16 numbers; a projection to 4."""
    token = 3 * 2 * (4 * 16 * 16 + 2 * 16 * 40)
    encoder = tiny_xlmr(tokenizer, dimensions=4)
    assert forward_rates(encoder) == FlopRates(token, 3 * 4 * 16, 2 * 16 * 4, unpadded=False)
    assert training_rates(encoder) == FlopRates(3 * token, 3 * 3 * 4 * 16, 3 * 2 * 16 * 4, unpadded=False)


TUNINGS = {
    "full": lambda encoder: full(encoder),
    "frozen embeddings": lambda encoder: full(encoder, freeze_embeddings=True),
    "frozen layers": lambda encoder: full(encoder, frozen_layers=2, freeze_embeddings=True),
    "frozen layers, trained embeddings": lambda encoder: full(encoder, frozen_layers=1),
    "checkpointing": lambda encoder: full(encoder, activation_checkpointing=True),
    "checkpointing above frozen layers": lambda encoder: full(
        encoder, frozen_layers=1, freeze_embeddings=True, activation_checkpointing=True
    ),
    "adapters": lambda encoder: lora(encoder, rank=2),
}


@pytest.mark.parametrize("tuning", TUNINGS)
@pytest.mark.parametrize("make", [tiny_xlmr, minilm])
def test_training(make: Callable[..., Encoder], tuning: str, tokenizer: PreTrainedTokenizerBase) -> None:
    encoder = TUNINGS[tuning](make(tokenizer)).train()
    assert formula(encoder) == counted(encoder)


@pytest.mark.parametrize("make", [tiny_xlmr, minilm])
def test_adapters_of_a_part(make: Callable[..., Encoder], tokenizer: PreTrainedTokenizerBase) -> None:
    """Without one of the keys, the lowest layer needs no gradient of its keys, which the formula counts."""
    encoder = lora(make(tokenizer), rank=2, targets=["query", "value"]).train()
    assert counted(encoder) < formula(encoder) < 1.01 * counted(encoder)


@pytest.mark.parametrize("tuning", ["full", "checkpointing", "adapters"])
def test_grad_cache(tuning: str, tokenizer: PreTrainedTokenizerBase) -> None:
    encoder = TUNINGS[tuning](tiny_xlmr(tokenizer)).train()
    assert formula(encoder, grad_cache=True) == counted(encoder, grad_cache=True)


def test_the_pooler_and_a_projection(tokenizer: PreTrainedTokenizerBase) -> None:
    encoder = tiny_xlmr(tokenizer, pooling="pooler", dimensions=4).train()
    assert formula(encoder) == counted(encoder)
    assert formula(full(encoder, freeze_embeddings=True)) == counted(encoder)


def test_unpadded_attention_costs_real_tokens_only(tokenizer: PreTrainedTokenizerBase) -> None:
    encoder = tiny_xlmr(tokenizer).train()
    use_attention(encoder.tower("query").backbone, "unpadded")
    rates = training_rates(encoder)
    assert rates is not None
    assert rates.unpadded
    assert rates.of(WORK) == rates.per_token * 23 + rates.per_pair * 159


def test_embeddings_alone_have_no_products() -> None:
    encoder = static(TEXTS, vocab_size=60, hidden_size=8)
    assert training_rates(encoder) == FlopRates(0, 0, 0, unpadded=False)
    assert counted(encoder) == 0


def test_an_architecture_without_a_list_of_layers_is_not_guessed(tokenizer: PreTrainedTokenizerBase) -> None:
    encoder = tiny_xlmr(tokenizer)
    backbone = encoder.tower("query").backbone
    backbone.encoder.layer = nn.ModuleList([*backbone.encoder.layer, nn.Identity()])
    assert training_rates(encoder) is None

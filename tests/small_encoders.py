"""Small random encoders of each kind that is exported: for the tests of the export, and for bench/parity.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)

from babelbatch.encoder import Encoder, static, tiny
from babelbatch.encoder.backbones import train_tokenizer
from babelbatch.encoder.dense import Dense
from babelbatch.encoder.model import Settings
from babelbatch.encoder.static_model import new_static_model
from babelbatch.training.tuning import lora

PREFIXES = {"query_prefix": "query: ", "passage_prefix": "passage: "}
SIZE = 16
POOLINGS = ("cls", "mean", "pooler", "max", "last", "weighted_mean", "mean_sqrt_length")


def randomised(encoder: Encoder) -> Encoder:
    """With random weights everywhere: the towers differ, and no bias or norm has the value it starts at."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return encoder.eval()


@dataclass(frozen=True)
class SmallEncoders:
    """Encoders whose tokenizers are trained on `texts`. vocabulary: tokens at most."""

    texts: Sequence[str]
    vocabulary: int

    def new(self, backbone: nn.Module | None = None, **settings: object) -> Encoder:
        """A Transformer of one layer, or `backbone`, which cuts queries to 12 tokens and passages to 16."""
        torch.manual_seed(0)
        sizes: dict[str, Any] = {"vocab_size": self.vocabulary, "hidden_size": SIZE, "layers": 1, "heads": 2}
        made = tiny(self.texts, **sizes, pooling="pooler", passage_length=64)
        settings = {"query_length": 12, "passage_length": 16} | settings
        return randomised(Encoder(backbone or made.tower("query").backbone, made.tokenizer, Settings(**settings)))

    def of(self, kind: Callable[[Any], nn.Module], config: object, **settings: object) -> Encoder:
        torch.manual_seed(0)
        return self.new(kind(config), **PREFIXES, **settings)

    def two_towers_with_all(self) -> Encoder:
        dense = (Dense(size=12, activation="GELU"), Dense(size=12, residual=True), Dense(size=8, residual=True))
        return self.new(shared=False, dimensions=6, dense=dense, pooling="weighted_mean", **PREFIXES)

    def static_encoder(self, query_length: int, passage_length: int, shared: bool = True) -> Encoder:
        """Without special tokens."""
        words = sorted({word for text in [*self.texts, "query : passage"] for word in text.split()})
        tokenizer = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1} | {w: n for n, w in enumerate(words, 2)}, "[UNK]"))
        tokenizer.pre_tokenizer = Whitespace()
        wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
        torch.manual_seed(0)
        settings = Settings(query_length=query_length, passage_length=passage_length, shared=shared, **PREFIXES)
        return randomised(Encoder(new_static_model(len(words) + 2, SIZE), wrapped, settings))

    def demo_static(self, query_length: int, passage_length: int, shared: bool = True) -> Encoder:
        """With the special tokens of its tokenizer."""
        torch.manual_seed(0)
        return self.static_with(query_length=query_length, passage_length=passage_length, shared=shared, **PREFIXES)

    def static_with(self, **settings: Any) -> Encoder:
        encoder = static(self.texts, vocab_size=self.vocabulary, hidden_size=SIZE)
        return randomised(Encoder(encoder.tower("query").backbone, encoder.tokenizer, Settings(**settings)))

    def cases(self) -> dict[str, Callable[[], Encoder]]:
        """By a description, a function that makes the encoder."""
        common = {"hidden_size": SIZE, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
        tokens = len(train_tokenizer(self.texts, self.vocabulary))
        bert = BertConfig(**common, vocab_size=tokens, max_position_embeddings=64)
        qwen = Qwen3Config(**common, vocab_size=tokens, num_key_value_heads=1, head_dim=8)
        t5 = T5Config(vocab_size=tokens, d_model=SIZE, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
        new = self.new
        return {
            **{pooling: lambda pooling=pooling: new(pooling=pooling, **PREFIXES) for pooling in POOLINGS},
            "no prefixes": lambda: new(),
            "one prefix": lambda: new(query_prefix="Instruct: answer\nQuery: ", query_length=30),
            "one length": lambda: new(query_length=14, passage_length=14),
            "the longer length for queries": lambda: new(query_length=20, passage_length=10),
            "not normalised": lambda: new(normalise=False),
            "a projection": lambda: new(dimensions=5, **PREFIXES),
            "dense layers": lambda: new(dense=(Dense(size=9, bias=False, activation="Identity"), Dense(size=7))),
            "the pooler and a projection": lambda: new(pooling="pooler", dimensions=5),
            "two towers": lambda: new(shared=False, **PREFIXES),
            "two towers, not normalised": lambda: new(shared=False, normalise=False),
            "two towers with the pooler": lambda: new(shared=False, pooling="pooler"),
            "two towers with everything": self.two_towers_with_all,
            "adapters": lambda: randomised(lora(new(shared=False, **PREFIXES), rank=2)),
            "adapters on every layer, the pooler's too": lambda: randomised(
                lora(new(pooling="pooler"), rank=2, targets=["query", "value", "dense"])
            ),
            "BERT": lambda: self.of(BertModel, bert),
            "Qwen3, last token": lambda: self.of(Qwen3Model, qwen, pooling="last"),
            "T5": lambda: self.of(T5EncoderModel, t5),
            "static": lambda: self.static_encoder(6, 6),
            "static with two lengths": lambda: self.static_encoder(4, 6),
            "static with two towers": lambda: self.static_encoder(6, 6, shared=False),
            "the demo's static encoder": lambda: self.demo_static(14, 14),
            "the demo's with two lengths": lambda: self.demo_static(12, 16),
            "the demo's with two towers": lambda: self.demo_static(12, 16, shared=False),
            "embeddings, the maximum and a projection": lambda: self.static_with(
                pooling="max", dimensions=5, **PREFIXES
            ),
        }

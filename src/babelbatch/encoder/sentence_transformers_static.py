"""Writes a static encoder's embeddings as a module of sentence-transformers.

Without special tokens, and with the mean as pooling, that is a StaticEmbedding. It adds no special tokens, so any other
static encoder becomes a MobileBERT without layers: its embeddings have a norm that may be the identity, so its states
are the embeddings, and `AutoModel` knows it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import MobileBertConfig, MobileBertModel

from babelbatch.encoder.huggingface import quiet
from babelbatch.encoder.model import Encoder, Role
from babelbatch.encoder.sentence_transformers_folder import UNLIMITED
from babelbatch.encoder.static_model import StaticModel

LONGEST = 1 << 16
"""Tokens of the longest text that a MobileBERT is written for; it has a row of zeros for each position."""


def is_static_embedding(encoder: Encoder) -> bool:
    """Whether the encoder is what sentence-transformers calls a StaticEmbedding."""
    return (
        isinstance(encoder.tower("query").backbone, StaticModel)
        and encoder.settings.pooling == "mean"
        and not encoder.tokenizer.num_special_tokens_to_add()
    )


def write_static_embedding(encoder: Encoder, folder: Path, role: Role) -> None:
    """The embeddings and the tokenizer of a role as a StaticEmbedding."""
    folder.mkdir(exist_ok=True)
    save_file({"embedding.weight": _embeddings(encoder, role).contiguous()}, folder / "model.safetensors")
    write_truncating_tokenizer(encoder, folder, role)


def write_truncating_tokenizer(encoder: Encoder, folder: Path, role: Role) -> None:
    """tokenizer.json with the longest text of a role, which a StaticEmbedding reads from there only."""
    tokenizer = Tokenizer.from_str(encoder.tokenizer.backend_tokenizer.to_str())  # a copy
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if (length := encoder.settings.max_length(role)) < UNLIMITED:
        tokenizer.enable_truncation(length)
    tokenizer.save(str(folder / "tokenizer.json"))


def write_as_transformer(encoder: Encoder, folder: Path, role: Role) -> None:
    """The embeddings of a role as a MobileBERT without layers, whose last hidden states they are; and the tokenizer."""
    embeddings = _embeddings(encoder, role)
    tokens, size = embeddings.shape
    longest = max(encoder.settings.query_length, encoder.settings.passage_length)
    config = MobileBertConfig(
        vocab_size=tokens,
        hidden_size=size,
        embedding_size=size,
        num_hidden_layers=0,
        num_attention_heads=1,
        intermediate_size=size,
        max_position_embeddings=longest,
        type_vocab_size=1,
        trigram_input=False,
        normalization_type="no_norm",
        hidden_dropout_prob=0.0,
        pad_token_id=encoder.tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):  # its first weights are drawn, and a run must not notice
        model = MobileBertModel(config, add_pooling_layer=False)
    dtype = embeddings.dtype
    state = {name: torch.zeros_like(weight, dtype=dtype) for name, weight in model.state_dict().items()}
    state["embeddings.word_embeddings.weight"] = embeddings
    state["embeddings.LayerNorm.weight"] = torch.ones(size, dtype=dtype)
    model.load_state_dict(state, assign=True)
    with quiet():
        model.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)


def _embeddings(encoder: Encoder, role: Role) -> torch.Tensor:
    """(tokens, size) embeddings of a role."""
    backbone = encoder.tower(role).backbone
    assert isinstance(backbone, StaticModel)
    return backbone.embedding.weight.detach().cpu()

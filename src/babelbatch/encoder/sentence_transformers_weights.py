"""Loads the weights of a sentence-transformers folder that transformers ignores: dense layers, static embeddings."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from babelbatch.encoder.dense import DenseLayer
from babelbatch.encoder.static_model import StaticModel, static_model

_PADDING = ("[PAD]", "<pad>", "<|padding|>", "<|endoftext|>")


def load_dense(layer: DenseLayer, folder: Path) -> None:
    """Loads the weights of a layer from its folder. Raises ValueError if they do not fit."""
    try:
        layer.load_state_dict(_weights(folder))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{folder}: its weights do not fit its config.json ({reason}); copy it there again") from None


def load_static(folder: Path) -> tuple[StaticModel, PreTrainedTokenizerFast]:
    """A static embedding and its tokenizer, which adds no special tokens and does not truncate.

    Reads model2vec's format too: `mapping` lets tokens share a row, `weights` scales each token. Raises ValueError if
    files are missing or do not fit each other.
    """
    weights = _weights(folder)
    if "embedding.weight" in weights:
        embeddings = weights["embedding.weight"]
    elif "embeddings" in weights:
        embeddings = weights["embeddings"]
        if "mapping" in weights:
            embeddings = embeddings[weights["mapping"].long()]
        if "weights" in weights:
            embeddings = embeddings * weights["weights"].unsqueeze(1)
    else:
        raise ValueError(f"{folder}: its weights have no 'embedding.weight'; save the model there again")
    if not (folder / "tokenizer.json").exists():
        raise ValueError(f"{folder} has lost 'tokenizer.json'; copy it there, or save the model again")
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # that of the tokenizers library is a bare Exception
        raise ValueError(f"{folder / 'tokenizer.json'} cannot be read ({error}); copy it there again") from None
    if tokenizer.get_vocab_size() > len(embeddings):
        raise ValueError(
            f"{folder}: {tokenizer.get_vocab_size()} tokens, but {len(embeddings)} embeddings; save the model there "
            "again"
        )
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}
    padding = next((token for token in (*_PADDING, *sorted(special)) if tokenizer.token_to_id(token) is not None), None)
    if padding is None:
        raise ValueError(f"{folder}: its tokenizer has no token to pad with; add one, such as [PAD], and save it again")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.post_processor = None  # it would add special tokens
    return static_model(embeddings.float()), PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=padding)


def _weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of `model.safetensors` or `pytorch_model.bin`. No code in the file is run."""
    safe, pickled = folder / "model.safetensors", folder / "pytorch_model.bin"
    try:
        if safe.exists():
            return load_file(safe)
        if pickled.exists():
            weights: dict[str, Tensor] = torch.load(pickled, weights_only=True, map_location="cpu")
            return weights
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{folder}: its weights cannot be read ({reason}); copy them there again") from None
    raise ValueError(f"{folder} has lost its weights (model.safetensors or pytorch_model.bin); copy them there again")

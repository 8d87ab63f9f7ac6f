"""The Rust side of a tokenizer: used past its Python side where that changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

import tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.tokenization_utils_base import PreTrainedTokenizerBase


def encoder(tokenizer: PreTrainedTokenizerBase, max_length: int) -> Callable[[list[str]], list]:
    """What makes lists of ids, or objects that have such `ids`, of texts.

    The Rust backend, which uses all cores, without the offsets and masks that it makes otherwise. If the tokenizer's
    class does something of its own, the tokenizer.
    """
    if not _is_all_rust(tokenizer):
        return lambda texts: tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
    return _backend(tokenizer, max_length).encode_batch_fast


def state(tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[str] | None:
    """All that decides which ids a text gets; None if that cannot be told, since a part of it is written in Python."""
    if not _is_all_rust(tokenizer):
        return None
    backend = _backend(tokenizer, max_length)
    try:
        serialised = backend.to_str()
    except Exception:  # what the library raises for its custom components
        return None
    special = json.dumps(tokenizer.special_tokens_map, sort_keys=True, default=str)
    settings = f"{max_length} {tokenizer.pad_token_id} {backend.encode_special_tokens}"
    return [tokenizers.__version__, serialised, special, settings]


def _is_all_rust(tokenizer: PreTrainedTokenizerBase) -> bool:
    kind = type(tokenizer)
    return (
        isinstance(tokenizer, PreTrainedTokenizerFast)
        and kind.__call__ is PreTrainedTokenizerFast.__call__
        and kind._encode_plus is PreTrainedTokenizerFast._encode_plus
    )


def _backend(tokenizer: PreTrainedTokenizerFast, max_length: int) -> tokenizers.Tokenizer:
    """The backend, with truncation and everything else as transformers sets it for a call."""
    tokenizer("", truncation=True, max_length=max_length)
    return tokenizer.backend_tokenizer

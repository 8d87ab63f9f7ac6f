"""Direct access to a tokenizer's Rust backend, where transformers' Python layer adds nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

Encodings = Sequence["list[int] | tokenizers.Encoding"]
"""Token ids of some texts: lists of ids, or objects with an attribute `ids`."""


def batch_encoder(tokenizer: PreTrainedTokenizerBase, max_length: int) -> Callable[[list[str]], Encodings]:
    """A function from texts to their token ids, cut to `max_length`.

    It calls the Rust backend, which uses all cores, without computing offsets and masks. A tokenizer whose class
    overrides how texts are encoded is called itself.
    """
    if _is_plain_rust(tokenizer):
        return _configured_backend(tokenizer, max_length).encode_batch_fast

    def encode(texts: list[str]) -> Encodings:
        ids: list[list[int]] = tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
        return ids

    return encode


def tokenizer_state(tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[str] | None:
    """Everything that decides which ids a text gets; None if that is unknown because a part is written in Python."""
    if not _is_plain_rust(tokenizer):
        return None
    backend = _configured_backend(tokenizer, max_length)
    try:
        serialised = backend.to_str()
    except Exception:  # the library raises it for custom components
        return None
    special = json.dumps(tokenizer.special_tokens_map, sort_keys=True, default=str)
    settings = f"{max_length} {tokenizer.pad_token_id} {backend.encode_special_tokens}"
    return [tokenizers.__version__, serialised, special, settings]


def _is_plain_rust(tokenizer: PreTrainedTokenizerBase) -> TypeGuard[PreTrainedTokenizerFast]:
    kind: Any = type(tokenizer)
    return (
        isinstance(tokenizer, PreTrainedTokenizerFast)
        and kind.__call__ is PreTrainedTokenizerFast.__call__
        and kind._encode_plus is PreTrainedTokenizerFast._encode_plus
    )


def _configured_backend(tokenizer: PreTrainedTokenizerFast, max_length: int) -> tokenizers.Tokenizer:
    """The backend with truncation and the other settings that transformers makes for a call."""
    tokenizer("", truncation=True, max_length=max_length)
    return tokenizer.backend_tokenizer

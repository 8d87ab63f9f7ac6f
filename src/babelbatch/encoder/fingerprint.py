"""Which encoder it is, in sixteen digits: for files that are only of use with the same one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from babelbatch.encoder.digest import weights_digest
from babelbatch.encoder.model import Encoder

_STORAGE = ("transformers_version", "_name_or_path", "_commit_hash", "architectures", "dtype", "torch_dtype")
"""What a configuration says about files, and not about vectors; the types of weights are among the weights."""


def fingerprint(encoder: Encoder) -> str:
    """SHA-256 over the weights, settings, tokenizer and backbone configurations of an encoder, first 16 hex digits."""
    tokenizer = encoder.tokenizer
    backbones = [encoder.tower("query").backbone]
    if not encoder.settings.shared:
        backbones.append(encoder.tower("passage").backbone)
    parts = [
        asdict(encoder.settings),
        [_without_storage(json.loads(backbone.config.to_json_string(use_diff=False))) for backbone in backbones],
        tokenizer.get_vocab(),
        tokenizer.special_tokens_map,
        _tokenising(tokenizer),
    ]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
    digest.update(weights_digest(encoder).encode())
    return digest.hexdigest()[:16]


def _without_storage(config: Any) -> Any:
    """A configuration, and those in it, such as that of the text model, without _STORAGE."""
    if not isinstance(config, dict):
        return config
    return {key: _without_storage(value) for key, value in config.items() if key not in _STORAGE}


def _tokenising(tokenizer: PreTrainedTokenizerBase) -> Any:
    """How a tokenizer splits texts and which tokens it adds, but not the length of the last texts, which its backend
    contains too; None if a part of it is written in Python."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    try:
        serialised = json.loads(backend.to_str())
    except Exception:  # the library raises it for custom components
        return None
    return {key: value for key, value in serialised.items() if key not in ("truncation", "padding")}

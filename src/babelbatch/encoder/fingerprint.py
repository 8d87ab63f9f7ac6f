"""Which encoder it is, in sixteen digits: for files that are only of use with the same one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from babelbatch.encoder.digest import weights_digest
from babelbatch.encoder.model import Encoder


def fingerprint(encoder: Encoder) -> str:
    """SHA-256 over the weights, the vocabulary and the settings of an encoder, first 16 hex digits."""
    # Not the tokenizer's own serialisation, which contains the length of the last texts.
    parts = [asdict(encoder.settings), encoder.tokenizer.get_vocab(), encoder.tokenizer.special_tokens_map]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
    digest.update(weights_digest(encoder).encode())
    return digest.hexdigest()[:16]

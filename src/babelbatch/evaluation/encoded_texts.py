"""The first query and the first passage exactly as an encoder reads them, for the log and metrics.json.

Scores that nobody reproduces are often those of other prompts, of cut texts, or of another pooling.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from babelbatch.tokens import tokenise

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder, Role

log = logging.getLogger(__name__)

_LOGGED_TOKENS = 24


def encoded_texts(encoder: Encoder, query: str, passage: str) -> dict[str, object]:
    """Facts for metrics.json, also logged: the pooling, and each text with its prompt, and its tokens.

    The keys are `encoded/pooling`, `encoded/query/text`, `encoded/query/tokens`, and the same for the passage. The
    tokens include special ones; those beyond the longest text are cut off.
    """
    facts: dict[str, object] = {"encoded/pooling": encoder.settings.pooling}
    texts: dict[Role, str] = {"query": query, "passage": passage}
    for role, text in texts.items():
        prefix, longest = encoder.settings.prefix(role), encoder.settings.max_length(role)
        ids = tokenise([text], encoder.tokenizer, prefix=prefix, max_length=longest, description="tokenising")
        tokens = encoder.tokenizer.convert_ids_to_tokens(ids.ids.tolist())
        facts |= {f"encoded/{role}/text": prefix + text, f"encoded/{role}/tokens": tokens}
        log.info(
            "the first %s as encoded: %d tokens (%s%s), %s pooling", role, len(tokens),
            " ".join(tokens[:_LOGGED_TOKENS]), " ..." if len(tokens) > _LOGGED_TOKENS else "", encoder.settings.pooling,
        )  # fmt: skip
    return facts

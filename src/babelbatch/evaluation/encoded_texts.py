"""The first query and the first passage exactly as an encoder reads them, for the log and metrics.json.

Scores that nobody reproduces are often those of other prompts, of cut texts, or of another pooling.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from babelbatch.records import ABSENT, Benchmark, Corpus
from babelbatch.tokens import tokenise

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder, Role

log = logging.getLogger(__name__)

_LOGGED_TOKENS = 24


def first_queries(corpus: Corpus | None, benchmarks: Mapping[str, Benchmark]) -> dict[str, str]:
    """The first query of each part of a mixture, and of each benchmark, by its name."""
    found = {}
    if corpus is not None and corpus.mixture is not None:
        for name, start, stop in corpus.mixture.spans(len(corpus)):
            rows = np.asarray(corpus.queries[start:stop])
            if len(rows := rows[rows != ABSENT]):
                found[name] = corpus.query_texts[int(rows[0])]
    return {name: benchmark.query_texts[0] for name, benchmark in benchmarks.items()} | found


def encoded_texts(
    encoder: Encoder, query: str, passage: str, task: str | None = None, tasks: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Facts for metrics.json, also logged: the pooling, and each text with its prompt, and its tokens.

    The keys are `encoded/pooling`, `encoded/query/text`, `encoded/query/tokens`, and the same for the passage. The
    tokens include special ones; those beyond the longest text are cut off.

    task: of the query. tasks: the first query of each task; those with a prompt of their own are also under
        `encoded/query/<task>/text` and so on.
    """
    settings = encoder.settings
    facts: dict[str, object] = {"encoded/pooling": settings.pooling}
    texts: list[tuple[str, Role, str | None, str]] = [
        ("query", "query", task, query),
        ("passage", "passage", None, passage),
    ]
    for name, text in (tasks or {}).items():
        if name in settings.query_prompts:
            texts.append((f"query/{name}", "query", name, text))
    for place, role, of, text in texts:
        prefix, longest = settings.prefix(role, of), settings.max_length(role)
        ids = tokenise([text], encoder.tokenizer, prefix=prefix, max_length=longest, description="tokenising")
        tokens = encoder.tokenizer.convert_ids_to_tokens(ids.ids.tolist())
        facts |= {f"encoded/{place}/text": prefix + text, f"encoded/{place}/tokens": tokens}
        log.info(
            "the first %s as encoded: %d tokens (%s%s), %s pooling", place.replace("/", " of "), len(tokens),
            " ".join(tokens[:_LOGGED_TOKENS]), " ..." if len(tokens) > _LOGGED_TOKENS else "",
            settings.pooling,
        )  # fmt: skip
    return facts

"""From texts to vectors, each distinct text once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from babelbatch.distributed.collectives import max_over_ranks, rank, sum_over_ranks_on_cpu, world_size
from babelbatch.evaluation.forward_passes import forward_passes
from babelbatch.progress import bar
from babelbatch.search import vector_cache
from babelbatch.storage import cache_folder
from babelbatch.tokens import PrefixedTexts, Tokens, tokenise

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder, Role

_PLURALS = {"query": "queries", "passage": "passages"}

MatmulPrecision = Literal["float32", "bfloat16"]


Task = str | Sequence[str] | NDArray[np.object_] | None
"""What texts are queries of: a benchmark or a part of a mixture, by its name; one for each text; or None. Encoders may
have a prompt for each, see `Settings.query_prompts`."""


def tokenise_texts(encoder: Encoder, texts: Sequence[str], role: Role, task: Task = None) -> Tokens:
    """Token ids of the texts with the encoder's prefix and maximum length for the role, from the cache.

    task: selects the prefix of queries.
    """
    settings, prefix = encoder.settings, ""
    prefixed: Sequence[str] | PrefixedTexts = texts
    if role == "passage" or task is None or isinstance(task, str) or not settings.query_prompts:
        prefix = settings.prefix(role, task if isinstance(task, str) else None)
    else:
        prompts = {name: settings.prefix(role, name) for name in dict.fromkeys(task)}
        prefixed = PrefixedTexts(texts, [prompts[name] for name in task])
    return tokenise(
        prefixed,
        encoder.tokenizer,
        prefix=prefix,
        max_length=encoder.settings.max_length(role),
        description=f"tokenising {_PLURALS[role]}",
        cache=cache_folder("tokens"),
    )


def encode(
    encoder: Encoder,
    texts: Sequence[str],
    role: Role,
    token_budget: int | None = None,
    cache: Path | None = None,
    precision: MatmulPrecision = "float32",
    task: Task = None,
) -> NDArray[np.float32]:
    """(T, d) vectors of T texts, in batches of similar length. Several ranks share the work; each gets all vectors.

    Texts with equal tokens are encoded once and get one vector, so their scores are exactly equal (a script unknown to
    the tokenizer may become unknown tokens only).

    token_budget: tokens in one batch, padding included; None is `default_token_budget`. cache: a folder for the
        vectors, or None. Vectors of the same weights, settings and tokens are read from it instead of computed.
    precision: "bfloat16" computes matrix products in bfloat16 (autocast). The vectors are float32 all the same.
    task: selects the prefix of queries, see `tokenise_texts`.
    Raises ValueError if a vector is not finite.
    """
    device = next(encoder.parameters()).device
    token_budget = token_budget or default_token_budget(device)
    tokens = tokenise_texts(encoder, texts, role, task)
    first, distinct_of = tokens.distinct()
    name = _cache_name(encoder, tokens, role, token_budget, precision) if cache else ""
    vectors = vector_cache.load(cache, name, (len(first), encoder.dimensions)) if cache else None
    if max_over_ranks(vectors is None):  # a rank without cached vectors needs the others' help
        vectors = _encode_rows(encoder, tokens, first, role, token_budget, precision)
        if cache and rank() == 0:
            vector_cache.save(cache, name, vectors)
    assert vectors is not None
    all_vectors: NDArray[np.float32] = vectors[distinct_of]
    return all_vectors


def default_token_budget(device: torch.device) -> int:
    """Tokens in one forward pass: on a CPU as many as leave the activations of a layer in its caches, which is twice as
    fast as 16,384 (docs/performance.md); on other devices enough to occupy them."""
    return 1_024 if device.type == "cpu" else 16_384


def encode_part(
    encoder: Encoder,
    texts: Sequence[str],
    role: Role,
    part: int,
    parts: int,
    token_budget: int | None = None,
    precision: MatmulPrecision = "float32",
    task: Task = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows, ascending, and their (n, d) vectors: those of the batches `part`, `part + parts`, ... of `encode`.

    All parts together have the vectors of `encode` to the last bit, on the same device.
    """
    token_budget = token_budget or default_token_budget(next(encoder.parameters()).device)
    tokens = tokenise_texts(encoder, texts, role, task)
    first, distinct_of = tokens.distinct()
    all_batches = list(length_sorted_batches(tokens.lengths[first], token_budget))
    batches = all_batches[part::parts]
    description = f"encoding {sum(map(len, batches)):,} {_PLURALS[role]}"
    alone = len(all_batches) == 1
    vectors = _encode_batches(encoder, tokens, first, batches, role, precision, description, alone=alone)
    _require_finite(vectors)
    mine = np.zeros(len(first), bool)
    for batch in batches:
        mine[batch] = True
    rows = np.flatnonzero(mine[distinct_of])
    of_rows: NDArray[np.float32] = vectors[distinct_of[rows]]
    return rows, of_rows


def _encode_rows(
    encoder: Encoder,
    tokens: Tokens,
    rows: NDArray[np.int64],
    role: Role,
    token_budget: int,
    precision: MatmulPrecision,
) -> NDArray[np.float32]:
    """(R, d) vectors of the texts `rows`, by all ranks together."""
    all_batches = list(length_sorted_batches(tokens.lengths[rows], token_budget))
    batches = all_batches[rank() :: world_size()]
    description = f"encoding {len(rows):,} {_PLURALS[role]}"
    alone = len(all_batches) == 1
    vectors = _encode_batches(encoder, tokens, rows, batches, role, precision, description, alone=alone)
    sum_over_ranks_on_cpu(torch.from_numpy(vectors))  # the rows of other ranks are zero
    _require_finite(vectors)
    return vectors


def _encode_batches(
    encoder: Encoder,
    tokens: Tokens,
    rows: NDArray[np.int64],
    batches: Sequence[NDArray[np.int64]],
    role: Role,
    precision: MatmulPrecision,
    description: str,
    *,
    alone: bool,
) -> NDArray[np.float32]:
    """(R, d) vectors of the texts `rows` in the batches, zeros for the others. batches: places in `rows`. alone: see
    `forward_passes`."""
    device = next(encoder.parameters()).device
    lengths = tokens.lengths[rows]
    vectors = np.zeros((len(lengths), encoder.dimensions), np.float32)
    training = encoder.training
    encoder.eval()
    total = sum(int(lengths[batch].sum()) for batch in batches)
    try:
        with _rounding_to(precision, device), bar(description, total, "tokens") as progress:
            passes = forward_passes(
                encoder, role, len(batches), lambda number: tokens.padded(rows[batches[number]]), alone=alone
            )
            for batch, of_batch in zip(batches, passes, strict=True):
                vectors[batch] = of_batch
                progress.advance(int(lengths[batch].sum()))
    finally:
        encoder.train(training)
    return vectors


def _require_finite(vectors: NDArray[np.float32]) -> None:
    if not np.isfinite(vectors).all():
        raise ValueError("the encoder gives vectors that are not finite: its weights are damaged, or training diverged")


def _rounding_to(precision: MatmulPrecision, device: torch.device) -> AbstractContextManager[object]:
    """Autocast for "bfloat16". "float32" keeps the caller's context, such as that of `trainer.precision`."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


def _cache_name(encoder: Encoder, tokens: Tokens, role: Role, token_budget: int, precision: MatmulPrecision) -> str:
    """SHA-256 of everything that determines the vectors.

    That is weights, buffers, settings, tokens (so tokenizer, prefix and length too), and what affects rounding.
    """
    # with transformers, which lexical systems do without
    from babelbatch.encoder import unstored_buffers_digest, weights_digest

    tower, device = encoder.tower(role), next(encoder.parameters()).device
    config = tower.backbone.config
    attention = getattr(config, "_attn_implementation", None)
    autocast = precision == "bfloat16" or torch.is_autocast_enabled(device.type)
    rounding = (torch.__version__, device.type, autocast, token_budget, world_size())
    digest = hashlib.sha256(repr((encoder.settings, config.to_json_string(), attention, *rounding)).encode())
    digest.update(f"{weights_digest(tower)} {unstored_buffers_digest(tower)}".encode())
    digest.update(tokens.hashes().data)
    return digest.hexdigest()


def length_sorted_batches(lengths: NDArray[np.int64], token_budget: int) -> Iterator[NDArray[np.int64]]:
    """Splits rows into batches of similar length, longest first.

    A batch has at most `token_budget` tokens including padding, but at least one row.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        rows = max(1, token_budget // max(1, int(lengths[order[start]])))
        yield order[start : start + rows]
        start += rows

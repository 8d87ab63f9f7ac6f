"""From texts to vectors, each distinct text once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from babelbatch.distributed.collectives import max_over_ranks, rank, sum_over_ranks_on_cpu, world_size
from babelbatch.progress import bar
from babelbatch.search import vector_cache
from babelbatch.storage import cache_folder
from babelbatch.tokens import Tokens, tokenise

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder, Role


def tokenise_texts(encoder: Encoder, texts: Sequence[str], role: Role) -> Tokens:
    """Token ids of the texts as the encoder reads them in this role, with its prefix and length, from the cache."""
    return tokenise(
        texts,
        encoder.tokenizer,
        prefix=encoder.settings.prefix(role),
        max_length=encoder.settings.max_length(role),
        description=f"tokenising {role}s",
        cache=cache_folder("tokens"),
    )


def encode(
    encoder: Encoder, texts: Sequence[str], role: Role, token_budget: int, cache: Path | None = None
) -> np.ndarray:
    """(T, d) float32 vectors of T texts, in batches of texts of like length.

    What is distinct to the encoder is encoded once: texts that its tokenizer cannot tell apart (a sentence in a script
    it does not know may be all unknown tokens) get one vector, and so the same score exactly.
    Several ranks share the work; each gets all vectors.
    cache: a folder that keeps the vectors, or None. What is there already is read instead, if weights, settings and all
        tokens are the same.
    Raises ValueError if a vector is not finite.
    """
    tokens = tokenise_texts(encoder, texts, role)
    first, of = tokens.distinct()
    shape = (len(first), encoder.dimensions)
    name = _name(encoder, tokens, role, token_budget) if cache else ""
    kept = vector_cache.load(cache, name, shape) if cache else None
    if max_over_ranks(kept is None):  # the ranks share the work, or none of them has any
        kept = _encoded(encoder, tokens, first, role, token_budget)
        if cache and rank() == 0:
            vector_cache.save(cache, name, kept)
    return kept[of]


def _encoded(encoder: Encoder, tokens: Tokens, rows: np.ndarray, role: Role, token_budget: int) -> np.ndarray:
    """(R, d) float32 vectors of the texts `rows`."""
    device = next(encoder.parameters()).device
    lengths = tokens.lengths[rows]
    vectors = np.zeros((len(lengths), encoder.dimensions), np.float32)
    batches = list(length_sorted_batches(lengths, token_budget))[rank() :: world_size()]
    training = encoder.training
    encoder.eval()
    total = sum(int(lengths[batch].sum()) for batch in batches)
    try:
        with torch.inference_mode(), bar(f"encoding {len(vectors):,} {role}s", total, unit="tokens") as done:
            for batch in batches:
                texts_of_batch = tokens.padded(rows[batch]).to(device)
                vectors[batch] = encoder(texts_of_batch, role).float().cpu().numpy()
                done.advance(int(lengths[batch].sum()))
    finally:
        encoder.train(training)
    sum_over_ranks_on_cpu(torch.from_numpy(vectors))  # what a rank did not encode is zero
    if not np.isfinite(vectors).all():
        raise ValueError("the encoder gives vectors that are not finite: its weights are damaged, or training diverged")
    return vectors


def _name(encoder: Encoder, tokens: Tokens, role: Role, token_budget: int) -> str:
    """SHA-256 of all that the vectors are made from: weights, settings, tokens (so tokenizer, prefix and length too),
    and what decides how the machine rounds."""
    tower, device = encoder.towers[role], next(encoder.parameters()).device
    config = tower.backbone.config
    attention = getattr(config, "_attn_implementation", None)
    rounding = (torch.__version__, device.type, torch.is_autocast_enabled(device.type), token_budget, world_size())
    digest = hashlib.sha256(repr((encoder.settings, config.to_json_string(), attention, *rounding)).encode())
    for name, weights in tower.state_dict().items():
        digest.update(f"{name} {weights.dtype} {tuple(weights.shape)}".encode())
        digest.update(weights.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    digest.update(tokens.hashes())
    return digest.hexdigest()


def length_sorted_batches(lengths: np.ndarray, token_budget: int) -> Iterator[np.ndarray]:
    """Splits rows into batches of like length, longest first, each at most `token_budget` tokens when padded (and at
    least one row)."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        rows = max(1, token_budget // max(1, int(lengths[order[start]])))
        yield order[start : start + rows]
        start += rows

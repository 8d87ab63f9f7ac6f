"""From texts to vectors, each distinct text once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from babelbatch.cache_folder import cache_folder
from babelbatch.collectives import rank, total_on_cpu, world_size
from babelbatch.progress import bar
from babelbatch.tokens import tokenise

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder
    from babelbatch.encoder.model import Role


def encode(encoder: Encoder, texts: Sequence[str], role: Role, token_budget: int) -> np.ndarray:
    """(T, d) float32 vectors of T texts, in batches of texts of like length.

    What is distinct to the encoder is encoded once: texts that its tokenizer cannot tell apart (a sentence in a script
    it does not know may be all unknown tokens) get one vector, and so the same score exactly.
    Several ranks share the work; each gets all vectors.
    Raises ValueError if a vector is not finite.
    """
    settings = encoder.settings
    tokens, rows = tokenise(
        texts,
        encoder.tokenizer,
        prefix=settings.prefix(role),
        max_length=settings.max_length(role),
        description=f"tokenising {role}s",
        cache=cache_folder("tokens"),
    ).distinct()
    device = next(encoder.parameters()).device
    lengths = tokens.lengths
    vectors = np.zeros((len(lengths), encoder.dimensions), np.float32)
    batches = list(length_sorted_batches(lengths, token_budget))[rank() :: world_size()]
    training = encoder.training
    encoder.eval()
    total = sum(int(lengths[batch].sum()) for batch in batches)
    try:
        with torch.inference_mode(), bar(f"encoding {len(vectors):,} {role}s", total, worth_it=total > 10_000) as done:
            for batch in batches:
                texts_of_batch = tokens.padded(batch).to(device)
                vectors[batch] = encoder(texts_of_batch, role).float().cpu().numpy()
                done.advance(int(lengths[batch].sum()))
    finally:
        encoder.train(training)
    total_on_cpu(torch.from_numpy(vectors))  # what a rank did not encode is zero
    if not np.isfinite(vectors).all():
        raise ValueError("the encoder gives vectors that are not finite: its weights are damaged, or training diverged")
    return vectors[rows]


def length_sorted_batches(lengths: np.ndarray, token_budget: int) -> Iterator[np.ndarray]:
    """Splits rows into batches of like length, longest first, each at most `token_budget` tokens when padded (and at
    least one row)."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        rows = max(1, token_budget // int(lengths[order[start]]))
        yield order[start : start + rows]
        start += rows

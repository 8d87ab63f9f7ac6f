"""Equally many forward passes on each rank."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from babelbatch.distributed.collectives import max_over_ranks
from babelbatch.encoder import Role
from babelbatch.records import Padded

Chunk = tuple[Padded, Role]


def as_many_on_each_rank(chunks: Sequence[Chunk], shared: bool) -> tuple[list[Chunk], Tensor]:
    """The chunks, with further ones of a single text so that no rank has more; and the rows of the given ones.

    Each forward pass of a sharded encoder gathers its layers from all ranks, so all must make equally many. The
    vectors of the further texts are used by nothing: their gradient is 0. shared: whether one tower encodes all;
    otherwise the queries come first, and each tower has equally many passes.
    """
    groups = [[*chunks]] if shared else [[each for each in chunks if each[1] == role] for role in ("query", "passage")]
    filled: list[Chunk] = []
    rows: list[Tensor] = []
    end = 0
    for group in groups:
        (shortest, role) = min(group, key=lambda each: each[0].input_ids.shape[1])
        filler = Padded(shortest.input_ids[:1], shortest.attention_mask[:1])
        missing = max_over_ranks(len(group)) - len(group)
        size = sum(len(texts.input_ids) for texts, _ in group)
        filled += [*group, *[(filler, role)] * missing]
        rows.append(torch.arange(end, end + size))
        end += size + missing
    return filled, torch.cat(rows).to(chunks[0][0].input_ids.device)

"""Positions of a rank's queries and positives in the global batch."""

from __future__ import annotations

import torch
from torch import Tensor

from babelbatch.distributed.collectives import rank


def positions(
    query_counts: tuple[int, ...], candidate_counts: tuple[int, ...], device: torch.device
) -> tuple[slice, Tensor]:
    """The slice of this rank's queries in the global batch, and (b,) int64 positions of their positives among all
    candidates: the first ones of each rank's share."""
    own = rank()
    first = sum(query_counts[:own])
    start = sum(candidate_counts[:own])
    mine = slice(first, first + query_counts[own])
    return mine, torch.arange(start, start + query_counts[own], device=device)


def same_passage(row_keys: Tensor, column_keys: Tensor, labels: Tensor) -> Tensor:
    """(rows, columns) bool, the columns that share a row's key, except the row's own column in `labels`."""
    same = row_keys[:, None] == column_keys[None, :]
    same[torch.arange(len(labels), device=labels.device), labels] = False
    return same

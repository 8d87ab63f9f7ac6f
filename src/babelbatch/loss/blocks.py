"""Scores of a large batch, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

BLOCK_SCORES = (
    2**21
)  # scores held at once; above it they are computed in blocks of rows, and again in the backward pass


def in_blocks(
    compute: Callable[..., tuple[Tensor, Tensor]], rows: tuple[Tensor | None, ...], columns: int
) -> tuple[Tensor, Tensor]:
    """What `compute` finds for so many rows at a time that their scores are few: first a sum over the rows, which is
    added up, then a number a row.

    Memory is bounded whatever the batch: scores are made block by block, and not kept for the backward pass.
    rows: tensors with a row for each row of scores, cut in the same places, or None. columns: of the scores.
    """
    size, count = max(1, BLOCK_SCORES // columns), len(rows[0])
    values, numbers = [], []
    for start in range(0, max(1, count), size):  # no rows are a block as well: their sum is 0, and has a gradient
        parts = [None if part is None else part[start : start + size] for part in rows]
        again = count > size and torch.is_grad_enabled()
        value, number = checkpoint(compute, *parts, use_reentrant=False) if again else compute(*parts)
        values.append(value)
        numbers.append(number)
    return torch.stack(values).sum(), torch.cat(numbers)

"""Scores of a large batch, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# Scores in memory at once. Above it they are computed in blocks of rows, and again in the backward pass.
BLOCK_SCORES = 2**21


def in_blocks(
    compute: Callable[..., tuple[Tensor, Tensor]], rows: tuple[Tensor, *tuple[Tensor | None, ...]], columns: int
) -> tuple[Tensor, Tensor]:
    """Applies `compute` to blocks of rows, so that memory is bounded for any batch size.

    compute: from a block of each of `rows` to a sum over its rows and (rows,) numbers. The sums are added up, the
        numbers concatenated. Scores inside are not stored for the backward pass.
    rows: tensors with one row for each row of scores, or None after the first. columns: number of columns of scores.
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

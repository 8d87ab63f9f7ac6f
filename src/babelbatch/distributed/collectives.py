"""Collective operations between the ranks of a run. With one process, each of them returns its input."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if _is_distributed() else 1


def rank() -> int:
    """Number of this process among them, from 0."""
    return dist.get_rank() if _is_distributed() else 0


def gather_rows(rows: Tensor, counts: tuple[int, ...]) -> Tensor:
    """(sum(counts), d) rows of all ranks, in the order of the ranks; `rows` are the counts[rank] of this one.

    Differentiable: a rank receives the sum of the gradients that all ranks have for its rows, without a factor.
    """
    assert len(counts) == world_size(), "one count per rank"
    assert len(rows) == counts[rank()], "the number of rows that the other ranks expect"
    if len(counts) == 1:
        return rows
    gathered: Tensor = _Gather.apply(rows, counts)  # type: ignore[no-untyped-call]  # torch leaves `apply` untyped
    return gathered


def sum_over_ranks(value: Tensor) -> Tensor:
    """The sum over ranks of a tensor on the training device, without gradient. The input is unchanged."""
    value = value.detach().clone()
    if _is_distributed():
        dist.all_reduce(value)
    return value


def sum_over_ranks_on_cpu(value: Tensor) -> Tensor:
    """The sum over ranks of a tensor in main memory, in place."""
    if _is_distributed():
        dist.all_reduce(value, group=_cpu_group())
    return value


def max_over_ranks(value: int) -> int:
    """The largest value of all ranks. Does not wait for the training device."""
    if not _is_distributed():
        return value
    number = torch.tensor(value)
    dist.all_reduce(number, op=dist.ReduceOp.MAX, group=_cpu_group())
    return int(number)


def leave_group() -> None:
    """Waits for the other ranks and destroys the process group."""
    if _is_distributed():
        dist.barrier()
        dist.destroy_process_group()


def _is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


@cache
def _cpu_group() -> dist.ProcessGroup | None:
    return None if dist.get_backend() == dist.Backend.GLOO else dist.new_group(backend="gloo")


class _Gather(torch.autograd.Function):
    """All-gather of different numbers of rows: padded to the most, because collectives need equal shapes."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: tuple[int, ...]) -> Tensor:
        ctx.counts = counts
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        shares = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(shares, padded)
        return torch.cat([share[:count] for share, count in zip(shares, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.clone(memory_format=torch.contiguous_format)  # autograd may share the original
        dist.all_reduce(gradient)
        start = sum(ctx.counts[: rank()])
        return gradient[start : start + ctx.counts[rank()]], None

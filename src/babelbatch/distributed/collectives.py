"""Collective operations between the ranks of a run. With one process, each of them returns its input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Item = TypeVar("Item")


def world_size() -> int:
    """Number of processes that work together."""
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


def share_of_rank(count: int) -> range:
    """Which of `count` equal pieces of work are this rank's: consecutive ones, at most one more than another rank's."""
    return range(count * rank() // world_size(), count * (rank() + 1) // world_size())


def gather_on_cpu(value: Tensor) -> list[Tensor]:
    """The tensors of all ranks, of one shape, in main memory, in the order of the ranks."""
    if not _is_distributed():
        return [value]
    shares = [torch.empty_like(value) for _ in range(world_size())]
    dist.all_gather(shares, value.contiguous(), group=_cpu_group())
    return shares


@contextmanager
def errors_on_every_rank() -> Iterator[None]:
    """Raises a ValueError that one rank raises within on all of them, which would else wait for that rank."""
    if not _is_distributed():
        yield
        return
    own: ValueError | None = None
    try:
        yield
    except ValueError as error:
        own = error
    reasons: list[str | None] = [None] * world_size()
    dist.all_gather_object(reasons, None if own is None else str(own), group=_cpu_group())
    if own is not None:
        raise own
    for reason in reasons:
        if reason is not None:
            raise ValueError(reason)


def require_equal(value: str, problem: str) -> None:
    """Raises ValueError with this problem on every rank if the ranks have different values."""
    if _is_distributed():
        values: list[str] = [""] * world_size()
        dist.all_gather_object(values, value, group=_cpu_group())
        if len(set(values)) > 1:
            raise ValueError(problem)


def items_of_rank_0(items: Iterable[Item]) -> Iterator[Item]:
    """Yields on every rank what `items` yields on rank 0; the others' are not used. A ValueError of rank 0 is raised on
    all. The items are pickled."""
    if not _is_distributed():
        yield from items
        return
    iterator = iter(items)
    while True:
        found: list[Item] = []
        with errors_on_every_rank():
            if rank() == 0:
                found = list(islice(iterator, 1))
        message = [found]
        dist.broadcast_object_list(message, src=0, group=_cpu_group())
        if not message[0]:
            return
        yield message[0][0]


def wait_for_all_ranks() -> None:
    """Returns when every rank has called it."""
    if _is_distributed():
        dist.barrier(group=_cpu_group())


def leave_group() -> None:
    """Waits for the other ranks and destroys the process group."""
    if _is_distributed():
        dist.barrier()
        dist.destroy_process_group()
        _cpu_group.cache_clear()


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

"""GradCache: vectors of a large batch with the activations of one chunk at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

Encode = Callable[[], Tensor]


def encode_twice(chunks: Sequence[Encode], parameters: Sequence[Tensor], sharded: bool = False) -> Tensor:
    """The concatenated vectors of all chunks, with the activations of one chunk in memory at a time.

    Each chunk is encoded without a graph, and again in the backward pass, from the same random state, when the gradient
    of its vectors is known (Gao et al. 2021, arXiv 2101.06983). Vectors and gradients are the same, at the cost of a
    further forward pass. It is one autograd node, so each parameter receives its gradient once, as data-parallel
    training requires.

    chunks: each encodes its texts to (n, d). parameters: the trained parameters that the vectors depend on.
    sharded: whether FSDP divides them among ranks. Its hooks then add the gradient of each chunk to the parameters, and
        the node itself has none for them.
    """
    if sharded:
        parameters = [torch.zeros((), device=parameters[0].device, requires_grad=True)]  # for the node to be in a graph
    vectors: Tensor = _EncodeTwice.apply(chunks, sharded, *parameters)  # type: ignore[no-untyped-call]  # untyped in torch
    return vectors


class _EncodeTwice(torch.autograd.Function):
    # torch's checkpoint would do, but then the small graph of each chunk outlives its activations and fragments the
    # memory that they free: a third more of it at a batch of 4,096.

    @staticmethod
    def forward(ctx: Any, chunks: Sequence[Encode], sharded: bool, *parameters: Tensor) -> Tensor:
        ctx.chunks, ctx.sharded, ctx.parameters = chunks, sharded, parameters
        device = ctx.device = parameters[0].device
        ctx.autocast = torch.is_autocast_enabled(device.type), torch.get_autocast_dtype(device.type)
        ctx.states = []
        parts = []
        for encode in chunks:
            ctx.states.append(_random_state(device))
            parts.append(encode())
        # Autocast caches half-precision copies of weights; these were made without a graph.
        torch.clear_autocast_cache()
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        enabled, dtype = ctx.autocast
        sums: list[Tensor | None] = [None] * len(ctx.parameters)
        start = 0
        with _random_state_restored(ctx.device):
            for encode, state in zip(ctx.chunks, ctx.states, strict=True):
                _set_random_state(ctx.device, state)
                with torch.enable_grad(), torch.autocast(ctx.device.type, dtype, enabled=enabled):
                    vectors = encode()
                part = grad[start : start + len(vectors)].to(vectors.dtype)
                start += len(vectors)
                if ctx.sharded:
                    vectors.backward(part)
                    continue
                for n, found in enumerate(torch.autograd.grad(vectors, ctx.parameters, part, allow_unused=True)):
                    if found is not None:
                        sums[n] = found if (so_far := sums[n]) is None else so_far.add_(found)
        return None, None, *sums


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_random_state(device: torch.device, state: tuple[Tensor, Tensor | None]) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)


@contextmanager
def _random_state_restored(device: torch.device) -> Iterator[None]:
    state = _random_state(device)
    try:
        yield
    finally:
        _set_random_state(device, state)

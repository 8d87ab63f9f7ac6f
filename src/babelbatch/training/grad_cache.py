"""GradCache: vectors of a large batch with the activations of one chunk at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

Encode = Callable[[], Tensor]


def encode_twice(chunks: Sequence[Encode], parameters: Sequence[Tensor]) -> Tensor:
    """The vectors of all chunks, one below the other; memory holds the activations of one chunk, whatever the batch.

    Each chunk is encoded without a graph, and once more in the backward pass, from the same random state, when the
    gradient of its vectors is known (Gao et al. 2021, arXiv 2101.06983). Same vectors and gradients as without it, for
    one more forward pass of time. All of it is one step of autograd, so each parameter receives its gradient once, as
    data-parallel training requirements.

    chunks: each encodes its texts to (n, d). parameters: all that the vectors depend on and that are trained.
    """
    return _EncodeTwice.apply(chunks, *parameters)


class _EncodeTwice(torch.autograd.Function):
    # torch's checkpoint would do, but the graph of each chunk, small as it is, then outlives the chunk's activations
    # and breaks up the memory that they leave: a third more of it at a batch of 4,096.

    @staticmethod
    def forward(ctx: Any, chunks: Sequence[Encode], *parameters: Tensor) -> Tensor:
        ctx.chunks, ctx.parameters = chunks, parameters
        device = ctx.device = parameters[0].device
        ctx.autocast = torch.is_autocast_enabled(device.type), torch.get_autocast_dtype(device.type)
        ctx.states = []
        parts = []
        for encode in chunks:
            ctx.states.append(_random_state(device))
            parts.append(encode())
        # Under autocast, half-precision copies of weights are kept; these were made without a graph.
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
                for n, found in enumerate(torch.autograd.grad(vectors, ctx.parameters, part, allow_unused=True)):
                    if found is not None:
                        sums[n] = found if sums[n] is None else sums[n].add_(found)
        return None, *sums


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

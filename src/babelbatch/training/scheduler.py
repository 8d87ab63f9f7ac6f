"""Learning-rate schedules: each a warm-up, then a shape. Multipliers of the base rate, by optimiser step."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def constant(optimizer: Optimizer, total_steps: int, warmup: float = 0.0) -> LambdaLR:
    """Linear warm-up over the first `warmup` share of `total_steps`, then constant.

    warmup: the share of the steps in which the learning rate rises.
    """
    return _scheduled(optimizer, total_steps, warmup, lambda progress: 1.0)


def linear(optimizer: Optimizer, total_steps: int, warmup: float = 0.1, final: float = 0.0) -> LambdaLR:
    """Linear warm-up over the first `warmup` share of `total_steps`, then linear decay to `final` of the base rate.

    warmup: the share of the steps in which the learning rate rises. final: the share of it that is left at the end.
    """
    return _scheduled(optimizer, total_steps, warmup, lambda progress: final + (1.0 - final) * (1.0 - progress))


def cosine(optimizer: Optimizer, total_steps: int, warmup: float = 0.1, final: float = 0.0) -> LambdaLR:
    """Linear warm-up over the first `warmup` share of `total_steps`, then half a cosine down to `final` of the base
    rate (Loshchilov and Hutter 2017, without restarts).

    warmup: the share of the steps in which the learning rate rises. final: the share of it that is left at the end.
    """
    return _scheduled(
        optimizer,
        total_steps,
        warmup,
        lambda progress: final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress)),
    )


def _scheduled(optimizer: Optimizer, total_steps: int, warmup: float, shape: Callable[[float], float]) -> LambdaLR:
    warmup_steps = round(warmup * total_steps)

    def multiplier(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        return shape(min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps)))

    return LambdaLR(optimizer, multiplier)

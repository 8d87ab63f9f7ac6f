"""Learning-rate schedules: each a warm-up, then a shape. Multipliers of the base rate, by optimiser step."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

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
    return _scheduled(optimizer, total_steps, warmup, _decay(final))


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


def stages(
    optimizer: Optimizer, total_steps: int, at: list[float], warmup: float = 0.1, final: float = 0.0
) -> LambdaLR:
    """The schedule of `linear` in each stage of a run: each warms up and decays, so that none learns at lower rates.

    The mean multiplier is the same in all stages, up to the rounding of the warm-up; so stages of equal length have
    equal sums.

    at: the shares of the steps at which a new stage begins, ascending, above 0 and below 1; rounded to a step as
        `sampling.switch_at` is. warmup, final: of each stage, see `linear`.
    Raises ValueError for other shares.
    """
    bounds = [0, *(round(share * total_steps) for share in at), total_steps]
    if any(not 0 < share < 1 for share in at) or any(one >= other for one, other in pairwise(bounds)):
        raise ValueError(
            f"scheduler.at: {at} does not divide {total_steps:,} steps into stages; give ascending shares between 0 "
            "and 1"
        )
    parts = [(start, _multiplier(stop - start, warmup, _decay(final))) for start, stop in pairwise(bounds)]

    def multiplier(step: int) -> float:
        start, of_stage = [part for part in parts if part[0] <= step][-1]
        return of_stage(step - start)

    return LambdaLR(optimizer, multiplier)


def _decay(final: float) -> Callable[[float], float]:
    return lambda progress: final + (1.0 - final) * (1.0 - progress)


def _scheduled(optimizer: Optimizer, total_steps: int, warmup: float, shape: Callable[[float], float]) -> LambdaLR:
    return LambdaLR(optimizer, _multiplier(total_steps, warmup, shape))


def _multiplier(total_steps: int, warmup: float, shape: Callable[[float], float]) -> Callable[[int], float]:
    warmup_steps = round(warmup * total_steps)

    def multiplier(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        return shape(min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps)))

    return multiplier

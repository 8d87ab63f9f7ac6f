"""Bounds how long a rank waits for the others, and reports a wait that is too long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch.distributed as dist
from pytorch_lightning.strategies import DDPStrategy, StrategyRegistry

from babelbatch.distributed.ranks import SHARDED_STRATEGY
from babelbatch.storage import WaitedTooLong

_TIMES = 3
"""A rank waits so many times `trainer.stuck_minutes` for another: whose data worker is stuck reports that before."""

_TIMED_OUT = ("Timed out waiting", "Application timeout caused pair closure")
"""What gloo's errors say, which have no class of their own: of the first operation that waits too long, and of any
after it."""


def bounded_strategy(name: str, stuck_minutes: float, shards: int | None = None) -> str | DDPStrategy:
    """The strategy of this name with a bound on the waits of its process group. The name of a strategy that is neither
    Lightning's DDP nor our own is returned as it is. shards: of our own, see `ShardedStrategy`."""
    if name == SHARDED_STRATEGY:
        from babelbatch.training.sharded_strategy import ShardedStrategy  # which other runs need not import

        return ShardedStrategy(timedelta(minutes=_TIMES * stuck_minutes), shards)
    entry = dict(StrategyRegistry).get(name, {})
    if entry.get("strategy") is not DDPStrategy:
        return name
    return DDPStrategy(timeout=timedelta(minutes=_TIMES * stuck_minutes), **entry["init_params"])


@contextmanager
def long_waits_reported(stuck_minutes: float) -> Iterator[None]:
    """Raises WaitedTooLong in place of the error of a collective operation, or of the meeting of the ranks, that took
    longer than `bounded_strategy` allows."""
    try:
        yield
    except RuntimeError as error:
        alone = dist.is_available() and isinstance(error, dist.DistStoreError)  # the others have not come
        if not (alone or any(text in str(error) for text in _TIMED_OUT)):
            raise
        raise WaitedTooLong(
            f"trainer.stuck_minutes: this rank waited {_TIMES * stuck_minutes:g} minutes, {_TIMES} times the setting, "
            "for another one, which hangs or is that much slower, or the run was suspended; run the same command again "
            "to resume, with a larger trainer.stuck_minutes if an evaluation takes so long"
        ) from error

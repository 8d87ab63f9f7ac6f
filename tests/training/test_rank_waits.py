"""The bound on the time that a rank waits for the others, and what is reported when it is reached."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import DDPStrategy

from babelbatch.jobs.failures import is_user_error
from babelbatch.storage import WaitedTooLong
from babelbatch.training import bounded_strategy, long_waits_reported
from babelbatch.training.sharded_strategy import ShardedStrategy

HALF_A_SECOND = timedelta(seconds=0.5)
REPORTED = (
    "trainer.stuck_minutes: this rank waited 6 minutes, 3 times the setting, for another one, which hangs or is that "
    "much slower, or the run was suspended; run the same command again to resume, with a larger trainer.stuck_minutes "
    "if an evaluation takes so long"
)


def test_the_process_group_has_the_bound() -> None:
    for name, settings in (("ddp", {}), ("ddp_find_unused_parameters_true", {"find_unused_parameters": True})):
        strategy = bounded_strategy(name, 0.5)
        assert isinstance(strategy, DDPStrategy)
        assert (strategy._timeout, strategy._ddp_kwargs) == (timedelta(seconds=90), settings)
    trainer = Trainer(strategy=bounded_strategy("ddp", 10), accelerator="cpu", devices=2, logger=False)
    assert isinstance(trainer.strategy, DDPStrategy)
    assert trainer.strategy._timeout == timedelta(minutes=30)  # torch's own
    assert trainer.strategy.num_processes == 2


def test_what_is_no_name_of_ddp_stays() -> None:
    assert [bounded_strategy(name, 1) for name in ("auto", "deepspeed")] == ["auto", "deepspeed"]


def test_the_sharded_strategy_has_the_bound() -> None:
    strategy = bounded_strategy("fsdp", 0.5, shards=2)
    assert isinstance(strategy, ShardedStrategy)
    assert (strategy._timeout, strategy._shards) == (timedelta(seconds=90), 2)


def test_a_wait_in_a_collective_is_one_line() -> None:
    """With gloo itself: of two ranks, one never comes to the operation. The operations after it fail in another way."""
    store = dist.HashStore()
    with ThreadPoolExecutor(2) as pool:
        groups = list(pool.map(lambda rank: dist.ProcessGroupGloo(store, rank, 2, HALF_A_SECOND), range(2)))
    for _ in range(2):
        with pytest.raises(WaitedTooLong) as error, long_waits_reported(2):
            groups[0].allreduce([torch.ones(2)]).wait()
        assert str(error.value) == REPORTED
        assert is_user_error(error.value)  # reported without a traceback


def test_ranks_that_do_not_come_are_one_line() -> None:
    with pytest.raises(WaitedTooLong) as error, long_waits_reported(2):
        dist.TCPStore("127.0.0.1", 0, world_size=2, is_master=True, timeout=HALF_A_SECOND)
    assert str(error.value) == REPORTED


def test_other_errors_are_not_taken_for_it() -> None:
    with pytest.raises(RuntimeError, match=r"^mat1 and mat2") as error, long_waits_reported(2):
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not isinstance(error.value, WaitedTooLong)

"""The DataLoader of planned batches, and the processes that prepare them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from math import ceil
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.context import ForkServerContext
from multiprocessing.forkserver import ensure_running
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data import Sampler as Order
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from babelbatch.records import Batch, Plan
from babelbatch.storage import WaitedTooLong

_IGNORED_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def planned_batches(
    plan: Callable[[int], Plan],
    build: Callable[[Plan, int], Batch],
    steps: int,
    done: int,
    workers: int,
    stuck_minutes: float = 10.0,
) -> DataLoader[Batch]:
    """A DataLoader whose items are the batches of steps done to steps - 1.

    Its length is `steps`, since Lightning subtracts the completed ones itself.
    workers: processes that build the batches, alive as long as the loader; 0 builds them in this process. `plan` and
        `build` are pickled to each worker.
    stuck_minutes: if no batch is prepared for so long, the workers are killed, and WaitedTooLong is raised.
    """
    # batch_size=None: an index is a step, and what comes back is a whole planned batch.
    loader = _BoundedLoader(
        _PlannedBatches(plan, build, steps),
        sampler=_Remaining(steps, done),
        batch_size=None,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context=worker_context() if workers else None,
        worker_init_fn=_initialise_worker,
        # A separate one: each new iterator draws from it, and validating more often must not change the training.
        generator=torch.Generator(),
    )
    loader.stuck_minutes = stuck_minutes
    return loader


class _BoundedLoader(DataLoader[Batch]):
    """A DataLoader that does not wait for a stuck worker without end."""

    stuck_minutes: float

    def _get_iterator(self) -> Any:
        return _BoundedIterator(self) if self.num_workers else super()._get_iterator()


class _BoundedIterator(_MultiProcessingDataLoaderIter):
    """Kills the workers if the next batch does not come, so that what waits for them fails.

    DataLoader's own `timeout` does not suffice: a tensor is received from the worker that made it, without a bound. A
    thread counts intervals, not the clock, so a run that is suspended with its workers may go on later.
    """

    def __init__(self, loader: _BoundedLoader) -> None:
        self._limit, self._stuck = 60 * loader.stuck_minutes, ""
        super().__init__(loader)

    def _get_data(self) -> Any:
        received = threading.Event()
        threading.Thread(target=self._watch, args=(received,), daemon=True).start()
        try:
            return super()._get_data()  # type: ignore[no-untyped-call]  # torch's method has no annotations
        except Exception as error:  # of several types, by what the kill has interrupted
            if not self._stuck:
                raise
            raise WaitedTooLong(self._stuck) from error
        finally:
            received.set()

    def _watch(self, received: threading.Event) -> None:
        interval = min(5.0, self._limit)
        for _ in range(ceil(self._limit / interval)):
            if received.wait(interval):
                return
        due = self._task_info.get(self._rcvd_idx)
        which = "the workers" if due is None else f"worker {due[0]} (pid {self._workers[due[0]].pid})"
        self._stuck = (
            f"data.num_workers: {which} prepared no batch for {self._limit / 60:g} minutes; run the same "
            "command again to resume, with data.num_workers=0 if it happens again, or with a larger "
            "trainer.stuck_minutes if batches take so long"
        )
        for worker in self._workers:  # one that is stopped or hangs would keep this process from ending, too
            worker.kill()
        # The end of a message that a worker has begun: this process can write to the queue, too.
        self._worker_result_queue._writer.close()  # type: ignore[attr-defined]  # not in the stubs


class _PlannedBatches(Dataset[Batch]):
    """Step -> batch, as a map-style dataset of whole batches."""

    def __init__(self, plan: Callable[[int], Plan], build: Callable[[Plan, int], Batch], steps: int) -> None:
        self._plan, self._build, self._steps = plan, build, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        return self._build(self._plan(step), step)


class _Remaining(Order[int]):
    """The remaining steps."""

    def __init__(self, steps: int, done: int) -> None:
        self._steps, self._done = steps, done

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._done, self._steps))


def worker_context() -> ForkServerContext:
    """Starts workers from a fork server instead of forking the training process.

    Threads of the training process (of a process group, of an experiment tracker) may hold an interpreter lock at the
    moment of a fork; the child would then wait for it forever (CPython 3.11: PyOS_AfterFork_Child).

    The server and its workers ignore SIGINT and SIGTERM, which a process group receives together: the training process
    needs its workers until it has stopped.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, "babelbatch.batches.builder"])  # imports torch once, not in each worker
    resource_tracker.ensure_running()  # as a side effect it unblocks these signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED_SIGNALS)  # inherited by a new process
    try:
        ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


def _initialise_worker(worker: int) -> None:
    """Makes a worker ignore signals, also if other code had started the server, and end with the training process.

    DataLoader itself only watches the process that forked the worker, which is the server.
    """
    for signum in _IGNORED_SIGNALS:  # ignored, not masked: existing threads have their own masks
        signal.signal(signum, signal.SIG_IGN)

    def wait() -> None:
        parent = parent_process()
        assert parent is not None, "a worker has a parent"
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()

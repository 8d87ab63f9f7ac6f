"""The DataLoader of planned batches, and the processes that prepare them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.context import ForkServerContext
from multiprocessing.forkserver import ensure_running

import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data import Sampler as Order

from babelbatch.batches.translations import Translations
from babelbatch.records import Batch, Plan
from babelbatch.sampling import Sampler

_NOT_HEARD = {signal.SIGTERM, signal.SIGINT}


def planned_batches(
    sampler: Sampler,
    translations: Translations | None,
    build: Callable[[Plan, int], Batch],
    steps: int,
    done: int,
    workers: int,
) -> DataLoader:
    """A DataLoader whose items are the batches of steps done to steps - 1.

    Its length is `steps`: Lightning counts the done ones by itself.
    workers: processes that build them, the same ones as long as the loader lives; 0 builds them in this process. What a
    batch is made from is pickled to each of them.
    """
    # batch_size=None: an index is a step, and what comes back is a whole planned batch.
    return DataLoader(
        _PlannedBatches(sampler, translations, build, steps),
        sampler=_Remaining(steps, done),
        batch_size=None,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context=worker_context() if workers else None,
        worker_init_fn=_begin,
        # Its own: each new iterator draws from it, and validating more often must not change the training.
        generator=torch.Generator(),
    )


class _PlannedBatches(Dataset):
    """Step -> batch, as a map-style dataset of whole batches."""

    def __init__(
        self,
        sampler: Sampler,
        translations: Translations | None,
        build: Callable[[Plan, int], Batch],
        steps: int,
    ) -> None:
        self._sampler, self._translations, self._build, self._steps = sampler, translations, build, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        plan = self._sampler.plan(step)
        return self._build(plan if self._translations is None else self._translations(plan, step), step)


class _Remaining(Order[int]):
    """The steps that are still to do."""

    def __init__(self, steps: int, done: int) -> None:
        self._steps, self._done = steps, done

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._done, self._steps))


def worker_context() -> ForkServerContext:
    """Workers are forked by a server that does nothing else, never by the training process.

    The latter's threads (those of a process group, of an experiment tracker) may hold a lock of the interpreter at the
    moment of a fork, which the child then waits for without end (CPython 3.11: PyOS_AfterFork_Child).

    The server and its workers are deaf to SIGTERM and SIGINT. A signal to a whole group of processes is for the one
    that trains: it needs its workers until it has stopped.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, "babelbatch.batches.builder"])  # torch once, and not again in each worker
    resource_tracker.ensure_running()  # as a side effect it unblocks these signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_HEARD)  # which a new process inherits
    try:
        ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


def _begin(worker: int) -> None:
    """In each worker: it is deaf also if something else had started the server before, which then is not; and it ends
    with the process that trains. (DataLoader's own watch is on the one that forked it, and that is the server.)"""
    for signum in _NOT_HEARD:  # ignored, not masked: threads that are there already have masks of their own
        signal.signal(signum, signal.SIG_IGN)

    def wait() -> None:
        parent = parent_process()
        assert parent is not None, "a worker is nobody's"
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()

"""Forward passes of an encoder: one after the other, or on a CPU one in each thread."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from babelbatch.records import Padded

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder, Role


def forward_passes(
    encoder: Encoder, role: Role, batches: int, batch: Callable[[int], Padded], *, alone: bool
) -> Iterator[NDArray[np.float32]]:
    """(rows, d) vectors of the tokenised texts `batch(0)`, ..., `batch(batches - 1)`, in this order, without gradients.

    On a CPU with several threads each pass has one thread, and several passes run at once: threads that share a pass
    wait for each other after each operation, and share none of its small operations. So vectors do not depend on the
    number of threads. Each thread has its own modules over the same weights, because some modules change while they
    run (positions scaled by the length of a text).
    alone: these texts are one batch in all, also of other processes; its pass has every thread.
    """
    if batches == 0:
        return
    threads = torch.get_num_threads()
    device = next(encoder.parameters()).device
    if device.type != "cpu" or threads == 1 or alone:
        for number in range(batches):
            yield _vectors(encoder, role, batch(number).to(device))
        return
    enabled, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")
    encoders: SimpleQueue[Encoder] = SimpleQueue()
    for _ in range(threads):
        encoders.put(_with_the_same_weights(encoder))

    def begin_thread() -> None:
        torch.set_num_threads(1)
        torch.set_autocast_enabled("cpu", enabled)  # no context: leaving it would forget the converted weights
        torch.set_autocast_dtype("cpu", dtype)

    def compute(number: int) -> NDArray[np.float32]:
        of_thread = encoders.get()
        try:
            return _vectors(of_thread, role, batch(number))
        finally:
            encoders.put(of_thread)

    pool = ThreadPoolExecutor(threads, "forward pass", initializer=begin_thread)
    try:
        yield from pool.map(compute, range(batches))
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


@torch.inference_mode()
def _vectors(encoder: Encoder, role: Role, texts: Padded) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = encoder(texts, role).float().cpu().numpy()
    return vectors


def _with_the_same_weights(encoder: Encoder) -> Encoder:
    same = (encoder.tokenizer, *encoder.parameters())
    return copy.deepcopy(encoder, {id(value): value for value in same})

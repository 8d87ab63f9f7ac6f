"""Forward passes side by side have the vectors of one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from babelbatch.encoder import Encoder, tiny
from babelbatch.evaluation.forward_passes import forward_passes
from babelbatch.records import Padded

BATCHES = 12


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return tiny(["one two three four"], vocab_size=60, hidden_size=64, layers=2, heads=2).eval()


def batch(number: int) -> Padded:
    """Twelve shapes, the longest first."""
    ids = torch.from_numpy(np.random.default_rng(number).integers(5, 15, (3 + number, 40 - 3 * number)))
    return Padded(ids, torch.ones_like(ids))


def vectors(encoder: Encoder) -> list[np.ndarray]:
    return list(forward_passes(encoder, "passage", BATCHES, batch, alone=False))


def one_after_the_other(encoder: Encoder) -> list[np.ndarray]:
    torch.set_num_threads(1)
    try:
        return vectors(encoder)
    finally:
        torch.set_num_threads(3)


def equal(found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_vectors_do_not_depend_on_the_number_of_threads(encoder: Encoder, dtype: torch.dtype | None) -> None:
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        expected = one_after_the_other(encoder)
        assert equal(vectors(encoder), expected)
    assert torch.get_num_threads() == 3
    assert equal(vectors(encoder), expected) == (dtype is None)


def test_modules_that_change_while_they_run_are_not_shared(encoder: Encoder) -> None:
    """As positions that are scaled by the length of the text, which a module keeps."""
    together = threading.Barrier(3)

    class ByLength(nn.Module):
        def forward(self, states: Tensor) -> Tensor:
            self.factor = states.shape[1]
            if threading.current_thread() is not threading.main_thread():
                together.wait(timeout=60)  # until three passes are here
            return states * self.factor

    encoder.towers["passage"].backbone.embeddings.dropout = ByLength()
    expected = one_after_the_other(encoder)
    assert equal(vectors(encoder), expected)


def test_an_error_ends_the_passes_and_leaves_the_threads_as_they_were(encoder: Encoder) -> None:
    begun = []

    def third_fails(number: int) -> Padded:
        begun.append(number)
        if number == 2:
            raise ValueError("no third batch")
        return batch(number)

    with pytest.raises(ValueError, match="no third batch"):
        list(forward_passes(encoder, "passage", 1_000, third_fails, alone=False))
    assert len(begun) < 1_000
    assert torch.get_num_threads() == 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("forward pass")]


def test_training_goes_on_with_gradients_between_the_passes(encoder: Encoder) -> None:
    for _ in forward_passes(encoder, "passage", 4, lambda number: batch(9), alone=False):
        assert not torch.is_inference_mode_enabled()

"""Length-sorted chunks: optimal, bounded, nothing lost."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelbatch.batches.chunks import length_sorted_chunks

lengths_of_a_batch = st.lists(st.integers(1, 40), min_size=1, max_size=9)


def cost(lengths: np.ndarray, chunks: list[np.ndarray], overhead: int) -> int:
    return sum(len(chunk) * int(lengths[chunk].max()) + overhead for chunk in chunks)


@given(lengths=lengths_of_a_batch, overhead=st.integers(0, 60))
def test_no_split_of_the_sorted_texts_is_cheaper(lengths, overhead):
    lengths = np.array(lengths)
    chunks = length_sorted_chunks(lengths, overhead)
    order = np.argsort(lengths, kind="stable")
    inner = range(1, len(lengths))
    every = [np.split(order, list(cuts)) for count in range(len(lengths)) for cuts in combinations(inner, count)]
    assert cost(lengths, chunks, overhead) == min(cost(lengths, split, overhead) for split in every)


@given(lengths=lengths_of_a_batch, overhead=st.integers(0, 60), limit=st.integers(1, 100))
def test_every_text_is_in_one_chunk_and_chunks_are_bounded(lengths, overhead, limit):
    lengths = np.array(lengths)
    chunks = length_sorted_chunks(lengths, overhead, limit)
    assert sorted(np.concatenate(chunks)) == list(range(len(lengths)))
    assert (np.diff(lengths[np.concatenate(chunks)]) >= 0).all()
    for chunk in chunks:
        assert len(chunk) == 1 or len(chunk) * lengths[chunk].max() <= limit


def test_by_hand():
    """2, 2 and 9, 10 apart cost 4 + 20; together 40. With an overhead of 20 it is no longer worth it."""
    lengths = np.array([9, 2, 10, 2])
    assert [chunk.tolist() for chunk in length_sorted_chunks(lengths, overhead=5)] == [[1, 3], [0, 2]]
    assert [chunk.tolist() for chunk in length_sorted_chunks(lengths, overhead=20)] == [[1, 3, 0, 2]]
    assert [chunk.tolist() for chunk in length_sorted_chunks(lengths, 5, token_limit=10)] == [[1, 3], [0], [2]]


@pytest.mark.parametrize("parts", [1, 3, 8])
def test_parts_of_a_large_chunk_are_even(parts):
    chunks = length_sorted_chunks(np.full(24, 5), overhead=0, token_limit=120 // parts)
    assert [len(chunk) for chunk in chunks] == [24 // parts] * parts

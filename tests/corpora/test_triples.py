"""Samples of triples: against a plain implementation, and what a hash promises."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from babelbatch.corpora import triples
from babelbatch.corpora.triples import Sample, sample
from babelbatch.records import ABSENT


@pytest.fixture
def rows() -> np.ndarray:
    """2,000 triples of 40 queries with one to three passages each, some of them twice."""
    random = np.random.default_rng(0)
    queries = random.integers(0, 40, 2000)
    positives = 100 * queries + random.integers(0, 1 + queries % 3)
    return np.stack([queries, positives, random.integers(5000, 5400, 2000)], axis=1).astype(np.int32)


def mixed(values: list[int], seed: int) -> int:
    """SplitMix64's finaliser in Python's integers, one value after the other."""
    state = seed
    for value in values:
        state = state + value + 0x9E3779B97F4A7C15 & 2**64 - 1
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & 2**64 - 1
        state = (state ^ state >> 27) * 0x94D049BB133111EB & 2**64 - 1
        state ^= state >> 31
    return state


def plain(rows: np.ndarray, count: int | None, negatives: int, seed: int) -> dict[tuple[int, int], list[int]]:
    ranked = sorted({tuple(row) for row in rows.tolist()}, key=lambda row: mixed(list(row), seed))
    items: dict[tuple[int, int], list[int]] = defaultdict(list)
    for query, positive, negative in ranked[:count]:
        items[query, positive].append(negative)
    return {item: wrong[:negatives] for item, wrong in sorted(items.items())}


def negatives_by_pair(drawn: Sample) -> dict[tuple[int, int], list[int]]:
    keys = map(tuple, drawn.items.tolist())
    return {key: [id_ for id_ in row if id_ != ABSENT] for key, row in zip(keys, drawn.negatives.tolist(), strict=True)}


@pytest.mark.parametrize("count", [1, 150, 10_000, None])
@pytest.mark.parametrize("negatives", [0, 1, 7])
def test_against_a_plain_implementation(rows: np.ndarray, count: int | None, negatives: int) -> None:
    drawn = sample(np.array_split(rows, 7), count, negatives, seed=3)
    expected = plain(rows, count, negatives, seed=3)
    assert negatives_by_pair(drawn) == expected
    assert list(negatives_by_pair(drawn)) == list(expected)
    assert drawn.negatives.shape[1] == max(map(len, expected.values()))


@pytest.mark.parametrize("count", [150, None])
def test_neither_order_nor_blocks_matter(rows: np.ndarray, count: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = negatives_by_pair(sample([rows], count, 2, seed=0))
    shuffled = np.random.default_rng(1).permutation(rows)
    monkeypatch.setattr(triples, "_BUFFER", 60)  # thinned out many times
    assert negatives_by_pair(sample(np.array_split(shuffled, 50), count, 2, seed=0)) == whole


def test_a_smaller_sample_is_part_of_a_larger_one(rows: np.ndarray) -> None:
    small, large = (negatives_by_pair(sample([rows], count, 100, seed=0)) for count in (100, 300))
    assert all(set(wrong) <= set(large[item]) for item, wrong in small.items())
    assert sum(map(len, small.values())) == 100


def test_another_seed_draws_others(rows: np.ndarray) -> None:
    one, other = (set(negatives_by_pair(sample([rows], 100, 5, seed=seed))) for seed in (0, 1))
    assert one != other


def test_each_triple_is_as_likely_as_any_other(rows: np.ndarray) -> None:
    """Over 400 seeds a triple is in a sample of a quarter 100 times, with a standard deviation of 8.7."""
    distinct = np.unique(rows, axis=0)
    index = {tuple(row): number for number, row in enumerate(distinct.tolist())}
    times = np.zeros(len(distinct))
    for seed in range(400):
        for (query, positive), wrong in negatives_by_pair(sample([distinct], len(distinct) // 4, 1000, seed)).items():
            times[[index[query, positive, negative] for negative in wrong]] += 1
    z = (times - 100) / np.sqrt(400 * 0.25 * 0.75)
    assert abs(z).max() < 4.5  # one in 150,000 is above; there are 1,900
    assert abs((z**2).mean() - 1) < 0.15

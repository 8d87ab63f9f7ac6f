"""Metrics of ranks, beside numbers worked out by hand and loops over a list."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelbatch.benchmarks.lareqa import load_benchmark
from babelbatch.evaluation.metrics import NAMES, POOL_NAMES, per_query_metrics, rank_distance


def csr(*queries: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate(queries), np.cumsum([0, *map(len, queries)])


def test_names():
    assert NAMES == ("map", "map@20", "mrr@100", "ndcg@10", "ndcg@20", "recall@1", "recall@10", "recall@100")
    assert POOL_NAMES == ("rank_distance", "rank_distance_normalised")
    assert tuple(per_query_metrics(*csr([1]))) == NAMES


def test_by_hand():
    """Queries: a first place; a fourth; three answers out of order; one beyond every cut-off."""
    found = per_query_metrics(*csr([1], [4], [10, 1, 25], [100]))
    assert found["map"] == pytest.approx([1, 1 / 4, (1 / 1 + 2 / 10 + 3 / 25) / 3, 1 / 100])
    assert found["map@20"] == pytest.approx([1, 1 / 4, (1 / 1 + 2 / 10) / 3, 0])
    assert found["recall@1"] == pytest.approx([1, 0, 1 / 3, 0])
    assert found["recall@10"] == pytest.approx([1, 1, 2 / 3, 0])
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert found["ndcg@10"] == pytest.approx([1, 1 / log2(5), (1 + 1 / log2(11)) / ideal, 0])
    assert found["ndcg@20"].tolist() == found["ndcg@10"].tolist()
    assert found["mrr@100"] == pytest.approx([1, 1 / 4, 1, 1 / 100])
    assert found["recall@100"] == pytest.approx([1, 1, 1, 1])
    assert all(values.dtype == np.float64 for values in found.values())


def test_cut_offs_are_inclusive():
    found = per_query_metrics(*csr([20], [21], [10], [11]))
    assert found["map@20"] == pytest.approx([1 / 20, 0, 1 / 10, 1 / 11])
    assert found["recall@10"] == pytest.approx([0, 0, 1, 0])
    assert found["ndcg@10"] == pytest.approx([0, 0, 1 / log2(11), 0])
    assert found["ndcg@20"] == pytest.approx([1 / log2(21), 0, 1 / log2(11), 1 / log2(12)])
    found = per_query_metrics(*csr([100], [101]))
    assert found["recall@100"].tolist() == [1, 0]
    assert found["mrr@100"].tolist() == [1 / 100, 0]


def test_the_divisor_of_map_at_20_is_what_the_cut_off_can_hold():
    """25 answers in the first 25 places: nothing better fits in 20. trec_eval's map_cut divides by 25."""
    found = per_query_metrics(*csr(list(range(1, 26))))
    assert found["map@20"] == pytest.approx([1])
    assert found["map"] == pytest.approx([1])
    assert found["ndcg@10"] == pytest.approx([1])
    assert found["recall@10"] == pytest.approx([10 / 25])  # recall has no such cap


def test_ranks_are_counted_from_one_as_floats():
    """Integer ranks must not divide as integers."""
    assert per_query_metrics(np.array([3], np.int64), np.array([0, 1]))["map"][0] == 1 / 3


def average_precision(ranks: list[int], cutoff: int | None) -> float:
    total, hits = 0.0, 0
    for place in range(1, (cutoff or max(ranks)) + 1):
        if place in ranks:
            hits += 1
            total += hits / place
    return total / min(len(ranks), cutoff or len(ranks))


def ndcg(ranks: list[int], cutoff: int) -> float:
    gained = best = 0.0
    for place in range(1, cutoff + 1):
        gained += (place in ranks) / log2(place + 1)
        best += (place <= len(ranks)) / log2(place + 1)
    return gained / best


@given(st.lists(st.sets(st.integers(1, 150), min_size=1, max_size=30), min_size=1, max_size=8), st.randoms())
def test_agrees_with_loops(queries, random):
    lists = [random.sample(sorted(ranks), len(ranks)) for ranks in queries]
    found = per_query_metrics(*csr(*lists))
    assert found["map"] == pytest.approx([average_precision(ranks, None) for ranks in lists])
    assert found["map@20"] == pytest.approx([average_precision(ranks, 20) for ranks in lists])
    assert found["ndcg@10"] == pytest.approx([ndcg(ranks, 10) for ranks in lists])
    assert found["ndcg@20"] == pytest.approx([ndcg(ranks, 20) for ranks in lists])
    assert found["mrr@100"] == pytest.approx([1 / min(ranks) if min(ranks) <= 100 else 0 for ranks in lists])
    for cutoff in (1, 10, 100):
        expected = [sum(rank <= cutoff for rank in ranks) / len(ranks) for ranks in lists]
        assert found[f"recall@{cutoff}"] == pytest.approx(expected)
    assert rank_distance(*csr(*lists)).tolist() == [max(ranks) - min(ranks) for ranks in lists]


graded_lists = st.lists(
    st.dictionaries(st.integers(1, 40), st.sampled_from([1.0, 2.0, 3.0, 0.5]), min_size=1, max_size=25), min_size=1
)


@given(graded_lists)
def test_gains_agree_with_loops(queries):
    ranks, offsets = csr(*(list(query) for query in queries))
    gains = np.concatenate([list(query.values()) for query in queries])
    found = per_query_metrics(ranks, offsets, gains)
    for cutoff in (10, 20):
        expected = []
        for query in queries:
            gained = sum(gain / log2(rank + 1) for rank, gain in query.items() if rank <= cutoff)
            best = sorted(query.values(), reverse=True)[:cutoff]
            expected.append(gained / sum(gain / log2(place + 1) for place, gain in enumerate(best, start=1)))
        assert found[f"ndcg@{cutoff}"] == pytest.approx(expected)
    plain = per_query_metrics(ranks, offsets)
    for name in set(NAMES) - {"ndcg@10", "ndcg@20"}:
        assert found[name].tolist() == plain[name].tolist()


def test_rank_distance_by_hand():
    found = rank_distance(*csr([7], [3, 1, 12], list(range(1, 12))))
    assert found.tolist() == [0, 11, 10]  # the last is a perfect ranking of eleven languages: |R| - 1
    assert found.dtype == np.float64


@pytest.mark.parametrize(("candidates", "relevant"), [(200, 2), (200, 11), (1000, 4)])
def test_rank_distance_of_a_random_ranking(candidates, relevant):
    """(k - 1)(n + 1) / (k + 1), within four standard errors."""
    random = np.random.default_rng(0)
    ranks = [random.choice(candidates, relevant, replace=False) + 1 for _ in range(4_000)]
    found = rank_distance(*csr(*ranks))
    expected = (relevant - 1) * (candidates + 1) / (relevant + 1)
    assert abs(found.mean() - expected) < 4 * found.std() / 4_000**0.5


@pytest.mark.parametrize(
    ("dataset", "folder", "perfect", "chance"),
    [("xquad_r", "xquad-r", 10.0, 10_846), ("mlqa_r", "mlqa-r", 2.75, 11_766)],
)
def test_rank_distance_on_published_data(shared_data, dataset, folder, perfect, chance):
    """The two ends of the scale, over all queries: |R| - 1, and a shuffled pool within five standard errors."""
    benchmark = load_benchmark(dataset, str(shared_data / folder))
    offsets, candidates = benchmark.relevant_offsets, len(benchmark.candidate_ids)
    sizes = np.diff(offsets)
    best = np.concatenate([np.arange(size) + 1 for size in sizes])
    assert rank_distance(best, offsets).mean() == pytest.approx(perfect, abs=0.005)
    random = np.random.default_rng(0)
    shuffled = np.concatenate([random.choice(candidates, size, replace=False, shuffle=False) + 1 for size in sizes])
    found = rank_distance(shuffled, offsets)
    assert abs(found.mean() - chance) < 0.5 + 5 * found.std() / len(sizes) ** 0.5

"""Language bias, beside numbers worked out by hand, loops over lists, and scipy's own tests."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from babelbatch.evaluation import bias


def csr(*queries: list) -> tuple[np.ndarray, np.ndarray]:
    return np.array([value for query in queries for value in query]), np.cumsum([0, *map(len, queries)])


def test_language_preference_by_hand():
    ranks, offsets = csr([5, 1], [1, 5], [7, 3, 4], [2], [2, 9], [2, 9])
    own = csr([True, False], [True, False], [True, True, False], [True], [True, True], [False, False])[0]
    found = bias.language_preference(ranks, offsets, own)
    # The last three leave no choice.
    np.testing.assert_array_equal(found, [0, 1, 1, np.nan, np.nan, np.nan])


@st.composite
def retrievals(draw) -> list[tuple[list[int], list[int], int]]:
    """For each query: ranks of its relevant candidates, their languages, and the query's language."""
    queries = []
    for _ in range(draw(st.integers(1, 6))):
        ranks = draw(st.lists(st.integers(1, 130), min_size=1, max_size=9, unique=True))
        languages = draw(st.lists(st.integers(0, 3), min_size=len(ranks), max_size=len(ranks)))
        queries.append((ranks, languages, draw(st.integers(0, 3))))
    return queries


@given(retrievals())
def test_language_preference_agrees_with_loops(queries):
    expected = []
    for ranks, languages, language in queries:
        best = min(zip(ranks, languages, strict=True))[1]
        undefined = language not in languages or set(languages) == {language}
        expected.append(np.nan if undefined else float(best == language))
    ranks, offsets = csr(*(ranks for ranks, _, _ in queries))
    own = np.array([other == language for _, languages, language in queries for other in languages])
    np.testing.assert_array_equal(bias.language_preference(ranks, offsets, own), expected)


def test_language_preference_of_a_random_ranking_is_one_in_l():
    random = np.random.default_rng(0)
    ranks = np.concatenate([random.permutation(500)[:11] + 1 for _ in range(5_000)])
    own = np.tile(np.arange(11) == 4, 5_000)
    rate = bias.language_preference(ranks, np.arange(0, 55_001, 11), own).mean()
    assert abs(rate - 1 / 11) < 4 * (10 / 121 / 5_000) ** 0.5


def test_top_shares_by_hand():
    found = bias.top_shares(np.array([[0, 0, 2, 0], [1, 2, 1, 2]]), 4)
    assert found.tolist() == [[0.75, 0, 0.25, 0], [0, 0.5, 0.5, 0]]


@given(retrievals())
def test_peer_agrees_with_scipy(queries):
    """scipy ranks the relevant candidates anew: it is enough that those beyond the cut-off are equal and last."""
    expected = []
    for ranks, languages, _ in queries:
        groups = [
            [min(rank, 101) for rank, other in zip(ranks, languages, strict=True) if other == language]
            for language in set(languages)
        ]
        testable = len(groups) > 1 and min(ranks) <= 100
        expected.append(stats.kruskal(*groups).pvalue if testable else 1.0)
    ranks, offsets = csr(*(ranks for ranks, _, _ in queries))
    languages = csr(*(languages for _, languages, _ in queries))[0]
    assert bias.peer(ranks, offsets, languages) == pytest.approx(expected)


def test_peer_by_hand():
    """German at 1, 2, 3, English at 4, 5, 6: mean ranks 2 and 5, H = 5 (3 * 1.5^2 + 3 * 1.5^2) / 17.5 = 27 / 7."""
    ranks, offsets = csr([1, 20, 30, 44, 50, 77])
    found = bias.peer(ranks, offsets, np.array([0, 0, 0, 1, 1, 1]))
    assert found == pytest.approx([stats.chi2.sf(27 / 7, 1)])
    fair = bias.peer(ranks, offsets, np.array([0, 1, 1, 0, 0, 1]))  # 1 + 4 + 5 = 10, 2 + 3 + 6 = 11
    assert fair == pytest.approx([stats.chi2.sf(5 * (3 * (1 / 6) ** 2 * 2) / 17.5, 1)])
    assert fair[0] > 0.8 > 0.05 > found[0]


def test_peer_is_degenerate_with_one_candidate_a_language():
    """Whatever the order and however many are beyond the cut-off, until all are."""
    constant = stats.chi2.sf(10, 10)
    assert constant == pytest.approx(0.4405, abs=5e-5)
    ranks, offsets = csr(range(1, 12), range(11, 0, -1), range(95, 106), range(100, 111), range(101, 112))
    found = bias.peer(ranks, offsets, np.tile(np.arange(11), 5))
    assert found == pytest.approx([constant] * 4 + [1])


@st.composite
def versions(draw) -> tuple[np.ndarray, np.ndarray, int]:
    """Scores of some queries for all candidates, of few values; which queries are versions of one."""
    queries, candidates = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    lines = st.lists(st.integers(0, 4), min_size=candidates, max_size=candidates)
    scores = np.array(draw(st.lists(lines, min_size=queries, max_size=queries)), np.float32)
    ids = np.array(draw(st.lists(st.integers(0, 2), min_size=queries, max_size=queries)))
    return scores, ids, draw(st.integers(1, candidates))


@given(versions())
def test_rank_correlation_agrees_with_scipy(case):
    scores, ids, k = case
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    pairs = [(a, b) for a in range(len(ids)) for b in range(a + 1, len(ids)) if ids[a] == ids[b]]
    across = np.array([[scores[a][top[b]], scores[b][top[a]]] for a, b in pairs]).reshape(len(pairs), 2, k)
    rows = np.array(pairs, np.int64).reshape(-1, 2)
    found = bias.rank_correlation(top, np.take_along_axis(scores, top, axis=1), rows, across)
    expected = []
    for a in range(len(ids)):
        values = []
        for b in range(len(ids)):
            union = sorted({*top[a].tolist(), *top[b].tolist()})
            if a != b and ids[a] == ids[b] and len(set(scores[a][union])) > 1 and len(set(scores[b][union])) > 1:
                values.append(stats.spearmanr(scores[a][union], scores[b][union]).statistic)
        expected.append(np.mean(values) if values else np.nan)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_rank_correlation_of_rankings_with_nothing_in_common():
    """1 for the same ranking; about -0.75 for two independent ones of a large pool, as the docstring says."""
    random = np.random.default_rng(0)
    scores = random.normal(size=(400, 5_000))
    scores[1] = scores[0] * 2 + 1
    top = np.argsort(-scores, axis=1)[:, :10]
    rows = np.arange(400).reshape(-1, 2)
    across = np.array([[scores[a][top[b]], scores[b][top[a]]] for a, b in rows])
    found = bias.rank_correlation(top, np.take_along_axis(scores, top, axis=1), rows, across)
    assert found[:2] == pytest.approx([1, 1])
    assert found[2:].mean() == pytest.approx(-0.75, abs=0.03)


def test_pairs_are_worked_off_in_parts(monkeypatch):
    random = np.random.default_rng(0)
    scores = random.normal(size=(8, 50)).astype(np.float32)
    top = np.argsort(-scores, axis=1)[:, :5]
    rows = np.array([(a, b) for a in range(8) for b in range(a + 1, 8)])
    across = np.array([[scores[a][top[b]], scores[b][top[a]]] for a, b in rows])
    arguments = (top, np.take_along_axis(scores, top, axis=1), rows, across)
    whole = bias.rank_correlation(*arguments)
    monkeypatch.setattr(bias, "_BLOCK_PAIRS", 3)
    assert bias.rank_correlation(*arguments) == pytest.approx(whole)

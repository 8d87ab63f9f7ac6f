"""Nearest neighbours beside sorting; how much of them an index finds; and faiss beside torch."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from babelbatch.search.index import HNSW, IVF, NO_ROW, Exact, Neighbours, _split, exact_top_k, measure_recall
from processes import python

CLUSTERED = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)


def vectors(rows: int, seed: int) -> np.ndarray:
    """Unit vectors around forty centres."""
    random = np.random.default_rng(seed)
    near = CLUSTERED[random.integers(0, 40, rows)] + 0.5 * random.normal(size=(rows, 16)).astype(np.float32)
    return (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)


POOL, QUERIES = vectors(4000, 1), vectors(300, 2)


@pytest.fixture
def pools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the indexes of parts are."""
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path))
    return tmp_path / "pools"


def test_by_hand():
    pool = np.array([[1, 0], [0, 2], [3, 3], [-1, 0]], np.float32)
    found = exact_top_k(np.array([[1, 0], [0, 1]], np.float32), 3, pool=pool)
    assert found.rows.tolist() == [[2, 0, 1], [2, 1, 0]]
    assert found.scores.tolist() == [[3, 1, 0], [3, 2, 0]]


def test_of_equal_rows_the_lower_comes_first():
    pool = np.array([[1, 0], [2, 0], [1, 0], [2, 0], [1, 0]], np.float32)
    found = exact_top_k(np.array([[1, 0]], np.float32), 5, pool=[pool[:2], pool[2:]])
    assert found.rows.tolist() == [[1, 3, 0, 2, 4]]


@st.composite
def searches(draw) -> tuple[np.ndarray, list[np.ndarray], int]:
    """Small integers, so that scores are exact and most are tied; a pool in up to four arrays, some of them empty."""
    rows = draw(st.integers(1, 40))
    numbers = st.lists(st.integers(-2, 2), min_size=3, max_size=3)
    pool = np.array(draw(st.lists(numbers, min_size=rows, max_size=rows)), np.float32)
    queries = np.array(draw(st.lists(numbers, max_size=5)), np.float32).reshape(-1, 3)
    cuts = sorted(draw(st.lists(st.integers(0, rows), max_size=3)))
    return queries, np.split(pool, cuts), draw(st.integers(1, rows))


@given(searches())
def test_agrees_with_sorting(search):
    queries, parts, k = search
    found = exact_top_k(queries, k, pool=parts)
    pool = np.concatenate(parts)
    assert found.rows.shape == found.scores.shape == (len(queries), k)
    for query, rows, scores in zip(queries, found.rows, found.scores, strict=True):
        all_scores = pool @ query
        assert scores.tolist() == sorted(all_scores.tolist(), reverse=True)[:k]
        assert all_scores[rows].tolist() == scores.tolist()
        assert len(set(rows.tolist())) == k
        pairs = list(zip((-scores).tolist(), rows.tolist(), strict=True))
        assert pairs == sorted(pairs)


def test_agrees_with_a_matrix_product_and_argsort():
    found = exact_top_k(QUERIES, 100, pool=[POOL[:1], POOL[1:1500], POOL[1500:]])
    scores = QUERIES.astype(np.float64) @ POOL.T.astype(np.float64)
    assert np.array_equal(found.rows, np.argsort(-scores, axis=1)[:, :100])
    assert found.scores == pytest.approx(-np.sort(-scores, axis=1)[:, :100], abs=1e-6)


def test_an_ivf_that_looks_everywhere_is_exact():
    truth = exact_top_k(QUERIES, 20, pool=POOL)
    found = IVF(lists=30, probes=30).build([POOL[:700], POOL[700:]])(QUERIES, 20)
    assert np.array_equal(found.rows, truth.rows)
    assert found.scores == pytest.approx(truth.scores, abs=1e-6)


def test_an_ivf_that_looks_nearby_finds_most():
    recalls = []
    for probes in (1, 4, 40):
        search = IVF(lists=80, probes=probes).build(POOL)
        recalls.append(measure_recall(search, QUERIES, 10, pool=POOL, threads=1))
    assert recalls == sorted(recalls)
    assert 0.1 < recalls[0] < 0.9
    assert recalls[2] > 0.99


def test_an_ivf_may_find_fewer_than_k():
    """Forty rows in forty lists: a probe sees one."""
    search = IVF(lists=40, probes=1).build(CLUSTERED)
    found = search(CLUSTERED, 3)
    assert (found.rows[:, 1:] == NO_ROW).all()
    assert np.isneginf(found.scores[:, 1:]).all()
    assert (found.rows[:, 0] != NO_ROW).all()


def test_hnsw_finds_most():
    search = HNSW(links=16, search=64).build(POOL)
    assert measure_recall(search, QUERIES, 10, pool=POOL, threads=1) > 0.95
    found = search(QUERIES, 10)
    assert found.scores == pytest.approx(np.einsum("qd,qkd->qk", QUERIES, POOL[found.rows]), abs=1e-6)
    assert measure_recall(HNSW(links=2, construction=1, search=1).build(POOL), QUERIES, 10, pool=POOL, threads=1) < 0.9


@pytest.mark.parametrize("index", [IVF(lists=50, probes=2), HNSW(links=4, construction=8, search=4)])
def test_the_same_index_whenever_it_is_built(index):
    once, again = (index.build(POOL, threads=2)(QUERIES, 10) for _ in range(2))
    assert np.array_equal(once.rows, again.rows)
    assert np.array_equal(once.scores, again.scores)


def test_the_seed_of_an_ivf():
    few = {"lists": 50, "probes": 1}
    assert not np.array_equal(
        IVF(**few, seed=0).build(POOL)(QUERIES, 10).rows, IVF(**few, seed=1).build(POOL)(QUERIES, 10).rows
    )


def test_recall_by_hand():
    """Of the exact 3 the search finds one and two; a tie with the third counts."""
    pool = np.array([[5], [4], [3], [3], [1], [0]], np.float32)
    queries = np.ones((2, 1), np.float32)
    rows = np.array([[0, 4, 5], [0, 3, NO_ROW]])
    found = Neighbours(rows, np.where(rows == NO_ROW, -np.inf, pool[rows, 0]).astype(np.float32))
    assert measure_recall(lambda queries, k: found, queries, 3, pool=pool, threads=1) == pytest.approx((1 + 2) / 6)


def test_recall_of_nothing():
    with pytest.raises(ValueError, match=r"^recall cannot be measured without queries$"):
        measure_recall(Exact().build(POOL), QUERIES[:0], 5, pool=POOL, threads=1)


def test_recall_looks_at_a_sample():
    asked = []

    def search(queries: np.ndarray, k: int) -> Neighbours:
        asked.append(queries)
        return exact_top_k(queries, k, pool=POOL)

    for _ in range(2):
        assert measure_recall(search, QUERIES, 5, pool=POOL, sample=7, seed=3, threads=1) == 1
    assert len(asked[0]) == 7
    assert np.array_equal(*asked)


@pytest.mark.parametrize("index", [Exact(), IVF(), HNSW()])
def test_what_cannot_be_searched(index):
    search = index.build(POOL)
    for k in (0, 4001):
        with pytest.raises(ValueError, match=f"^{k:,} neighbours were asked of a pool of 4,000; ask for 1 to 4,000$"):
            search(QUERIES, k)
    with pytest.raises(
        ValueError, match=re.escape("the queries have the shape (300, 8), the pool has 16 dimensions: ")
    ):
        search(QUERIES[:, :8], 1)
    spoiled = QUERIES.copy()
    spoiled[[5, 9], 3] = [np.nan, np.inf]
    with pytest.raises(ValueError, match=r"^query 5 is not finite \(2 such\): its encoder is damaged$"):
        search(spoiled, 1)


@pytest.mark.parametrize("index", [Exact(), IVF(), HNSW()])
def test_a_pool_that_cannot_be_searched(index):
    spoiled = POOL.copy()
    spoiled[17, 0] = -np.inf
    with pytest.raises(ValueError, match=r"^row 17 is not finite \(1 such\): its encoder is damaged$"):
        index.build(spoiled)(QUERIES, 1)
    with pytest.raises(
        ValueError, match=r"^the arrays of a pool must be matrices of one width, not \(4, 16\), \(4, 8\)$"
    ):
        index.build([POOL[:4], POOL[:4, :8]])(QUERIES, 1)
    for empty in (POOL[:0], []):
        with pytest.raises(ValueError, match=r"^there is nothing to search: the pool has no rows$"):
            index.build(empty)(QUERIES, 1)


def test_more_lists_than_rows():
    with pytest.raises(ValueError, match=r"^index\.lists: 4,001 lists for 4,000 rows; lower it$"):
        IVF(lists=4001).build(POOL)


@pytest.mark.parametrize("index", [Exact(), IVF(), HNSW()])
def test_thread_counts_are_left_as_they_were(index):
    before = (faiss.omp_get_max_threads(), torch.get_num_threads())
    one, two = (index.build(POOL, threads=threads)(QUERIES, 10) for threads in (1, 2))
    assert (faiss.omp_get_max_threads(), torch.get_num_threads()) == before
    assert np.array_equal(one.rows, two.rows)


@pytest.mark.parametrize("first", ["torch", "babelbatch.search.index"])
def test_faiss_and_torch_in_one_process(first):
    """Both bring an OpenMP. Whichever is loaded first, both work, with two threads, in turns and at the same time."""
    script = (
        f"import {first}\n"
        "import threading, numpy as np, torch\n"
        "from babelbatch.search.index import exact_top_k, IVF\n"
        "torch.set_num_threads(2)\n"
        "pool = np.random.default_rng(0).normal(size=(3000, 64)).astype(np.float32)\n"
        "truth = np.argsort(-(pool[:200].astype('d') @ pool.T.astype('d')), axis=1)[:, :5]\n"
        "def descend():\n"
        "    layer = torch.nn.Linear(64, 64)\n"
        "    for _ in range(20):\n"
        "        layer(torch.from_numpy(pool)).square().mean().backward()\n"
        "    assert torch.isfinite(layer.weight.grad).all()\n"
        "def search():\n"
        "    for _ in range(5):\n"
        "        assert (exact_top_k(pool[:200], 5, pool=pool, threads=2).rows == truth).all()\n"
        "    assert (IVF(lists=10, probes=10).build(pool, threads=2)(pool[:200], 5).rows == truth).all()\n"
        "descend(); search(); descend()\n"
        "beside = threading.Thread(target=descend); beside.start(); search(); beside.join()\n"
        "print(torch.get_num_threads())\n"
    )
    done = python(script)
    assert (done.stdout, done.stderr) == ("2\n", "")


@pytest.mark.parametrize("index", [IVF(lists=20, probes=20, part_rows=900), HNSW(search=2000, part_rows=900)])
def test_an_index_in_parts_that_looks_everywhere_is_exact(index: IVF | HNSW, pools: Path) -> None:
    truth = exact_top_k(QUERIES, 20, pool=POOL)
    for pool in (POOL, [POOL[:800], POOL[800:800], *np.split(POOL[800:], 4)]):
        search = index.build(pool)
        assert list(pools.iterdir()) == []  # nothing that a kill could leave
        found = search(QUERIES, 20)
        assert np.array_equal(found.rows, truth.rows)
        assert found.scores == pytest.approx(truth.scores, abs=1e-6)
        assert measure_recall(search, QUERIES, 20, pool=pool, threads=1) == 1


def test_each_part_has_an_index_of_its_own(pools: Path) -> None:
    """Few lists are probed: what is found is the best of what each part finds."""
    index = IVF(lists=20, probes=2)
    found = replace(index, part_rows=1334).build(POOL, 1)(QUERIES, 30)
    parts = np.split(POOL, [1334, 2667])
    alone = [index.build(part, 1)(QUERIES, 30) for part in parts]
    firsts = (0, 1334, 2667)
    rows = np.hstack(
        [np.where(one.rows == NO_ROW, NO_ROW, one.rows + first) for one, first in zip(alone, firsts, strict=True)]
    )
    scores = np.hstack([one.scores for one in alone])
    order = np.lexsort((rows, -scores), axis=1)[:, :30]
    assert np.array_equal(found.rows, np.take_along_axis(rows, order, axis=1))
    assert np.array_equal(found.scores, np.take_along_axis(scores, order, axis=1))
    one = index.build(POOL, 1)(QUERIES, 30)
    whole = replace(index, part_rows=4000).build(POOL, 1)(QUERIES, 30)
    assert np.array_equal(one.rows, whole.rows)
    assert np.array_equal(one.scores, whole.scores)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any), st.integers(9, 40))
def test_parts_are_whole_arrays_and_no_larger_than_asked(sizes: list[int], part_rows: int) -> None:
    pool = [np.full((size, 2), number, np.float32) for number, size in enumerate(sizes)]
    parts = list(_split(pool, part_rows))
    assert all(0 < sum(map(len, part)) <= part_rows for part in parts)
    assert np.array_equal(np.concatenate([array for part in parts for array in part]), np.concatenate(pool))
    cut = list(_split(np.concatenate(pool), part_rows))
    assert len(cut) == -(-sum(sizes) // part_rows)
    assert max(map(len, cut)) <= part_rows
    assert np.array_equal(np.concatenate(cut), np.concatenate(pool))


def test_parts_smaller_than_an_array_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^index\.part_rows: 1,499 rows are less than one block of the vectors, which "
                       r"has 1,500; set it to 1,500 or more, or leave it out$"):  # fmt: skip
        HNSW(part_rows=1499).build([POOL[:1500], POOL[1500:2000]])
    with pytest.raises(ValueError, match=re.escape("index.lists: 1,500 lists for 1,000 rows; lower it")):
        IVF(lists=1500, part_rows=1000).build(POOL)

"""Ranks, beside sorting, and the metrics made of them, beside pytrec_eval."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from babelbatch.evaluation import ranking
from babelbatch.evaluation.metrics import per_query_metrics
from babelbatch.evaluation.ranking import rank
from babelbatch.evaluation.ranks import Ranks, Top
from babelbatch.evaluation.scorer import scorer
from babelbatch.records import Benchmark

LANGUAGES = ("de", "en", "zh")


def benchmark_of(
    query_languages: list[int], candidate_ids: list[str], candidate_languages: list[int], relevant: list[list[int]]
) -> Benchmark:
    return Benchmark(
        name="small",
        languages=LANGUAGES,
        query_ids=tuple(f"q{query}" for query in range(len(query_languages))),
        query_texts=("",) * len(query_languages),
        query_languages=np.array(query_languages, np.int16),
        candidate_ids=tuple(candidate_ids),
        candidate_texts=("",) * len(candidate_ids),
        candidate_languages=np.array(candidate_languages, np.int16),
        relevant_offsets=np.cumsum([0, *map(len, relevant)]),
        relevant=np.concatenate(relevant).astype(np.int64),
        protocol="made by hand",
    )


def rank_by(benchmark: Benchmark, scores: np.ndarray) -> Ranks:
    """The ranks under given scores: a query is its row of scores, a candidate a unit vector."""
    identity = np.eye(len(benchmark.candidate_ids), dtype=np.float32)
    return rank(benchmark, scores.astype(np.float32), identity, k=1)[0]


def test_by_hand():
    """One German query. Pool: d10 5, d2 4, d3 4, d1 1. Candidates alternate between German and English."""
    benchmark = benchmark_of([0], ["d1", "d2", "d3", "d10"], [0, 1, 0, 1], [[0, 1, 2]])
    found = rank_by(benchmark, np.array([[1, 4, 4, 5]]))
    # d2 ties with d3, and the greater id goes first.
    assert found.in_pool.tolist() == [4, 3, 2]
    # German: d3, d1. English: d10, d2.
    assert found.within_language.tolist() == [2, 2, 1]


def test_ties_go_to_the_greater_id_as_text():
    """'d9' stands before 'd10' before 'd1', whatever the order of rows."""
    benchmark = benchmark_of([0], ["d10", "d1", "d9"], [0, 0, 0], [[0, 1, 2]])
    assert rank_by(benchmark, np.zeros((1, 3))).in_pool.tolist() == [2, 3, 1]


def test_ties_by_code_point_beyond_ascii():
    """'é' comes after 'z', and an id after its own beginning."""
    benchmark = benchmark_of([0], ["é", "z", "zz", "日"], [0, 0, 0, 0], [[0, 1, 2, 3]])
    assert rank_by(benchmark, np.zeros((1, 4))).in_pool.tolist() == [2, 4, 3, 1]


@st.composite
def retrievals(draw) -> tuple[Benchmark, np.ndarray]:
    """Small integer scores, so that most are tied; ids whose order as text is not their order as numbers."""
    count = draw(st.integers(3, 30))
    numbers = draw(st.permutations(range(count)))
    queries = draw(st.integers(1, 5))
    rows = st.lists(st.integers(0, count - 1), min_size=1, max_size=count, unique=True)
    benchmark = benchmark_of(
        draw(st.lists(st.integers(0, 2), min_size=queries, max_size=queries)),
        [f"d{number}" for number in numbers],
        draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)),
        draw(st.lists(rows, min_size=queries, max_size=queries)),
    )
    scores = st.lists(st.integers(0, 3), min_size=count, max_size=count)
    return benchmark, np.array(draw(st.lists(scores, min_size=queries, max_size=queries)))


def relevant_of(benchmark: Benchmark, query: int) -> list[int]:
    bounds = benchmark.relevant_offsets
    return benchmark.relevant[bounds[query] : bounds[query + 1]].tolist()


@given(retrievals())
def test_agrees_with_sorting(retrieval):
    benchmark, scores = retrieval
    found = rank_by(benchmark, scores)
    pool, own = [], []
    for query, line in enumerate(scores):
        best_first = sorted(range(len(line)), key=lambda row: (line[row], benchmark.candidate_ids[row]), reverse=True)
        for row in relevant_of(benchmark, query):
            language = benchmark.candidate_languages[row]
            pool.append(1 + best_first.index(row))
            own.append(1 + [r for r in best_first if benchmark.candidate_languages[r] == language].index(row))
    assert found.in_pool.tolist() == pool
    assert found.within_language.tolist() == own


@given(retrievals())
def test_metrics_agree_with_pytrec_eval(retrieval):
    """In the pool and in every cell; map_cut_20 divides by |R|, our map@20 by what 20 places can hold."""
    benchmark, scores = retrieval
    found = rank_by(benchmark, scores)
    query_of = np.repeat(np.arange(len(scores)), np.diff(benchmark.relevant_offsets))
    query_language = benchmark.query_languages[query_of]
    candidate_language = benchmark.candidate_languages[benchmark.relevant]
    cells = [(row, column) for row in range(3) for column in range(3)]
    for cell in [None, *cells]:
        if cell is None:
            pairs, ranks, pool = np.arange(len(query_of)), found.in_pool, np.arange(len(benchmark.candidate_ids))
        else:
            pairs = np.flatnonzero((query_language == cell[0]) & (candidate_language == cell[1]))
            ranks, pool = found.within_language[pairs], np.flatnonzero(benchmark.candidate_languages == cell[1])
        if len(pairs) == 0:
            continue
        queries, starts = np.unique(query_of[pairs], return_index=True)
        ours = per_query_metrics(ranks, np.append(starts, len(pairs)))
        theirs = by_pytrec_eval(benchmark, scores, queries.tolist(), pool.tolist())
        sizes = np.diff(np.append(starts, len(pairs)))
        assert ours["map"] == pytest.approx(theirs["map"])
        assert ours["recall@1"] == pytest.approx(theirs["recall_1"])
        assert ours["recall@10"] == pytest.approx(theirs["recall_10"])
        assert ours["recall@100"] == pytest.approx(theirs["recall_100"])
        assert ours["ndcg@10"] == pytest.approx(theirs["ndcg_cut_10"])
        assert ours["map@20"] == pytest.approx(np.array(theirs["map_cut_20"]) * sizes / np.minimum(sizes, 20))


def by_pytrec_eval(benchmark: Benchmark, scores: np.ndarray, queries: list[int], pool: list[int]) -> dict[str, list]:
    ids = benchmark.candidate_ids
    qrels = {f"q{query}": {ids[row]: 1 for row in relevant_of(benchmark, query) if row in pool} for query in queries}
    run = {f"q{query}": {ids[row]: float(scores[query, row]) for row in pool} for query in queries}
    measures = {"map", "recall.1,10,100", "map_cut.20", "ndcg_cut.10"}
    found = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    names = ("map", "recall_1", "recall_10", "recall_100", "map_cut_20", "ndcg_cut_10")
    return {name: [found[f"q{query}"][name] for query in queries] for name in names}


def test_blocks_change_nothing(monkeypatch):
    random = np.random.default_rng(0)
    languages = random.integers(0, 3, 50).tolist()
    relevant = [random.choice(50, 4, replace=False).tolist() for _ in range(20)]
    benchmark = benchmark_of([0] * 20, [f"d{row}" for row in range(50)], languages, relevant)
    ids = tuple(f"q{row % 7}" for row in range(20))
    benchmark = replace(benchmark, query_ids=ids, query_languages=np.arange(20, dtype=np.int16) // 7)
    # Small whole numbers: their products are exact, whatever the block.
    queries, candidates = (random.integers(-3, 4, (rows, 8)).astype(np.float32) for rows in (20, 50))
    whole, whole_top = rank(benchmark, queries, candidates, k=10)
    monkeypatch.setattr(ranking, "_LEAST_QUERIES", 1)
    for block in (1, 150, 999):
        monkeypatch.setattr(ranking, "_BLOCK_SCORES", block)
        found, top = rank(benchmark, queries, candidates, k=10)
        for name in Ranks.__slots__:
            assert np.array_equal(getattr(found, name), getattr(whole, name))
        for name in Top.__slots__:
            assert np.array_equal(getattr(top, name), getattr(whole_top, name))


@given(st.sampled_from([1, 3, 10, 99]), retrievals())
def test_the_top_agrees_with_sorting(k, retrieval):
    """Most scores are tied, so who is in is often a matter of ids."""
    benchmark, scores = retrieval
    _, top = rank(benchmark, scores.astype(np.float32), np.eye(scores.shape[1], dtype=np.float32), k)
    for query, line in enumerate(scores):
        best_first = sorted(range(len(line)), key=lambda row: (line[row], benchmark.candidate_ids[row]), reverse=True)
        assert top.candidates[query].tolist() == best_first[:k]
        assert top.scores[query].tolist() == [line[row] for row in best_first[:k]]


def test_versions_of_a_question_score_each_other():
    """Question a is asked in three languages, and twice in German; b once. Blocks of one id do not part them."""
    benchmark = benchmark_of([0, 2, 1, 0, 2], ["d1", "d2", "d3"], [0, 1, 2], [[0]] * 5)
    benchmark = replace(benchmark, query_ids=("a", "b", "a", "a", "a"))
    scores = np.random.default_rng(0).permutation(15).reshape(5, 3)
    _, top = rank(benchmark, scores.astype(np.float32), np.eye(3, dtype=np.float32), k=2)
    assert top.pairs.tolist() == [[0, 2], [0, 4], [2, 3], [2, 4], [3, 4]]  # 0 and 3 are both German
    for (a, b), (of_b_by_a, of_a_by_b) in zip(top.pairs.tolist(), top.across.tolist(), strict=True):
        assert of_b_by_a == scores[a][top.candidates[b]].tolist()
        assert of_a_by_b == scores[b][top.candidates[a]].tolist()


def test_a_question_in_more_languages_than_a_block_holds(monkeypatch):
    monkeypatch.setattr(ranking, "_BLOCK_SCORES", 1)
    monkeypatch.setattr(ranking, "_LEAST_QUERIES", 1)
    benchmark = replace(benchmark_of([0, 1, 2], ["d1", "d2"], [0, 1], [[0]] * 3), query_ids=("a",) * 3)
    _, top = rank(benchmark, np.array([[1, 2], [3, 4], [6, 5]], np.float32), np.eye(2, dtype=np.float32), k=1)
    assert top.candidates.tolist() == [[1], [1], [0]]
    assert top.across.tolist() == [[[2], [4]], [[1], [5]], [[3], [5]]]


def test_blocks_have_many_queries_however_large_the_pool(monkeypatch):
    """Else a product reads all candidates for a few queries: that is how the cost grew faster than the pool."""
    asked = []
    scorer = ranking.scorer

    def counting_scorer(queries, candidates):
        scores_of = scorer(queries, candidates)

        def counted(rows):
            asked.append(len(rows))
            return scores_of(rows)

        return counted

    monkeypatch.setattr(ranking, "scorer", counting_scorer)
    monkeypatch.setattr(ranking, "_BLOCK_SCORES", 1)
    benchmark = benchmark_of([0] * 300, ["d1", "d2"], [0, 1], [[0]] * 300)
    vectors = np.random.default_rng(0).standard_normal((300, 2), np.float32)
    rank(benchmark, vectors, np.eye(2, dtype=np.float32), k=1)
    list(ranking.top_candidates(vectors, np.eye(2, dtype=np.float32), ["d1", "d2"], k=1))
    assert asked == [128, 128, 44] * 2


def test_scores_are_dot_products():
    """The longer vector wins although its angle is worse."""
    benchmark = benchmark_of([0], ["a", "b"], [0, 0], [[0]])
    candidates = np.array([[1, 0], [3, 3]], np.float32)
    assert rank(benchmark, np.array([[1, 0]], np.float32), candidates, k=1)[0].in_pool.tolist() == [2]


def test_equal_vectors_tie_exactly():
    """40 candidates share 3 vectors: rounding in a large matrix product must not rank one before its equal."""
    random = np.random.default_rng(0)
    kinds = random.integers(0, 3, 40)
    vectors = random.normal(size=(3, 384)).astype(np.float32)
    queries = random.normal(size=(30, 384)).astype(np.float32)
    ids = [f"d{number}" for number in random.permutation(40)]
    benchmark = benchmark_of([0] * 30, ids, random.integers(0, 3, 40).tolist(), [list(range(40))] * 30)
    found = rank(benchmark, queries, vectors[kinds], k=1)[0].in_pool.reshape(30, 40)
    for query, line in enumerate(queries @ vectors.T):
        best_first = sorted(range(40), key=lambda row, line=line: (line[kinds[row]], ids[row]), reverse=True)
        assert [best_first.index(row) + 1 for row in range(40)] == found[query].tolist()


def test_equal_vectors_are_found_without_a_second_copy_of_all():
    vectors = np.random.default_rng(0).standard_normal((4_000, 512), np.float32)
    vectors[3_999] = vectors[7]
    tracemalloc.start()
    scores_of = scorer(vectors[:1], vectors)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < vectors.nbytes / 4
    scores = scores_of(np.array([0]))[0]
    assert scores[3_999] == scores[7]


@given(retrievals(), st.integers(1, 40))
def test_sparse_vectors_rank_as_dense_ones(retrieval, block):
    """Small whole numbers: their products are exact, in whatever order they are summed."""
    benchmark, queries = retrieval
    candidates = np.random.default_rng(0).integers(-1, 3, (len(benchmark.candidate_ids), queries.shape[1]))
    dense = [part.astype(np.float32) for part in (queries, candidates)]
    whole = rank(benchmark, *dense, k=10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_BLOCK_SCORES", block * len(candidates))
        patch.setattr(ranking, "_LEAST_QUERIES", 1)
        parts = rank(benchmark, *map(csr_array, dense), k=10)
    for expected, found in zip(whole, parts, strict=True):
        for name in type(expected).__slots__:
            assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_equal_sparse_vectors_tie_exactly():
    """Whatever is between them, and whatever the sums are rounded to."""
    random = np.random.default_rng(0)
    kinds = random.integers(0, 3, 40)
    vectors = csr_array(np.where(random.random((3, 384)) < 0.5, random.normal(size=(3, 384)), 0).astype(np.float32))
    queries = csr_array(random.normal(size=(30, 384)).astype(np.float32))
    benchmark = benchmark_of([0] * 30, [f"d{row}" for row in range(40)], [0] * 40, [list(range(40))] * 30)
    top = rank(benchmark, queries, vectors[kinds], k=40)[1]
    for candidates, scores in zip(top.candidates, top.scores, strict=True):
        assert len(set(zip(kinds[candidates].tolist(), scores.tolist(), strict=True))) == 3

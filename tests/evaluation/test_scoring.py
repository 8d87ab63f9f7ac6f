"""Every metric key of a benchmark small enough for arithmetic."""

from __future__ import annotations

from dataclasses import replace
from math import log2

import numpy as np
import pytest
from scipy.stats import chi2

from babelbatch.evaluation.metrics import MISSED
from babelbatch.evaluation.ranks import Ranks, Top
from babelbatch.evaluation.scoring import score, score_searched
from babelbatch.records import ABSENT, Benchmark

# Question a in German and English, b in English only (with two answers there), c in Chinese only (with an answer in
# German). Nothing is to be found in Chinese for German and English, nor in English for Chinese.
QUERIES = [  # id, language, relevant candidates
    ("a", "de", ["de_a", "en_a"]),
    ("a", "en", ["de_a", "en_a"]),
    ("b", "en", ["en_b", "en_b2"]),
    ("c", "zh", ["zh_c", "de_c"]),
]
CANDIDATES = ("de_a", "de_c", "en_a", "en_b", "en_b2", "zh_c")
# Ranks of the relevant candidates, as if there were many more than these six.
WITHIN_LANGUAGE = [[2, 1], [1, 3], [1, 3], [1, 25]]
IN_POOL = [[5, 1], [2, 6], [1, 4], [3, 30]]
# The first two places of the pool. German a has German c in second place, which English a thinks little of.
FIRST = [["en_a", "de_c"], ["en_a", "en_b"], ["en_b", "en_b2"], ["zh_c", "de_a"]]
FIRST_SCORES = [[0.9, 0.5], [0.8, 0.6], [0.7, 0.6], [0.9, 0.8]]
ACROSS = [[0.9, 0.1], [0.8, 0.3]]  # German a of en_a and en_b; English a of en_a and de_c


def small(languages: tuple[str, ...] = ("de", "en", "zh"), asked: tuple[int, ...] = (0, 1, 2, 3)) -> Benchmark:
    queries = [QUERIES[row] for row in asked]
    return Benchmark(
        name="small",
        languages=languages,
        query_ids=tuple(id_ for id_, _, _ in queries),
        query_texts=tuple(f"{id_} in {language}" for id_, language, _ in queries),
        query_languages=np.array([languages.index(language) for _, language, _ in queries], np.int16),
        candidate_ids=CANDIDATES,
        candidate_texts=CANDIDATES,
        candidate_languages=np.array([languages.index(id_[:2]) for id_ in CANDIDATES], np.int16),
        relevant_offsets=np.cumsum([0, *(len(relevant) for _, _, relevant in queries)]),
        relevant=np.array([CANDIDATES.index(id_) for _, _, relevant in queries for id_ in relevant]),
        protocol="made by hand",
    )


def ranks(asked: tuple[int, ...] = (0, 1, 2, 3)) -> Ranks:
    return Ranks(*(np.concatenate([table[row] for row in asked]) for table in (WITHIN_LANGUAGE, IN_POOL)))


def top(asked: tuple[int, ...] = (0, 1, 2, 3)) -> Top:
    both = {0, 1} <= set(asked)
    return Top(
        candidates=np.array([[CANDIDATES.index(id_) for id_ in FIRST[row]] for row in asked]),
        scores=np.array([FIRST_SCORES[row] for row in asked], np.float32),
        pairs=np.array([[0, 1]] if both else np.empty((0, 2)), np.int64),
        across=np.array([ACROSS] if both else np.empty((0, 2, 2)), np.float32),
    )


TWO = 1 + 1 / log2(3)  # the best that two relevant candidates can gain
CHANCE = chi2.sf(1, 1)  # PEER of two languages with a candidate each, whatever their ranks

EXPECTED = {
    "monolingual": {
        # English: a at 3; b at 1 and 3.
        "map": {"": (1 / 2 + 7 / 12 + 1) / 3, "de": 1 / 2, "en": (1 / 3 + (1 + 2 / 3) / 2) / 2, "zh": 1},
        "map@20": {"": (1 / 2 + 7 / 12 + 1) / 3, "de": 1 / 2, "en": 7 / 12, "zh": 1},
        "mrr@100": {"": (1 / 2 + 2 / 3 + 1) / 3, "de": 1 / 2, "en": (1 / 3 + 1) / 2, "zh": 1},
        "recall@1": {"": (0 + 1 / 4 + 1) / 3, "de": 0, "en": (0 + 1 / 2) / 2, "zh": 1},
        "recall@10": {"": 1, "de": 1, "en": 1, "zh": 1},
        "recall@100": {"": 1, "de": 1, "en": 1, "zh": 1},
        "ndcg@10": {
            "": (1 / log2(3) + (1 / 2 + 1.5 / TWO) / 2 + 1) / 3,
            "de": 1 / log2(3),
            "en": (1 / 2 + 1.5 / TWO) / 2,
            "zh": 1,
        },
    },
    "crosslingual": {
        # A mean over the three cells that have a query, not over six.
        "map": {
            "": (1 + 1 + 1 / 25) / 3, "de": 1, "en": 1, "zh": 1 / 25, "de-en": 1, "en-de": 1, "zh-de": 1 / 25,
        },
        "mrr@100": {
            "": (1 + 1 + 1 / 25) / 3, "de": 1, "en": 1, "zh": 1 / 25, "de-en": 1, "en-de": 1, "zh-de": 1 / 25,
        },
        "map@20": {"": 2 / 3, "de": 1, "en": 1, "zh": 0, "de-en": 1, "en-de": 1, "zh-de": 0},
        "recall@1": {"": 2 / 3, "de": 1, "en": 1, "zh": 0, "de-en": 1, "en-de": 1, "zh-de": 0},
        "recall@10": {"": 2 / 3, "de": 1, "en": 1, "zh": 0, "de-en": 1, "en-de": 1, "zh-de": 0},
        "recall@100": {"": 1, "de": 1, "en": 1, "zh": 1, "de-en": 1, "en-de": 1, "zh-de": 1},
        "ndcg@10": {"": 2 / 3, "de": 1, "en": 1, "zh": 0, "de-en": 1, "en-de": 1, "zh-de": 0},
    },
    "multilingual": {
        # A mean over query languages: the two English queries do not count twice.
        "map": {
            "": (7 / 10 + 7 / 12 + 1 / 5) / 3,
            "de": (1 + 2 / 5) / 2,
            "en": ((1 / 2 + 2 / 6) / 2 + (1 + 2 / 4) / 2) / 2,
            "zh": (1 / 3 + 2 / 30) / 2,
        },
        "map@20": {"": (7 / 10 + 7 / 12 + 1 / 6) / 3, "de": 7 / 10, "en": 7 / 12, "zh": 1 / 3 / 2},
        "mrr@100": {"": (1 + 3 / 4 + 1 / 3) / 3, "de": 1, "en": (1 / 2 + 1) / 2, "zh": 1 / 3},
        "recall@1": {"": (1 / 2 + 1 / 4 + 0) / 3, "de": 1 / 2, "en": 1 / 4, "zh": 0},
        "recall@10": {"": (1 + 1 + 1 / 2) / 3, "de": 1, "en": 1, "zh": 1 / 2},
        "recall@100": {"": 1, "de": 1, "en": 1, "zh": 1},
        "ndcg@10": {
            "": (1 + 1 / log2(6) + (1 / log2(3) + 1 / log2(7) + 1 + 1 / log2(5)) / 2 + 1 / 2) / TWO / 3,
            "de": (1 + 1 / log2(6)) / TWO,
            "en": (1 / log2(3) + 1 / log2(7) + 1 + 1 / log2(5)) / TWO / 2,
            "zh": 1 / 2 / TWO,
        },
        "rank_distance": {"": (4 + 7 / 2 + 27) / 3, "de": 4, "en": (4 + 3) / 2, "zh": 27},
        "rank_distance_normalised": {"": 11.5 / 5, "de": 4 / 5, "en": 3.5 / 5, "zh": 27 / 5},
        # b is answered in English alone, and cannot prefer it.
        "language_preference": {"": 1 / 3, "de": 0, "en": 0, "zh": 1},
        "same_language@10": {"": 2 / 3, "de": 1 / 2, "en": 1, "zh": 1 / 2},
        # The pool is German by a third, English by half, Chinese by a sixth.
        "same_language_lift@10": {"": 6.5 / 3, "de": 3 / 2, "en": 2, "zh": 3},
        "top10_share": {
            "de-de": 1 / 2, "de-en": 1 / 2, "de-zh": 0,
            "en-de": 0, "en-en": 1, "en-zh": 0,
            "zh-de": 1 / 2, "zh-en": 0, "zh-zh": 1 / 2,
        },
        # Of en_a, de_c, en_b German a makes first, second, third, English a first, third, second.
        "mrc@10": {"": 1 / 2, "de": 1 / 2, "en": 1 / 2},
        "peer@100": {"": (2.5 * CHANCE + 0.5) / 3, "de": CHANCE, "en": (CHANCE + 1) / 2, "zh": CHANCE},
    },
}  # fmt: skip
for _metrics in EXPECTED.values():
    _metrics["ndcg@20"] = _metrics["ndcg@10"]  # nothing stands between the tenth place and the twentieth


def test_every_key():
    found = score(small(), ranks(), top()).metrics
    expected = {
        f"small/{setting}/{metric}" + (f"/{part}" if part else ""): value
        for setting, metrics in EXPECTED.items()
        for metric, parts in metrics.items()
        for part, value in parts.items()
    }
    assert found.keys() == expected.keys()
    assert len(found) == 156
    assert found == pytest.approx(expected)
    assert all(type(value) is float for value in found.values())


def test_matrices():
    result = score(small(), ranks(), top())
    nan = np.nan
    assert (result.benchmark, result.languages) == ("small", ("de", "en", "zh"))
    assert result.matrices.keys() == {
        "map", "map@20", "mrr@100", "ndcg@10", "ndcg@20", "recall@1", "recall@10", "recall@100", "top10_share",
    }  # fmt: skip
    np.testing.assert_allclose(result.matrices["map"], [[1 / 2, 1, nan], [1, 7 / 12, nan], [1 / 25, nan, 1]])
    np.testing.assert_allclose(result.matrices["recall@1"], [[0, 1, nan], [1, 1 / 4, nan], [0, nan, 1]])
    np.testing.assert_allclose(result.matrices["top10_share"], [[1 / 2, 1 / 2, 0], [0, 1, 0], [1 / 2, 0, 1 / 2]])


def test_per_query():
    table = score(small(), ranks(), top()).per_query
    assert table.column_names == [
        "benchmark", "setting", "query_id", "cluster", "query_language", "candidate_language", "relevant",
        "map", "map@20", "mrr@100", "ndcg@10", "ndcg@20", "recall@1", "recall@10", "recall@100",
        "rank_distance", "rank_distance_normalised",
        "language_preference", "same_language@10", "mrc@10", "peer@100",
    ]  # fmt: skip
    assert set(table["benchmark"].to_pylist()) == {"small"}
    assert table["relevant"].to_pylist() == [1, 1, 1, 1, 2, 1, 1, 2, 2, 2, 2]
    rows = list(
        zip(
            *(table[name].to_pylist() for name in table.column_names[1:] if name not in {"cluster", "relevant"}),
            strict=True,
        )
    )
    mono, cross, pool = "monolingual", "crosslingual", "multilingual"
    none = (None,) * 6
    fifth = 1 / log2(6)
    # map, map@20, mrr@100, nDCG at 10 and at 20, recall at 1, 10 and 100; then those of the pool.
    expected = [
        (mono, "a", "de", "de", 1 / 2, 1 / 2, 1 / 2, 1 / log2(3), 0, 1, 1, *none),
        (cross, "a", "de", "en", 1, 1, 1, 1, 1, 1, 1, *none),
        (cross, "a", "en", "de", 1, 1, 1, 1, 1, 1, 1, *none),
        (mono, "a", "en", "en", 1 / 3, 1 / 3, 1 / 3, 1 / 2, 0, 1, 1, *none),
        (mono, "b", "en", "en", 5 / 6, 5 / 6, 1, 1.5 / TWO, 1 / 2, 1, 1, *none),
        (cross, "c", "zh", "de", 1 / 25, 0, 1 / 25, 0, 0, 0, 1, *none),
        (mono, "c", "zh", "zh", 1, 1, 1, 1, 1, 1, 1, *none),
        (pool, "a", "de", None, 7 / 10, 7 / 10, 1, (1 + fifth) / TWO, 1 / 2, 1, 1, 4, 4 / 5, 0, 1 / 2, 1 / 2, CHANCE),
        (pool, "a", "en", None, 5 / 12, 5 / 12, 1 / 2, (TWO - 1 + 1 / log2(7)) / TWO, 0, 1, 1,
         4, 4 / 5, 0, 1, 1 / 2, CHANCE),
        (pool, "b", "en", None, 3 / 4, 3 / 4, 1, (1 + 1 / log2(5)) / TWO, 1 / 2, 1, 1, 3, 3 / 5, None, 1, None, 1),
        (pool, "c", "zh", None, 1 / 5, 1 / 6, 1 / 3, 1 / 2 / TWO, 0, 1 / 2, 1, 27, 27 / 5, 1, 1 / 2, None, CHANCE),
    ]  # fmt: skip
    expected = [(*row[:8], row[7], *row[8:]) for row in expected]  # nDCG@20 is nDCG@10
    assert [row[:4] for row in rows] == [row[:4] for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        assert row[4:] == pytest.approx(wanted[4:])


def test_the_mean_of_the_table_is_the_metric():
    result = score(small(), ranks(), top())
    table = result.per_query.to_pylist()
    english = [row["map"] for row in table if (row["setting"], row["query_language"]) == ("multilingual", "en")]
    assert np.mean(english) == pytest.approx(result.metrics["small/multilingual/map/en"])


def test_the_order_of_languages_changes_no_metric():
    assert score(small(("zh", "en", "de")), ranks(), top()).metrics == pytest.approx(
        score(small(), ranks(), top()).metrics
    )


def test_a_language_that_is_only_searched():
    """Chinese has a candidate but asks nothing: no key for it, and no part in a mean."""
    asked = (0, 1, 2)
    found = score(small(asked=asked), ranks(asked), top(asked)).metrics
    assert not [key for key in found if "/zh" in key]  # what the others find of it is theirs
    assert found["small/multilingual/map"] == pytest.approx((7 / 10 + 7 / 12) / 2)
    assert found["small/monolingual/map"] == pytest.approx((1 / 2 + 7 / 12) / 2)
    assert found["small/crosslingual/map"] == pytest.approx(1)


def test_nothing_crosses():
    """b is answered in English alone: there is no crosslingual setting to report."""
    found = score(small(asked=(2,)), ranks((2,)), top((2,))).metrics
    assert {key.split("/")[1] for key in found} == {"monolingual", "multilingual"}


def test_gains_by_hand():
    """German a gains 1 with the German answer and 3 with the English one, which is ahead in the pool."""
    graded = replace(small(), gains=np.array([1, 3, 1, 1, 1, 2, 1, 1.0]))
    found = score(graded, ranks(), top()).metrics
    plain = score(small(), ranks(), top()).metrics
    assert found["small/multilingual/ndcg@10/de"] == pytest.approx((3 + 1 / log2(6)) / (3 + 1 / log2(3)))
    assert found["small/multilingual/ndcg@20/de"] == found["small/multilingual/ndcg@10/de"]
    # English b: the candidate at 3 gains 2, the one at 1 gains 1.
    b, best = (1 + 2 / log2(4)), 2 + 1 / log2(3)
    assert found["small/monolingual/ndcg@10/en"] == pytest.approx((1 / 2 + b / best) / 2)
    # In a cell with one answer its gain does not matter; nor does it for what only counts.
    assert found["small/crosslingual/ndcg@10/de-en"] == 1
    changed = {key.split("/")[2] for key in found if found[key] != pytest.approx(plain[key])}
    assert changed == {"ndcg@10", "ndcg@20"}


def test_without_a_pool():
    """There is no multilingual setting; the rest is as it was."""
    result, whole = score(replace(small(), pooled=False), ranks(), top()), score(small(), ranks(), top())
    assert result.metrics == {key: value for key, value in whole.metrics.items() if "/multilingual/" not in key}
    assert set(result.per_query["setting"].to_pylist()) == {"monolingual", "crosslingual"}
    assert result.per_query.schema == whole.per_query.schema
    assert result.matrices.keys() == whole.matrices.keys() - {"top10_share"}


def test_a_question_language_that_is_not_in_the_pool():
    """A Chinese query of German candidates: nothing is in its own language, and nothing can be preferred."""
    benchmark = Benchmark(
        name="b",
        languages=("de", "zh"),
        query_ids=("a",),
        query_texts=("a",),
        query_languages=np.array([1], np.int16),
        candidate_ids=("de_a", "de_b"),
        candidate_texts=("a", "b"),
        candidate_languages=np.array([0, 0], np.int16),
        relevant_offsets=np.array([0, 1]),
        relevant=np.array([0]),
        protocol="made by hand",
    )
    first = Top(np.array([[0, 1]]), np.array([[2, 1]]), np.empty((0, 2), np.int64), np.empty((0, 2, 2)))
    found = score(benchmark, Ranks(np.array([1]), np.array([1])), first)
    assert found.metrics["b/multilingual/top10_share/zh-de"] == 1
    assert found.metrics["b/multilingual/map"] == 1
    undefined = ("language_preference", "same_language@10", "same_language_lift@10", "mrc@10")
    assert not [key for key in found.metrics if any(name in key for name in undefined)]
    assert found.per_query.to_pylist()[-1]["same_language@10"] is None


def test_shares_of_the_places_that_there_are():
    """An index that finds four of one language and one of another in place of ten, and for a query nothing."""
    benchmark = Benchmark(
        name="b",
        languages=("de", "zh"),
        query_ids=("a", "b"),
        query_texts=("a", "b"),
        query_languages=np.array([0, 0], np.int16),
        candidate_ids=tuple("pqrstu"),
        candidate_texts=tuple("pqrstu"),
        candidate_languages=np.array([0, 0, 0, 0, 1, 1], np.int16),
        relevant_offsets=np.array([0, 1, 2]),
        relevant=np.array([0, 1]),
        protocol="made by hand",
    )
    first = np.full((2, 10), ABSENT, np.int64)
    first[0, :5] = range(5)
    found = score_searched(benchmark, Ranks(np.array([1, MISSED]), np.array([1, MISSED])), first, {})
    assert found.metrics["b/multilingual/same_language@10"] == pytest.approx(0.8)
    assert found.metrics["b/multilingual/top10_share/de-zh"] == pytest.approx(0.2)
    assert [row["same_language@10"] for row in found.per_query.to_pylist()[-2:]] == [pytest.approx(0.8), None]


def test_rows_have_the_cluster_of_their_query():
    """What the data says about it, or else a number for each query id."""
    benchmark = small()
    alone = score(benchmark, ranks(), top()).per_query.to_pylist()
    assert len({(row["query_id"], row["cluster"]) for row in alone}) == len({row["query_id"] for row in alone}) == 3
    of_id = dict(zip(dict.fromkeys(benchmark.query_ids), (7, 7, 4), strict=True))
    clusters = np.array([of_id[id_] for id_ in benchmark.query_ids], np.int32)
    found = score(replace(benchmark, clusters=clusters, cluster_unit="article"), ranks(), top())
    assert {(row["query_id"], row["cluster"]) for row in found.per_query.to_pylist()} == set(of_id.items())
    assert benchmark.fingerprint == replace(benchmark, clusters=clusters).fingerprint

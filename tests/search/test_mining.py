"""Which passages may be negatives: by hand, and beside loops over texts and keys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelbatch.batches.negatives import Mined, concatenated
from babelbatch.commands.mine import mined_from
from babelbatch.records import ABSENT, Corpus, same_text
from babelbatch.search.index import exact_top_k
from babelbatch.search.mining import (
    Mining,
    Tally,
    answer_groups,
    choose_negatives,
    search_depth,
    search_pools,
    tally,
    used_queries,
)
from conftest import MakeCorpus

NO_MARGIN = Mining(relative_margin=None)


def test_groups_by_hand(make_corpus):
    """0 and 1 share a key. 2 and 3 are asked the same in German, 3 and 4 answered the same in Chinese but for case and
    spaces: 2, 3 and 4 belong together. 5 stands alone."""
    corpus = make_corpus(6, passage_keys=[7, 7, 1, 2, 3, 4])
    asked, answered = list(corpus.query_texts), list(corpus.passage_texts)
    asked[3 * 3] = asked[2 * 3]
    answered[4 * 3 + 2] = f" {answered[3 * 3 + 2].upper()} \n"
    corpus = replace(corpus, query_texts=tuple(asked), passage_texts=tuple(answered))
    groups = answer_groups(corpus).tolist()
    assert groups[0] == groups[1]
    assert groups[2] == groups[3] == groups[4]
    assert len({groups[0], groups[2], groups[5]}) == 3


def test_an_absent_text_joins_nobody(make_corpus):
    corpus = make_corpus(4, no_query=[(0, "de"), (1, "de")], no_passage=[(2, "zh"), (3, "zh")])
    assert len(set(answer_groups(corpus).tolist())) == 4


def test_plain_text():
    assert same_text("Ｌima \n is  THE capital") == "lima is the capital"
    assert same_text("cafe\u0301") == same_text("Café")
    assert same_text("STRASSE") == same_text("Straße")
    assert same_text("Lima") != same_text("Limas")


def test_pools_by_hand(make_corpus):
    """Item 1 is not asked in English, so German asks for it; item 2 is not answered in English; item 3 asks nothing."""
    corpus = make_corpus(
        4,
        ("de", "en"),
        no_query=[(1, "en"), (3, "de"), (3, "en")],
        no_passage=[(2, "en")],
    )
    groups = answer_groups(corpus)
    german, english = search_pools(corpus, groups, "same")
    assert (german.name, english.name) == ("de", "en")
    assert [corpus.passage_texts[row] for row in english.rows] == ["passage 0 en", "passage 1 en", "passage 3 en"]
    assert english.groups.tolist() == groups[[0, 1, 3]].tolist()
    assert english.items.tolist() == [0, 1]
    assert english.languages.tolist() == [1, 1]
    assert [corpus.query_texts[row] for row in english.queries] == ["question 0 en", "question 1 de"]
    assert english.positives.tolist() == [0, 1]
    assert german.items.tolist() == [0, 1, 2]
    (whole,) = search_pools(corpus, groups, "any")
    assert whole.name == "all"
    assert len(whole.rows) == 7
    assert list(zip(whole.items.tolist(), whole.languages.tolist(), strict=True)) == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0),
    ]  # fmt: skip
    slots = zip(whole.items, whole.languages, strict=True)
    assert whole.rows[whole.positives].tolist() == [corpus.passages[item, language] for item, language in slots]
    assert used_queries([german, english]).tolist() == used_queries([whole]).tolist()


def test_a_pool_has_each_text_once(make_corpus):
    corpus = make_corpus(4, ("de", "en"))
    texts = list(corpus.passage_texts)
    texts[corpus.passages[2, 1]] = texts[corpus.passages[0, 1]]
    corpus = replace(corpus, passage_texts=tuple(texts))
    _, english = search_pools(corpus, answer_groups(corpus), "same")
    assert [texts[row] for row in english.rows] == ["passage 0 en", "passage 1 en", "passage 3 en"]
    assert english.positives.tolist() == [0, 1, 0, 2]
    assert search_depth(english, replace(NO_MARGIN, last_rank=1)) == 2
    assert search_depth(english, replace(NO_MARGIN, last_rank=100)) == 3


SCORES = np.array([[0.9, 0.8, 0.7, 0.6, 0.5, 0.4]])
ANSWERS = np.array([[False, True, False, False, True, False]])


@pytest.mark.parametrize(
    ("settings", "columns"),
    [
        ({}, [0, 2]),
        ({"first_rank": 2}, [2, 3]),
        ({"first_rank": 2, "last_rank": 2}, [2, ABSENT]),
        ({"negatives": 5}, [0, 2, 3, 5, ABSENT]),
        ({"relative_margin": 0.05}, [2, 3]),  # at most 0.76
        ({"relative_margin": 0.2}, [3, 5]),  # at most 0.64
        ({"absolute_margin": 0.25}, [5, ABSENT]),  # at most 0.55
        ({"relative_margin": 0.2, "absolute_margin": 0.05}, [3, 5]),
    ],
)
def test_choice_by_hand(settings, columns):
    chosen, ranks = choose_negatives(
        np.ones((1, 6), bool), SCORES, ANSWERS, np.array([0.8]),
        Mining(**{"negatives": 2, "relative_margin": None, **settings}), np.random.default_rng(0),
    )  # fmt: skip
    assert chosen.tolist() == [columns]
    assert ranks[0, [0, 2, 3, 5]].tolist() == [1, 2, 3, 4]


def test_why_slots_have_no_negatives():
    """Of five slots one is filled, two find no other passage than answers, one has none in the ranks, and one only too
    close ones."""
    found = np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1], [0, 0, 0], [1, 1, 1]], bool)
    answers = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]], bool)
    scores = np.array([[0.9, 0.5, 0.4], [0.9, 0.8, 0.0], [0.9, 0.8, 0.4], [0.0, 0.0, 0.0], [0.9, 0.88, 0.87]])
    positive_scores = np.array([0.9, 0.9, 0.9, 0.2, 0.9], np.float32)
    settings = Mining(first_rank=2, last_rank=2)
    arguments = found, scores, answers, positive_scores, settings, np.random.default_rng(0)
    chosen, ranks = choose_negatives(*arguments)
    assert chosen[:, 0].tolist() == [2, ABSENT, ABSENT, ABSENT, ABSENT]
    counted = tally(found, answers, positive_scores, chosen, ranks, settings)
    assert (counted.slots, counted.only_answers, counted.outside_ranks, counted.too_close) == (5, 2, 1, 1)
    assert counted.positive_scores == pytest.approx(3.8)
    assert counted + Tally() == counted
    assert (counted + counted).slots == 10


def test_a_margin_below_a_negative_score():
    """-0.5 less 10 % of its size is -0.55, not -0.45."""
    assert Mining(relative_margin=0.1).ceiling(np.array([-0.5, 0.5])) == pytest.approx([-0.55, 0.45])
    assert Mining(relative_margin=None).ceiling(np.array([0.5])).tolist() == [np.inf]


def test_random_choices():
    scores = np.broadcast_to(np.linspace(1, 0, 100), (2000, 100))
    settings = Mining(negatives=4, first_rank=11, last_rank=50, relative_margin=None, choice="random")

    def drawn(seed: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        return choose_negatives(scores < 2, scores, scores < 0, np.full(2000, 9.0), settings, random)[0]

    columns = drawn(0)
    assert np.array_equal(columns, drawn(0))
    assert not np.array_equal(columns, drawn(1))
    assert (np.diff(columns, axis=1) > 0).all()
    counts = np.bincount(columns.ravel(), minlength=100)
    assert counts[:10].sum() == counts[50:].sum() == 0
    # 8,000 draws among 40: 200 each, give or take five standard deviations.
    assert abs(counts[10:50] - 200).max() < 5 * np.sqrt(200)


class InMemory:
    """Vectors as `mined_from` reads them."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors

    def take(self, rows: np.ndarray) -> np.ndarray:
        return self.vectors[rows]


def all_mined(corpus: Corpus, queries: np.ndarray, passages: np.ndarray, settings: Mining) -> Mined:
    """queries, passages: the vectors of all texts."""
    parts = []
    for number, pool in enumerate(search_pools(corpus, answer_groups(corpus), settings.languages)):
        own = passages[pool.rows]

        def search(queries: np.ndarray, k: int, own: np.ndarray = own) -> object:
            return exact_top_k(queries, k, pool=own)

        if len(pool.items):
            mined, _ = mined_from(pool, search, InMemory(queries), InMemory(own), pool.queries, settings, number)
            parts.append(mined)
    return concatenated(parts)


@st.composite
def corpora(draw) -> Corpus:
    """Up to nine items in three languages with holes; few keys, and few texts, some of them in several languages."""
    items = draw(st.integers(2, 9))

    def table(texts: int) -> np.ndarray:
        rows = st.lists(st.integers(-1, texts - 1), min_size=3, max_size=3)
        return np.array(draw(st.lists(rows, min_size=items, max_size=items)), np.int32)

    queries, passages = table(12), table(12)
    queries[0, 0] = passages[0, 0] = 0  # something to search
    shape = (items, 3, 0)
    return Corpus(
        name="drawn",
        languages=("de", "en", "zh"),
        ids=tuple(f"i{item}" for item in range(items)),
        query_texts=tuple(f"question {row // 2}" for row in range(12)),
        passage_texts=tuple(f"{'Passage' if row % 2 else 'passage'} {row // 3}" for row in range(12)),
        queries=queries,
        passages=passages,
        passage_keys=np.array(draw(st.lists(st.integers(0, 5), min_size=items, max_size=items)), np.int64),
        negatives=np.empty(shape, np.int32),
        negative_keys=np.empty(shape, np.int64),
    )


@given(corpora(), st.sampled_from(["same", "any"]), st.sampled_from(["best", "random"]), st.integers(0, 3))
def test_no_negative_answers_its_question_in_any_language(corpus, languages, choice, seed):
    random = np.random.default_rng(seed)
    queries, passages = (random.normal(size=(12, 4)).astype(np.float32) for _ in range(2))
    settings = Mining(negatives=4, last_rank=6, languages=languages, choice=choice, relative_margin=None)
    mined = all_mined(corpus, queries, passages, settings)
    for item, language, passage in zip(mined.items, mined.languages, mined.passages, strict=True):
        answering = {other for other in range(len(corpus)) if passage in corpus.passages[other]}
        assert answering
        assert corpus.passage_keys[item] not in corpus.passage_keys[sorted(answering)]
        of_key = corpus.passages[corpus.passage_keys == corpus.passage_keys[item]]
        texts = {corpus.passage_texts[row].casefold() for row in of_key[of_key != ABSENT]}
        assert corpus.passage_texts[passage].casefold() not in texts
        asked = {corpus.query_texts[row] for row in corpus.queries[item] if row != ABSENT}
        for other in answering:
            assert not asked & {corpus.query_texts[row] for row in corpus.queries[other] if row != ABSENT}
        assert corpus.passages[item, language] != ABSENT
        if languages == "same":
            assert passage in corpus.passages[:, language]
    triples = list(zip(mined.items, mined.languages, mined.passages, strict=True))
    assert len(set(triples)) == len(triples)


@pytest.mark.parametrize("languages", ["same", "any"])
def test_agrees_with_a_double_loop(make_corpus: MakeCorpus, languages: str):
    """Fully parallel, two items a key: every slot, every rank, every score, ranks 3 to 8 with a margin."""
    corpus = make_corpus(30, passage_keys=[item // 2 for item in range(30)])
    random = np.random.default_rng(0)
    queries, passages = (random.normal(size=(90, 8)).astype(np.float32) for _ in range(2))
    settings = Mining(negatives=3, first_rank=3, last_rank=8, languages=languages, relative_margin=0.3)
    mined = all_mined(corpus, queries, passages, settings)
    found = list(zip(mined.items, mined.languages, mined.passages, mined.ranks, strict=True))
    expected, scores = [], []
    for item in range(30):
        for language in range(3):
            pool = range(language, 90, 3) if languages == "same" else range(90)
            of_query = {row: float(queries[3 * item + language] @ passages[row]) for row in pool}
            wrong = sorted((row for row in pool if row // 6 != item // 2), key=lambda row: -of_query[row])
            own = of_query[3 * item + language]
            chosen = [
                (item, language, row, rank)
                for rank, row in enumerate(wrong, 1)
                if 3 <= rank <= 8 and of_query[row] <= own - 0.3 * abs(own)
            ][:3]
            expected += chosen
            scores += [(of_query[row], own) for *_, row, _ in chosen]
    assert found == expected
    assert len(found) > 10
    assert mined.scores == pytest.approx(np.array([score for score, _ in scores]), abs=1e-5)
    assert mined.positive_scores == pytest.approx(np.array([own for _, own in scores]), abs=1e-5)

"""A corpus from pairs in memory, against arrays written down by hand."""

from __future__ import annotations

import re

import pytest

from babelbatch.corpora.from_pairs import Pair, corpus_from_pairs
from babelbatch.records import ABSENT

PAIRS = [
    Pair("a", "en", "Q a", "P a", negatives=["wrong", "P b"]),
    Pair("b", "en", "Q b", "P b", passage_id="same"),
    Pair("a", "de", "F a", "A a"),
    Pair("c", "de", "F c", "A c", passage_id="same"),
    Pair("d", "en", "Q d", "P a"),
]


def test_every_field():
    corpus = corpus_from_pairs("mine", iter(PAIRS))
    assert (corpus.name, corpus.languages, corpus.ids) == ("mine", ("en", "de"), ("a", "b", "c", "d"))
    pairs = {
        (id_, language): (corpus.query_texts[asked], corpus.passage_texts[answer])
        for id_, queries, passages in zip(corpus.ids, corpus.queries, corpus.passages, strict=True)
        for language, asked, answer in zip(corpus.languages, queries, passages, strict=True)
        if asked != ABSENT
    }
    assert pairs == {(pair.id, pair.language): (pair.query, pair.passage) for pair in PAIRS}
    key = dict(zip(corpus.ids, corpus.passage_keys.tolist(), strict=True))
    assert key["b"] == key["c"] != key["a"] == key["d"]  # one passage_id; one text
    wrong = corpus.negatives[0, 0]
    assert [corpus.passage_texts[row] for row in wrong] == ["wrong", "P b"]
    assert corpus.negative_keys[0, 0].tolist() == [ABSENT, key["b"]]


def test_it_is_in_memory_and_repeatable():
    one, other = (corpus_from_pairs("mine", PAIRS) for _ in range(2))
    assert one.fingerprint == other.fingerprint
    assert all(type(texts) is tuple for texts in (one.ids, one.query_texts, one.passage_texts))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "pairs of mine: there are none"),
        ([PAIRS[0], Pair("b", "en", " ", "P")], "pairs of mine, line 2: the query is empty; leave the pair out"),
        ([("b", "en", "Q", "P")], "pairs of mine, line 1: it is a tuple; give Pair(id, language, query, passage)"),
        ([Pair("b", "en", None, "P")], "pairs of mine, line 1: the query is None, not a text; give a str"),
        ([Pair("b", "en", "Q", "P", 7)], "pairs of mine, line 1: the passage_id is 7, not a text; give a str"),
        (
            [Pair("b", "en", "Q", "P", negatives="wrong")],
            "pairs of mine, line 1: negatives is wrong, not a list of texts; give a list of str",
        ),
        ([Pair("b", "en", "Q", "")], "pairs of mine, line 1: the passage is empty; leave the pair out"),
    ],
)
def test_refused(pairs, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        corpus_from_pairs("mine", pairs)


def test_an_id_twice_in_a_language():
    with pytest.raises(
        ValueError, match=r"^pairs of mine, line 2: a second .* in 'en' under its id; pairs of mine, line 1"
    ):
        corpus_from_pairs("mine", [Pair("a", "en", "Q", "P"), Pair("a", "en", "R", "S")])

"""When two texts count as the same, and ids that only look equal."""

from __future__ import annotations

import logging
from unicodedata import normalize

import pytest

from babelbatch.benchmarks.leakage import normalised
from babelbatch.corpora import mixture
from babelbatch.corpora.from_pairs import Pair, corpus_from_pairs
from babelbatch.records import same_id, same_text
from babelbatch.search.mining import answer_groups

SPELLINGS = {
    "Unicode form": ("Caf\u00e9", "Cafe\u0301"),
    "no-break space": ("the capital", "the\u00a0capital"),
    "blanks": ("the capital", " the  capital \n"),
    "case": ("STRASSE", "Stra\u00dfe"),
    "Turkish capitals": ("I\u011eDIR \u0130L\u0130", "\u0131\u011fd\u0131r ili"),
    "full width": ("\uff2cima", "lima"),
}


@pytest.mark.parametrize("pair", SPELLINGS.values(), ids=SPELLINGS)
def test_one_normalisation_for_keys_mining_and_leakage(pair):
    one, other = pair
    assert same_text(one) == same_text(other)
    assert normalised(one) == normalised(other)
    negatives = (other, "something else")
    corpus = corpus_from_pairs("a", [Pair("1", "en", "q1", one, negatives=negatives), Pair("2", "en", "q2", other)])
    assert corpus.passage_keys.tolist() == [0, 0]
    assert corpus.negative_keys[0, 0].tolist() == [0, -1]
    assert answer_groups(corpus).tolist() == [0, 0]
    assert len(corpus.passage_texts) == 2 + (one != other)  # the texts stay as they are
    parts = {
        "a": corpus_from_pairs("a", [Pair("1", "en", "q", one)]),
        "b": corpus_from_pairs("b", [Pair("2", "en", "q", other)]),
    }
    assert len(set(mixture.load_corpus(parts).passage_keys.tolist())) == 1


def test_other_texts_stay_apart():
    for one, other in (("Lima", "Limas"), ("a b", "ab"), ("resume", "r\u00e9sum\u00e9")):
        assert same_text(one) != same_text(other)


@pytest.mark.parametrize("other", ["cafe\u0301", "caf\u00e9 ", "caf\u00e9\u00a0"])
def test_ids_that_look_equal_are_shown_with_escapes(other, caplog):
    assert same_id(other) == "caf\u00e9"
    for ids in (("caf\u00e9", other), (other, "caf\u00e9")):
        caplog.clear()
        pairs = [Pair(id_, language, "q", "p") for id_, language in zip(ids, ("en", "de"), strict=True)]
        with caplog.at_level(logging.WARNING):
            assert len(corpus_from_pairs("mine", pairs)) == 2
        line = 1 + ids.index(other)
        assert caplog.messages == [
            f"pairs of mine, line {line}: the id {other!a} looks like 'caf\\xe9' and differs from it in blanks or "
            "Unicode form (1 such ids), so they are different items; give both one spelling"
        ]
    assert normalize("NFC", "cafe\u0301") == "caf\u00e9"

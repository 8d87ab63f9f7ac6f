"""Evaluation questions in a corpus: against a double loop, and at any number of questions."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import replace

import pytest

from asked import asking
from babelbatch.benchmarks import leakage
from babelbatch.benchmarks.leakage import (
    NEAR,
    normalised,
    overlaps,
    refuse_leakage,
    refuse_leaking_validation,
)
from babelbatch.corpora import lareqa
from processes import PEAK, python


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Who wrote 'Emma'?", "whowroteemma"),
        ("  WHO\twrote – Emma ", "whowroteemma"),
        ("Straße № 5…", "strasseno5"),
        ("ＦＵＬＬ　ｗｉｄｔｈ？", "fullwidth"),
        ("Wer ist Jürgen?", "weristjürgen"),
        ("Wer ist Ju\u0308rgen?", "weristjürgen"),
        ("भारत की राजधानी?", "भारतकीराजधानी"),  # vowel signs are no punctuation
        ("C++ or C?", "c++orc"),
        ("?!", "?!"),
        ("？！", "？！"),
    ],
)
def test_normalised(text, plain):
    assert normalised(text) == plain


def test_the_fast_way_for_ascii_is_the_same():
    text = "".join(map(chr, range(128)))
    slow = "".join(c for c in text.casefold() if unicodedata.category(c)[0] not in "PZC")
    assert normalised(text) == slow


def test_the_same_questions_are_counted_and_named():
    benchmark = asking("Who wrote Emma?", "who wrote emma", "Where is Lima?", "Why?")
    (found,) = overlaps(["WHO WROTE EMMA", "Where's Oslo?"], {"asked": benchmark}, near=True)
    assert (found.queries, found.identical, found.near) == (4, 2, 0)
    assert found.examples == (("Who wrote Emma?", "WHO WROTE EMMA", 1.0),)
    assert found.refused


def test_near_questions_are_counted_and_named():
    asked = "Which river flows through the capital of Peru?"
    theirs = "Which river flowed through the capital of Peru?"
    (found,) = overlaps([theirs, "Who?"], {"asked": asking(asked, "Why?")}, near=True)
    a, b = ({t[i : i + 3] for i in range(len(t) - 2)} for t in map(normalised, (asked, theirs)))
    assert (found.identical, found.near, found.refused) == (0, 1, False)
    assert found.examples == ((asked, theirs, len(a & b) / len(a | b)),)
    (found,) = overlaps([theirs], {"asked": asking(asked)}, near=False)
    assert (found.near, found.examples) == (None, ())


def test_each_benchmark_by_itself():
    first, second = overlaps(["a b", "c"], {"x": asking("A, B!"), "y": asking("d", "C?")}, near=False)
    assert [(found.benchmark, found.identical) for found in (first, second)] == [("x", 1), ("y", 1)]


def test_near_is_a_double_loop():
    """Random questions of a small alphabet, so that all similarities occur, with the bounds met exactly."""
    draw = random.Random(3)
    words = ["".join(draw.choices("abcd", k=draw.randint(1, 5))) for _ in range(14)]
    texts = ["".join(draw.choices(words, k=draw.randint(1, 9))) for _ in range(900)]
    texts += [text[: draw.randint(1, len(text))] + draw.choice("abcd") for text in texts]
    asked, corpus = texts[::2], texts[1::2]
    index = leakage._NearIndex(dict.fromkeys(asked))
    grams = {text: {text[i : i + 3] for i in range(max(1, len(text) - 2))} for text in texts}
    hits = at_the_bound = 0
    for text in corpus:
        expected = {}
        for other in set(asked):
            similarity = len(grams[text] & grams[other]) / len(grams[text] | grams[other])
            if similarity >= NEAR:
                expected[other] = similarity
                at_the_bound += similarity == NEAR
        assert dict(index.find(text)) == expected
        hits += len(expected)
    assert hits > 400
    assert at_the_bound > 5


def test_one_in_a_hundred_is_refused(make_corpus):
    corpus = make_corpus(12)
    asked = [f"other {number}" for number in range(199)]
    refuse_leakage(corpus, {"asked": asking(*asked, "question 3 de")})  # 1 of 200
    refuse_leakage(corpus, {"asked": asking(*asked[:-1], "Question 3: de?", "QUESTION 3 EN")})  # 2 of 200
    message = (
        "3 of the 200 queries of benchmark asked are in the corpus hand-made, apart from case, punctuation and spaces: "
        "its scores would not measure generalisation; choose another, or set train_on_test=true"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        refuse_leakage(corpus, {"asked": asking(*asked[:-2], "Question 3: de?", "QUESTION 3 EN", "question 4 zh!")})


def test_the_comparison_is_shown(make_corpus, works):
    corpus = make_corpus(12)
    refuse_leakage(corpus, {"asked": asking("Who?")})
    assert [(work.description, work.done, work.total) for work in works] == [
        ("looking for evaluation queries in the corpus", 36, 36)
    ]


def test_a_validation_corpus_that_says_nothing_new(make_corpus):
    corpus, other = make_corpus(12), make_corpus(4, ("fr",))
    refuse_leaking_validation(corpus, None, {})
    refuse_leaking_validation(corpus, other, {"asked": asking("question 1 de")})
    shared = replace(other, query_texts=("QUESTION 3: DE", *other.query_texts[1:]))
    message = "1 of the 4 queries of the validation corpus hand-made are in the corpus hand-made, apart "
    with pytest.raises(ValueError, match=f"^{message}"):
        refuse_leaking_validation(corpus, shared, {})
    with pytest.raises(ValueError, match="1 of the 1 queries of benchmark asked are in the corpus hand-made"):
        refuse_leaking_validation(corpus, other, {"asked": asking("Question 1 fr?")})


def test_published_questions(shared_data):
    """XQuAD-R's questions, punctuation aside, in MLQA-R: none. MLQA-R's in itself: all."""
    corpus = lareqa.load_corpus("mlqa_r", str(shared_data / "mlqa-r"))
    asked = asking(*(text.upper().replace("?", " ?") for text in corpus.query_texts))
    other = lareqa.load_corpus("xquad_r", str(shared_data / "xquad-r"))
    same, none = overlaps(corpus.query_texts, {"mlqa_r": asked, "xquad_r": asking(*other.query_texts)}, near=True)
    assert same.identical == len(corpus.query_texts)
    assert (none.identical, none.near) == (0, 0)


_MANY = """
import sys
sys.path.insert(0, sys.argv[1])
from asked import asking
from babelbatch.benchmarks.leakage import overlaps
asked = asking(*(f"In what year was treaty number {n} of the northern towns signed?" for n in range(0, 10_000, 7)))
corpus = (f"in which year was treaty {n} of the southern cities broken" for n in range(300_000))
before = peak()
(found,) = overlaps(corpus, {"asked": asked}, near=True)
print(found.identical, found.near, peak() - before)
"""


@pytest.mark.slow
def test_any_number_of_questions_goes_by(request):
    identical, near, kilobytes = map(int, python(PEAK + _MANY, request.path.parents[1]).stdout.split())
    assert (identical, near) == (0, 0)
    assert kilobytes < 30_000, f"{kilobytes:,} KB"


def test_a_corpus_in_passing(make_corpus):
    """The texts are gone through once: they may be a stream."""
    corpus = make_corpus(5)
    stream = iter(corpus.query_texts)
    (found,) = overlaps(stream, {"asked": replace(asking("question 2 en"))}, near=True)
    assert found.identical == 1
    assert next(stream, None) is None

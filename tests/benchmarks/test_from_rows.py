"""A benchmark from rows in memory, against rows written down by hand."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from babelbatch.benchmarks.from_rows import Judgement, Text, benchmark_from_rows

QUERIES = [Text("a", "en", "Q a"), Text("a", "de", "F a"), Text("b", "en", "Q b"), Text("none", "en", "Q")]
CANDIDATES = [Text("en:a", "en", "P a"), Text("de:a", "de", "A a"), Text("en:b", "en", "P b"), Text("x", "de", "X")]
JUDGEMENTS = [Judgement("a", "en:a"), Judgement("a", "de:a"), Judgement("b", "en:b"), Judgement("b", "x", 0.0)]


def made(queries=QUERIES, candidates=CANDIDATES, judgements=JUDGEMENTS, **options):
    return benchmark_from_rows("mine", iter(queries), iter(candidates), iter(judgements), protocol="by hand", **options)


def test_every_row():
    found = made()
    assert (found.name, found.languages, found.protocol, found.metric, found.pooled) == (
        "mine", ("de", "en"), "by hand", "map", True,
    )  # fmt: skip
    rows = list(zip(found.query_ids, found.query_languages.tolist(), found.query_texts, strict=True))
    assert rows == [("a", 0, "F a"), ("a", 1, "Q a"), ("b", 1, "Q b")]
    assert found.candidate_ids == ("de:a", "x", "en:a", "en:b")
    assert found.candidate_texts == ("A a", "X", "P a", "P b")
    assert found.candidate_languages.tolist() == [0, 0, 1, 1]
    offsets = found.relevant_offsets.tolist()
    relevant = [{found.candidate_ids[row] for row in found.relevant[start:stop]} for start, stop in pairwise(offsets)]
    assert relevant == [{"de:a", "en:a"}, {"de:a", "en:a"}, {"en:b"}]
    assert found.gains is None


def test_grades_are_gains():
    found = made(judgements=[Judgement("a", "en:a", 3.0), Judgement("a", "de:a")], metric="ndcg@10", pooled=False)
    assert found.gains is not None
    assert found.gains.tolist() == [1, 3, 1, 3]
    assert (found.metric, found.pooled) == ("ndcg@10", False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"queries": [Text("a", "en", "")]}, "queries of mine, line 1: the text is empty; leave the query out"),
        ({"queries": [("a", "en", "Q")]}, "queries of mine, line 1: it is a tuple; give Text(id, language, text)"),
        ({"candidates": [Text(1, "en", "P")]}, "candidates of mine, line 1: the id is 1, not a text; give a str"),
        (
            {"judgements": [("a", "en:a")]},
            "judgements of mine, line 1: it is a tuple; give Judgement(query, candidate)",
        ),
        (
            {"judgements": [Judgement("a", "en:a", float("nan"))]},
            "judgements of mine, line 1: the gain is nan, not a finite number; give a float",
        ),
        (
            {"queries": [*QUERIES, QUERIES[0]]},
            "queries of mine, line 5: query 'a' in 'en' again, after queries of mine, line 1; remove one",
        ),
        (
            {"judgements": [Judgement("a", "nothing")]},
            "judgements of mine, line 1: there is no candidate 'nothing'; add it, or remove the row",
        ),
    ],
)
def test_refused(changes, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        made(**changes)

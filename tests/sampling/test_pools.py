"""Bits of availability and pools, against sets of rows found one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelbatch.records import ABSENT, Corpus
from babelbatch.sampling.pools import Availability, FullPool, Pool, _nth_set_bit
from conftest import MakeCorpus, with_tables

BORDERS = [1, 7, 8, 9, 63, 64, 65, 4_097, 32_767, 32_768, 32_769, 70_001]


def gappy(make_corpus: MakeCorpus, items: int, languages: int = 3) -> Corpus:
    """A quarter of the queries and of the passages are absent."""
    corpus = make_corpus(1, tuple(f"l{number}" for number in range(languages)))
    random = np.random.default_rng(items)
    tables = (np.where(random.random((items, languages)) < 0.25, ABSENT, 0).astype(np.int32) for _ in range(2))
    return with_tables(corpus, *tables)


def members(pool: Pool) -> list[int]:
    """All rows of a pool, after a check that it has each once and finds them one at a time as well."""
    rows = pool[np.arange(len(pool))]
    assert len(set(rows.tolist())) == len(pool)
    some = np.arange(len(pool))[:: -max(1, len(pool) // 5)]
    assert np.array_equal(pool[some], rows[some])
    return sorted(rows.tolist())


@pytest.mark.parametrize("items", BORDERS)
@pytest.mark.parametrize("restricted", [False, True])
def test_pools_hold_the_items_that_exist(make_corpus, items, restricted):
    corpus = gappy(make_corpus, items)
    columns = np.array([2, 0])
    rows = np.flatnonzero(np.random.default_rng(0).random(items) < 0.9) if restricted else None
    found = Availability(corpus)
    assert not found.complete

    has_query, has_passage = corpus.queries[:, columns] != ABSENT, corpus.passages[:, columns] != ABSENT
    chosen = np.isin(np.arange(items), np.arange(items) if rows is None else rows)
    both = has_query & has_passage & chosen[:, None]
    for column, pool in enumerate(found.monolingual(columns, rows)):
        assert members(pool) == np.flatnonzero(both[:, column]).tolist()
    assert members(found.any_monolingual(columns, rows)) == np.flatnonzero(both.any(axis=1)).tolist()
    crossing = (has_query[:, 0] & has_passage[:, 1] | has_query[:, 1] & has_passage[:, 0]) & chosen
    assert members(found.crosslingual(columns, rows)) == np.flatnonzero(crossing).tolist()


def test_crosslingual_needs_a_query_and_a_passage_in_different_languages(make_corpus):
    """Every way in which an item can have queries and passages in three languages, 64 of them."""
    ways = np.array([[way >> bit & 1 for bit in range(6)] for way in range(64)]) - 1  # ABSENT or 0
    corpus = replace(make_corpus(64), queries=ways[:, :3].astype(np.int32), passages=ways[:, 3:].astype(np.int32))
    expected = [
        way
        for way in range(64)
        if any(ways[way, one] == 0 == ways[way, 3 + other] for one in range(3) for other in range(3) if one != other)
    ]
    assert members(Availability(corpus).crosslingual(np.arange(3), None)) == expected


@pytest.mark.parametrize("items", [1, 12, 40_000])
def test_a_complete_corpus_needs_no_bits(make_corpus, items):
    corpus = gappy(make_corpus, items)
    corpus = replace(corpus, queries=np.zeros_like(corpus.queries), passages=np.zeros_like(corpus.passages))
    found, columns, rows = Availability(corpus), np.arange(3), np.arange(0, items, 2)
    assert found.complete
    for wanted in (None, rows):
        pools = [*found.monolingual(columns, wanted), found.any_monolingual(columns, wanted)]
        for pool in [*pools, found.crosslingual(columns, wanted)]:
            assert pool is rows or (wanted is None and isinstance(pool, FullPool))
            assert members(pool) == (list(range(items)) if wanted is None else rows.tolist())
    assert len(found.crosslingual(columns[:1], None)) == 0


@pytest.mark.parametrize("table", ["queries", "passages"])
@pytest.mark.parametrize("cell", [(0, 0), (39_999, 2), (32_768, 1)])
def test_one_gap_is_noticed(make_corpus, table, cell):
    corpus = gappy(make_corpus, 40_000)
    tables = {name: np.zeros_like(corpus.queries) for name in ("queries", "passages")}
    tables[table][cell] = ABSENT
    found = Availability(replace(corpus, **tables))
    assert not found.complete
    pools = found.monolingual(np.arange(3), None)
    assert [len(pool) for pool in pools] == [40_000 - (column == cell[1]) for column in range(3)]
    assert cell[0] not in members(pools[cell[1]])


@given(words=st.lists(st.integers(1, 2**64 - 1), min_size=1, max_size=5), data=st.data())
def test_nth_set_bit(words, data):
    places = [[bit for bit in range(64) if word >> bit & 1] for word in words]
    nth = [data.draw(st.integers(0, len(of_word) - 1)) for of_word in places]
    found = _nth_set_bit(np.array(words, np.uint64), np.array(nth))
    assert found.tolist() == [of_word[n] for of_word, n in zip(places, nth, strict=True)]

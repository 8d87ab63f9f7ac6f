"""Corpora and benchmarks check themselves: every field, and the whole message."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import ABSENT, Benchmark, Corpus, MissingRelevant, Mixture, RecordError
from babelbatch.storage import TextWriter, select_texts

CORPUS = Corpus(
    name="mine",
    languages=("en", "de"),
    ids=("a", "b", "c"),
    query_texts=("q0", "q1", "q2", "q3"),
    passage_texts=("p0", "p1", "p2", "p3", "p4"),
    queries=np.array([[0, 1], [2, ABSENT], [3, 3]], np.int32),
    passages=np.array([[0, 1], [2, ABSENT], [3, 3]], np.int32),
    passage_keys=np.array([0, 1, 2]),
    negatives=np.array([[[4], [ABSENT]], [[ABSENT], [ABSENT]], [[0], [1]]], np.int32),
    negative_keys=np.array([[[ABSENT], [ABSENT]], [[ABSENT], [ABSENT]], [[0], [0]]]),
    mixture=Mixture(("one", "two"), (0, 1), 0.5),
)
BENCHMARK = Benchmark(
    name="exam",
    languages=("en", "de"),
    query_ids=("a", "a", "b"),
    query_texts=("qa", "qä", "qb"),
    query_languages=np.array([0, 1, 0], np.int16),
    candidate_ids=("x", "y", "z"),
    candidate_texts=("cx", "cy", "cz"),
    candidate_languages=np.array([0, 1, 1], np.int16),
    relevant_offsets=np.array([0, 2, 3, 4]),
    relevant=np.array([0, 1, 1, 2]),
    protocol="by hand",
    gains=np.array([1.0, 2.0, 1.0, 1.0]),
    pooled=False,
    parts=np.array([0, 0, 1], np.int16),
    metric="map",
    clusters=np.array([3, 3, 0], np.int32),
    cluster_unit="article",
)


def mixture(names: object = ("one", "two"), starts: object = (0, 1), exponent: object = 0.5) -> Mixture:
    return Mixture(names, starts, exponent)  # type: ignore[arg-type]


OF_CORPUS = [
    ("name", "", "corpus, name: is an empty string; give a string that is not empty"),
    ("name", None, "corpus, name: is None; give a string that is not empty"),
    ("languages", ["en", "de"], "languages: is a list; give a tuple of strings"),
    ("languages", (), "languages: there are none; give at least one"),
    ("languages", ("en", ""), "languages: holds an empty string; give strings that are not empty"),
    ("languages", ("en", 1), "languages: holds 1; give strings that are not empty"),
    ("languages", ("en", "en"), "languages: 'en' occurs twice; name each once"),
    ("languages", ("en",), "queries: the shape is (3, 2); 3 ids and 1 languages need (3, 1)"),
    ("ids", "abc", "ids: is the string 'abc'; give a sequence of strings, such as a tuple"),
    ("ids", {1, 2, 3}, "ids: is a set; give a sequence of strings, such as a tuple"),
    ("ids", (), "ids: there are none; a corpus needs an item"),
    ("ids", ("a", 2, "c"), "ids: row 1 is 2; give strings"),
    ("ids", range(3), "ids: row 0 is 0; give strings"),
    ("ids", ("a", "b", "a"), "ids: 'a' occurs twice; ids must be unique"),
    ("ids", ("a", "b"), "queries: the shape is (3, 2); 2 ids and 2 languages need (2, 2)"),
    ("query_texts", None, "query_texts: is None; give a sequence of strings, such as a tuple"),
    ("query_texts", ["q", b"q", "q", "q"], "query_texts: row 1 is a bytes; give strings"),
    ("query_texts", ("q",), "queries: item 'a' in 'de' has 1, but query_texts has 1; use 0 to 0, or ABSENT (-1) for "
     "none"),
    ("passage_texts", 5, "passage_texts: is 5; give a sequence of strings, such as a tuple"),
    ("passage_texts", (), "passages: item 'a' in 'en' has 0, but passage_texts has 0; use no row, as there is none, or "
     "ABSENT (-1) for none"),
    ("queries", CORPUS.queries.tolist(), "queries: is a list; give a numpy array of int32"),
    ("queries", CORPUS.queries.astype(np.int64), "queries: the dtype is int64, not int32; convert it with "
     ".astype(np.int32)"),
    ("queries", CORPUS.queries.T, "queries: the shape is (2, 3); 3 ids and 2 languages need (3, 2)"),
    ("queries", CORPUS.queries[:, 0], "queries: the shape is (3,); 3 ids and 2 languages need (3, 2)"),
    ("queries", CORPUS.queries + 1, "queries: item 'c' in 'en' has 4, but query_texts has 4; use 0 to 3, or ABSENT "
     "(-1) for none"),
    ("queries", CORPUS.queries - 1, "queries: item 'b' in 'de' has -2, but query_texts has 4; use 0 to 3, or ABSENT "
     "(-1) for none"),
    ("passages", CORPUS.passages[:2], "passages: the shape is (2, 2); 3 ids and 2 languages need (3, 2)"),
    ("passages", CORPUS.passages.astype(np.float32), "passages: the dtype is float32, not int32; convert it with "
     ".astype(np.int32)"),
    ("passages", CORPUS.passages + 3, "passages: item 'b' in 'en' has 5, but passage_texts has 5; use 0 to 4, or "
     "ABSENT (-1) for none"),
    ("passage_keys", np.arange(4), "passage_keys: the shape is (4,); 3 ids need (3,)"),
    ("passage_keys", np.arange(3, dtype=np.int32), "passage_keys: the dtype is int32, not int64; convert it with "
     ".astype(np.int64)"),
    ("passage_keys", np.array([0, 1, ABSENT]), "passage_keys: item 'c' has -1, which marks a passage that no item has; "
     "use another number"),
    ("negatives", CORPUS.negatives[:, :, 0], "negatives: the shape is (3, 2); 3 ids and 2 languages need (3, 2, any)"),
    ("negatives", CORPUS.negatives + 1, "negatives: item 'a' in 'en' has 5, but passage_texts has 5; use 0 to 4, or "
     "ABSENT (-1) for none"),
    ("negatives", np.full((3, 2, 2), ABSENT, np.int32), "negative_keys: the shape is (3, 2, 1); negatives of the shape "
     "(3, 2, 2) need (3, 2, 2)"),
    ("negative_keys", None, "negative_keys: is None; give a numpy array of int64"),
    ("negative_keys", CORPUS.negatives, "negative_keys: the dtype is int32, not int64; convert it with "
     ".astype(np.int64)"),
    ("mixture", ("one", "two"), "mixture: is a tuple; give a Mixture or None"),
    ("mixture", mixture(names=["one", "two"]), "mixture.names: is a list; give a tuple of strings"),
    ("mixture", mixture(names=("one", "one")), "mixture.names: 'one' occurs twice; name each once"),
    ("mixture", mixture(starts=(0,)), "mixture.starts: is (0,); give the first item of each of 2 parts, ascending from "
     "0 and below 3"),
    ("mixture", mixture(starts=(0, 3)), "mixture.starts: is (0, 3); give the first item of each of 2 parts, ascending "
     "from 0 and below 3"),
    ("mixture", mixture(starts=(1, 2)), "mixture.starts: is (1, 2); give the first item of each of 2 parts, ascending "
     "from 0 and below 3"),
    ("mixture", mixture(exponent=float("nan")), "mixture.exponent: is nan; give a finite number"),
    ("skipped_rows", 3, "skipped_rows: is 3; give a SkippedRows"),
]  # fmt: skip

OF_BENCHMARK = [
    ("name", 3, "benchmark, name: is 3; give a string that is not empty"),
    ("languages", "en", "languages: is the string 'en'; give a tuple of strings"),
    ("languages", ("en",), "query_languages: query 'a' has 1, but languages has 1; use 0 to 0"),
    ("query_ids", (), "query_ids: there are none; a benchmark needs a query"),
    ("query_ids", ("a", "b"), "query_texts: there are 3 for 2 query_ids; give one for each"),
    ("query_ids", ("a", "b", None), "query_ids: row 2 is None; give strings"),
    ("query_texts", ("q",), "query_texts: there are 1 for 3 query_ids; give one for each"),
    ("query_languages", [0, 1, 0], "query_languages: is a list; give a numpy array of int16"),
    ("query_languages", np.zeros(3, int), "query_languages: the dtype is int64, not int16; convert it with "
     ".astype(np.int16)"),
    ("query_languages", np.zeros(2, np.int16), "query_languages: the shape is (2,); 3 query_ids need (3,)"),
    ("query_languages", np.array([0, 1, -1], np.int16), "query_languages: query 'b' has -1, but languages has 2; use 0 "
     "to 1"),
    ("candidate_ids", ("x", "y", "x"), "candidate_ids: 'x' occurs twice; ids must be unique"),
    ("candidate_ids", (), "candidate_ids: there are none; a benchmark needs a candidate"),
    ("candidate_texts", ("cx",), "candidate_texts: there are 1 for 3 candidate_ids; give one for each"),
    ("candidate_languages", np.array([0, 2, 1], np.int16), "candidate_languages: candidate 'y' has 2, but languages "
     "has 2; use 0 to 1"),
    ("relevant_offsets", np.arange(3), "relevant_offsets: the shape is (3,); 3 query_ids need (4,)"),
    ("relevant_offsets", np.array([0, 1, 2, 3]), "relevant_offsets: they do not ascend from 0 to 4, the length of "
     "relevant; give np.cumsum([0, *counts])"),
    ("relevant_offsets", np.array([0, 3, 2, 4]), "relevant_offsets: they do not ascend from 0 to 4, the length of "
     "relevant; give np.cumsum([0, *counts])"),
    ("relevant_offsets", np.array([1, 2, 3, 4]), "relevant_offsets: they do not ascend from 0 to 4, the length of "
     "relevant; give np.cumsum([0, *counts])"),
    ("relevant_offsets", np.array([0, 2, 4, 4]), "relevant: query 'b' has no relevant candidate (1 such); remove it or "
     "add its answer"),
    ("relevant", np.array([[0, 1, 1, 2]]), "relevant: the shape is (1, 4); the judgements need (any,)"),
    ("relevant", np.array([0, 1, 3, 2]), "relevant: query 'a' has 3, but candidate_ids has 3; use 0 to 2"),
    ("relevant", np.array([0, 1, 1, -1]), "relevant: query 'b' has -1, but candidate_ids has 3; use 0 to 2"),
    ("relevant", np.array([1, 1, 1, 2]), "relevant: query 'a' names candidate 'y' twice; remove one"),
    ("protocol", None, "protocol: is None; give a string that is not empty"),
    ("gains", np.ones(3), "gains: the shape is (3,); 4 relevant need (4,)"),
    ("gains", np.ones(4, int), "gains: the dtype is int64, not float64; convert it with .astype(np.float64)"),
    ("gains", np.array([1, 1, 0, 1.0]), "gains: query 'a' has 0.0; give finite numbers above 0"),
    ("gains", np.array([1, 1, 1, np.nan]), "gains: query 'b' has nan; give finite numbers above 0"),
    ("gains", np.array([1, 1, 1, np.inf]), "gains: query 'b' has inf; give finite numbers above 0"),
    ("pooled", 1, "pooled: is 1; give True or False"),
    ("pooled", True, "parts: they are given, but one pool has no parts; set pooled=False"),
    ("parts", np.zeros(2, np.int16), "parts: the shape is (2,); 3 candidate_ids need (3,)"),
    ("parts", np.array([0, -1, 0], np.int16), "parts: candidate 'y' has -1; number them from 0"),
    ("metric", "", "metric: is an empty string; give a string that is not empty"),
    ("clusters", np.arange(3), "clusters: the dtype is int64, not int32; convert it with .astype(np.int32)"),
    ("clusters", np.array([0, 1, 2], np.int32), "clusters: query 'a' is in clusters 0 and 1; give its rows one number"),
    ("query_tasks", ("t",), "query_tasks: there are 1 for 3 query_ids; give one for each"),
    ("missing", ("a",), "missing: is a tuple; give a MissingRelevant or None"),
    ("missing", MissingRelevant((0,), ("x",), ()), "missing: 1 queries, 1 ids, 0 gains; give one of each"),
    ("missing", MissingRelevant((1, 0), ("x", "y"), (1, 1)), "missing: queries do not ascend from 0 to 2; sort them"),
    ("missing", MissingRelevant((0,), ("x",), (1,), (0, 1)), "missing: 1 queries, 2 languages; give one of each"),
    ("missing", MissingRelevant((0,), ("x",), (1,), (9,)), "missing: languages are not between -1 and 1; mend them"),
    ("missing", MissingRelevant((3,), ("x",), (1,)), "missing: queries do not ascend from 0 to 2; sort them"),
    ("missing", MissingRelevant((0,), ("x",), (0,)), "missing: a gain is not above 0; give finite numbers above 0"),
    ("excluded", np.zeros(2, np.int64), "excluded: the shape is (2,); 3 query_ids need (3,)"),
    ("excluded", np.array([2, 2, 2]), "excluded: query 'b' excludes a relevant candidate; drop one"),
    ("skipped_rows", None, "skipped_rows: is None; give a SkippedRows"),
    ("cluster_unit", None, "cluster_unit: is None; give a string that is not empty"),
]  # fmt: skip


@pytest.mark.parametrize(("record", "field", "value", "message"),
    [(CORPUS, *case) for case in OF_CORPUS] + [(BENCHMARK, *case) for case in OF_BENCHMARK],
)  # fmt: skip
def test_a_wrong_field_is_named(record, field, value, message):
    kind = type(record).__name__.lower()
    with pytest.raises(RecordError) as error:
        replace(record, **{field: value})
    expected = message if message.startswith(f"{kind}, ") else f"{kind} '{record.name}', {message}"
    assert str(error.value) == expected


def test_every_field_has_a_case():
    assert {case[0] for case in OF_CORPUS} == {part.name for part in fields(Corpus)}
    assert {case[0] for case in OF_BENCHMARK} == {part.name for part in fields(Benchmark)}


class Listed:
    """A sequence that counts how often it is read, as texts on disk are."""

    def __init__(self, texts):
        self.texts, self.read = texts, 0

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, row):
        self.read += 1
        return self.texts[row]


def test_texts_on_disk_are_not_read():
    ids, queries, passages = (Listed(value) for value in (CORPUS.ids, CORPUS.query_texts, CORPUS.passage_texts))
    replace(CORPUS, ids=ids, query_texts=queries, passage_texts=passages)
    assert (ids.read, queries.read, passages.read) == (1, 1, 1)


@pytest.mark.parametrize("row", [0, 131_071, 131_072, 299_999])
def test_a_fault_in_any_block_is_found(row):
    """A block has 131,072 rows of two languages."""
    items = 300_000
    ids = [str(number) for number in range(items)]
    table = np.zeros((items, 2), np.int32)
    none = np.empty((items, 2, 0), np.int32)
    whole = replace(
        CORPUS, ids=ids, queries=table, passages=table, passage_keys=np.arange(items), mixture=None, negatives=none,
        negative_keys=none.astype(np.int64),
    )  # fmt: skip
    wrong = table.copy()
    wrong[row, 1] = 9
    with pytest.raises(RecordError, match=f"^corpus 'mine', passages: item '{row}' in 'de' has 9, but"):
        replace(whole, passages=wrong)


@pytest.mark.parametrize("fault", [None, 0, 149_999, 150_000, 299_999])
def test_a_repeated_answer_is_found_in_any_block(fault):
    """Two answers a query, the second before the first, which needs sorting; a block ends between queries."""
    queries = 300_000
    relevant = np.tile([1, 0], queries)
    if fault is not None:
        relevant[2 * fault] = 0
    parts = {
        "query_ids": [str(row) for row in range(queries)], "query_texts": ["?"] * queries,
        "query_languages": np.zeros(queries, np.int16), "relevant_offsets": np.arange(queries + 1) * 2,
        "relevant": relevant, "gains": None, "clusters": None,
    }  # fmt: skip
    if fault is None:
        assert len(replace(BENCHMARK, **parts).relevant) == 600_000
        return
    with pytest.raises(RecordError, match=f"^benchmark 'exam', relevant: query '{fault}' names candidate 'x' twice;"):
        replace(BENCHMARK, **parts)


def test_a_builder_that_stores_a_wrong_table_is_told_so_and_a_damaged_one_to_remove_it(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path))
    row = 3

    def build(folder):
        for file in ("ids.txt", "queries.txt", "passages.txt"):
            writer = TextWriter(folder / file)
            writer.append("text")
            writer.close()
            select_texts(folder / file)
        tables = {"queries": np.full((1, 1), row, np.int32), "passages": np.zeros((1, 1), np.int32)}
        tables |= {"negatives": np.empty((1, 1, 0), np.int32), "negative_keys": np.empty((1, 1, 0), np.int64)}
        for name, table in (tables | {"passage_keys": np.zeros(1, np.int64)}).items():
            np.save(folder / f"{name}.npy", table)
        return ["en"]

    message = (
        "corpus 'mine', queries: item 'text' in 'en' has 3, but query_texts has 1; use 0 to 0, or ABSENT (-1) for none"
    )
    with pytest.raises(RecordError) as error:
        stored_corpus("mine", {}, build)
    assert str(error.value) == message
    row = 0
    stored_corpus("mine", {}, build)
    (file,) = tmp_path.rglob("queries.npy")
    np.save(file, np.full((1, 1), 3, np.int32))
    assert stored_corpus("mine", {}, build).query_texts[0] == "text"

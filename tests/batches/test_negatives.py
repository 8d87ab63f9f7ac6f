"""The table of mined negatives: written, read, refused, and joined to a corpus."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from babelbatch.batches.negatives import _META, Mined, concatenated, read_negatives, with_negatives, write_negatives
from babelbatch.records import ABSENT, Corpus
from conftest import MakeCorpus


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    """Six items in de, en, zh; 0 and 1 share a key. Passage p of the corpus belongs to item p // 3, language p % 3."""
    return make_corpus(6, passage_keys=[0, 0, 1, 2, 3, 4])


def mined(*rows: tuple[int, int, int]) -> Mined:
    """rows: (item, language, passage)."""
    items, languages, passages = np.array(rows, np.int64).reshape(-1, 3).T
    ranks = np.arange(1, len(rows) + 1, dtype=np.int32)
    scores = np.linspace(0.5, 0.1, len(rows), dtype=np.float32)
    return Mined(items, languages, passages.astype(np.int32), ranks, scores, scores + 0.3)


SOME = mined((0, 1, 7), (0, 1, 10), (2, 0, 0), (5, 2, 14))


def assert_same(one: Mined, other: Mined) -> None:
    for field in fields(Mined):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        assert ours.tolist() == theirs.tolist(), field.name


def test_what_is_written_is_read(corpus, tmp_path):
    write_negatives(tmp_path / "n.parquet", corpus, SOME, {"encoder": "e"})
    assert_same(read_negatives(tmp_path / "n.parquet", corpus), SOME)
    table = pq.read_table(tmp_path / "n.parquet")
    assert table["id"].to_pylist() == ["item0", "item0", "item2", "item5"]
    assert table["language"].to_pylist() == ["en", "en", "de", "zh"]
    assert table["passage_id"].to_pylist() == ["item2", "item3", "item0", "item4"]
    metadata = table.schema.metadata[b"babelbatch"].decode()
    assert f'"fingerprint": "{corpus.fingerprint}"' in metadata
    assert '"encoder": "e"' in metadata
    assert [path.name for path in tmp_path.iterdir()] == ["n.parquet"]


def test_an_empty_table(corpus, tmp_path):
    write_negatives(tmp_path / "n.parquet", corpus, mined(), {})
    found = read_negatives(tmp_path / "n.parquet", corpus)
    assert len(found) == 0
    assert with_negatives(corpus, found, np.zeros(6, bool)).negatives.shape == (6, 3, 0)


def test_parts_are_put_in_order():
    one, other = mined((2, 0, 0), (0, 1, 7)), mined((2, 1, 3), (0, 1, 10))
    assert concatenated([one, other]).passages.tolist() == [7, 10, 0, 3]


def test_another_corpus_is_refused(corpus, make_corpus, tmp_path):
    write_negatives(tmp_path / "n.parquet", corpus, SOME, {})
    other = make_corpus(6)
    message = (
        f"{tmp_path / 'n.parquet'} was mined from the corpus hand-made with the fingerprint {corpus.fingerprint}, but "
        f"this run's corpus is hand-made with {other.fingerprint}; mine it again from this run's corpus, or train on "
        "that one"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_negatives(tmp_path / "n.parquet", other)


def refused(path: Path, corpus: Corpus) -> str:
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        read_negatives(path, corpus)
    return str(caught.value).removeprefix(str(path))


def test_files_that_are_something_else(corpus, tmp_path):
    path = tmp_path / "n.parquet"
    path.write_bytes(b"no table")
    assert re.fullmatch(" is not a table of hard negatives, or damaged (.*); mine it again", refused(path, corpus))
    pq.write_table(pa.table({"id": ["item0"]}), path)
    assert refused(path, corpus) == " was not written by babelbatch-mine; mine it again"
    write_negatives(path, corpus, SOME, {})
    table = pq.read_table(path)
    pq.write_table(table.drop_columns("rank"), path)
    assert refused(path, corpus) == " lacks the column 'rank'; mine it again"
    meta = {b"babelbatch": table.schema.metadata[b"babelbatch"].replace(b'"format": 1', b'"format": 2')}
    pq.write_table(table.replace_schema_metadata(meta), path)
    assert refused(path, corpus) == " is of format 2, this babelbatch reads 1; mine it again"


def test_every_damaged_byte_is_noticed(corpus, tmp_path):
    """Cut short, or with one bit flipped anywhere, the table is refused, or read as it was: never read otherwise."""
    path = tmp_path / "n.parquet"
    write_negatives(path, corpus, SOME, {})
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        refused(path, corpus)
    named = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            assert_same(read_negatives(path, corpus), SOME)
        except ValueError as error:
            named += ", rows 0 to 3: damaged" in str(error)
    assert named > 10


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("id", "item9", "there is no item 'item9' in the corpus"),
        ("language", "fr", "there is no language 'fr' in the corpus"),
        ("passage", -2, "passage -2 is not one of the corpus's items'"),
        ("passage", 18, "passage 18 is not one of the corpus's items'"),
        ("passage", 8, "passage 8 answers item 'item2' itself"),
        ("id", "item1", "passage 0 answers item 'item1' itself"),
        ("passage", None, "no passage"),
        ("score", float("nan"), "the score is not finite"),
        ("rank", None, "no rank"),
    ],
)
def test_rows_that_cannot_be(corpus, tmp_path, column, value, message):
    path = tmp_path / "n.parquet"
    write_negatives(path, corpus, SOME, {})
    table = pq.read_table(path)
    values = table[column].to_pylist()
    values[2] = value
    kind = table.schema.field(column).type
    plain = pa.array(values, kind.value_type if pa.types.is_dictionary(kind) else kind)
    changed = table.set_column(table.schema.get_field_index(column), column, plain)
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), path)
    assert refused(path, corpus) == f", row 2: {message} (1 such rows); mine it again"


def test_a_row_twice(corpus, tmp_path):
    write_negatives(tmp_path / "n.parquet", corpus, mined((0, 1, 7), (2, 0, 0), (0, 1, 7)), {})
    assert refused(tmp_path / "n.parquet", corpus) == (
        ", row 2: passage 7 was there before for 'item0' in 'en' (1 such rows); mine it again"
    )


def test_a_passage_that_is_missing(make_corpus, tmp_path):
    corpus = make_corpus(6, no_passage=[(2, "de")])
    write_negatives(tmp_path / "n.parquet", corpus, SOME, {})
    assert "row 2: item 'item2' has no passage in 'de'" in refused(tmp_path / "n.parquet", corpus)


def test_joined_by_hand(corpus):
    joined = with_negatives(corpus, SOME, np.zeros(6, bool))
    assert joined.negatives.shape == joined.negative_keys.shape == (6, 3, 2)
    assert joined.negatives[0, 1].tolist() == [7, 10]
    assert joined.negative_keys[0, 1].tolist() == [1, 2]
    assert joined.negatives[2, 0].tolist() == [0, ABSENT]
    assert joined.negative_keys[2, 0].tolist() == [0, ABSENT]
    assert joined.negative_keys[5, 2].tolist() == [3, ABSENT]
    assert (joined.negatives != ABSENT).sum() == 4
    assert np.array_equal(joined.passages, corpus.passages)


def test_joined_behind_the_corpus_s_own(make_corpus):
    """Item 1 has the passages 21 and 22 as negatives in German; the second of them is mined as well."""
    corpus = make_corpus(6, negatives=2)
    own = corpus.negatives[1, 0].tolist()
    assert ABSENT not in own
    corpus.passages[5, 0] = own[1]  # somebody's passage too
    joined = with_negatives(corpus, mined((1, 0, own[1]), (1, 0, 9), (4, 2, 1)), np.zeros(6, bool))
    assert joined.negatives[1, 0].tolist() == [*own, 9]
    assert joined.negative_keys[1, 0].tolist() == [*corpus.negative_keys[1, 0].tolist(), 3]
    assert joined.negatives[4, 2].tolist()[2:] == [1]


def test_held_out_items_get_none(corpus):
    joined = with_negatives(corpus, SOME, np.arange(6) == 2)
    assert (joined.negatives[2] == ABSENT).all()
    assert joined.negatives[0, 1].tolist() == [7, 10]
    assert (joined.negatives != ABSENT).sum() == 3


def test_the_order_of_rows_is_kept(corpus):
    rows = [(0, 1, 7), (2, 0, 0), (0, 1, 16), (2, 0, 9), (0, 1, 13)]
    joined = with_negatives(corpus, mined(*rows), np.zeros(6, bool))
    assert joined.negatives[0, 1].tolist() == [7, 16, 13]
    assert joined.negatives[2, 0].tolist() == [0, 9, ABSENT]
    assert replace(joined, negatives=corpus.negatives, negative_keys=corpus.negative_keys).fingerprint == (
        corpus.fingerprint
    )


def test_passages_that_a_language_fraction_removed_are_left_out(corpus, caplog):
    """Without a passage key they would be wrong answers beside their translations, and trained on though held out."""
    reduced = replace(corpus, passages=corpus.passages.copy())
    reduced.passages[[0, 3], 1] = ABSENT  # the English passages 1 and 10
    rows = mined((0, 1, 7), (2, 1, 10), (2, 1, 13), (4, 0, 1), (5, 2, 10), (3, 2, 0))
    with caplog.at_level("INFO"):
        joined = with_negatives(reduced, rows, np.arange(6) == 5)
    assert joined.negatives[2, 1].tolist() == [13]
    assert joined.negative_keys[2, 1].tolist() == [3]
    assert joined.negatives[3, 2].tolist() == [0]
    assert (joined.negatives != ABSENT).sum() == 2  # item 0 has no English passage any more, item 5 is held out
    assert ((joined.negatives == ABSENT) == (joined.negative_keys == ABSENT)).all()
    assert caplog.messages == [
        "2 of 4 mined hard negatives are passages that language_fraction leaves out; they are not trained on"
    ]
    caplog.clear()
    with_negatives(corpus, rows, np.zeros(6, bool))
    assert caplog.messages == []


@pytest.mark.parametrize("written", [b"[" * 100_000, b"[]", b"{", b'{"format": ' + b"1" * 5_000 + b"}"])
def test_a_manifest_that_babelbatch_did_not_write(corpus, tmp_path, written):
    path = tmp_path / "n.parquet"
    table = pa.table({"id": ["item0"]})
    pq.write_table(table.replace_schema_metadata({_META: written}), path)
    assert refused(path, corpus) == " was not written by babelbatch-mine; mine it again"

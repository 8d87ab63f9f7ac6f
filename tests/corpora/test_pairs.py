"""English question-answer pairs of the hub."""

from __future__ import annotations

import logging
import re

import pytest

from babelbatch.corpora.pairs import PUBLISHED, load_corpus
from babelbatch.records import ABSENT
from corruptions import cut_bytes, emptied, missing
from small_files import write_pairs, write_parquet

PAIRS = [("who?", "Ada."), ("where?", "Here."), ("who?", "Ada Lovelace."), ("what?", "Here.")]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("dataset", PUBLISHED)
def test_the_published_form(tmp_path, caplog, dataset):
    subset, (question, answer, published) = next(iter(PUBLISHED[dataset].subsets.items()))
    write_pairs(tmp_path, PAIRS, (question, answer), subset)
    with caplog.at_level(logging.WARNING):
        corpus = load_corpus(dataset, data_dir=str(tmp_path))
    assert caplog.messages == [f"{dataset}, {subset}: pairs: 4 instead of {published:,}, as published"]
    assert (corpus.name, corpus.languages, list(corpus.ids)) == (dataset, ("en",), ["1", "2", "3", "4"])
    pairs = [
        (corpus.query_texts[question], corpus.passage_texts[passage])
        for question, passage in zip(corpus.queries[:, 0], corpus.passages[:, 0], strict=True)
    ]
    assert pairs == PAIRS
    # Answers to one question have one key, and so has one answer to two questions.
    assert corpus.passage_keys[0] == corpus.passage_keys[2] != corpus.passage_keys[1] == corpus.passage_keys[3]
    assert corpus.negatives.shape == (4, 1, 0)


def test_another_subset_and_a_limit(tmp_path, caplog):
    write_pairs(tmp_path, PAIRS, ("question", "answer"), "title-question-answer-pair")
    with caplog.at_level(logging.WARNING):
        corpus = load_corpus("yahoo_answers", "title-question-answer-pair", str(tmp_path), limit=2)
    assert list(corpus.query_texts) == ["who?", "where?"]
    assert not caplog.messages  # nobody counts what was not read
    assert not (corpus.queries == ABSENT).any()


def test_what_is_fetched_must_be_what_was_published(tmp_path, monkeypatch):
    write_pairs(tmp_path, PAIRS, ("query", "answer"), "pair")
    monkeypatch.setattr("babelbatch.sources.hub.fetch_files", lambda published, patterns: tmp_path)
    with pytest.raises(ValueError, match="nq, pair: pairs: 4 instead of 100,231, as published; remove it and fetch"):
        load_corpus("nq")


def test_a_few_blank_rows_are_left_out(tmp_path, caplog):
    rows = [(f"question {row}?", f"answer {row}") for row in range(200)]
    rows[7], rows[70] = ("question 7?", " "), ("", "answer 70")
    write_pairs(tmp_path, rows, ("query", "answer"), "pair")
    with caplog.at_level(logging.INFO):
        corpus = load_corpus("nq", data_dir=str(tmp_path))
    assert len(corpus) == 198
    assert "nq: 2 of 200 rows are skipped: 1 'answer' is empty, 1 'query' is empty" in caplog.messages


_AGAIN = "copy or download it again"
FAULTS = {  # what is done to the first file, and what stands behind its path in the message
    "missing": (missing, None),
    "empty": (emptied, ", after row 0: damaged Parquet file (Parquet file size is 0 bytes"),
    "cut": (cut_bytes, ", after row 0: damaged Parquet file ("),
    "no rows": ([], f": the file is empty; {_AGAIN}"),
    "no column": ([{"query": "q", "text": "a"}], ", row 1: no 'answer'; there are: query, text"),
    "no text": ([{"query": "q", "answer": None}], ", row 1: 'answer' is null, not a text"),
    "a number": ([{"query": "q", "answer": 3}], ", row 1: 'answer' is 3, not a text"),
    "blank": ([{"query": " ", "answer": "a"}], ", row 1: 'query' is empty; 1 of 2 rows have this fault, too many to"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_corruptions(tmp_path, fault):
    corrupt, message = FAULTS[fault]
    write_pairs(tmp_path, [("q", "a"), ("r", "b")], ("query", "answer"), "pair")
    path = tmp_path / "pair" / "train-00000-of-00002.parquet"
    if fault == "missing":
        missing(path)
        missing(path.with_name("train-00001-of-00002.parquet"))
        message = f"{tmp_path / 'pair' / 'train-*.parquet'}: there is no such file; put the file there, as in https://h"
    elif callable(corrupt):
        corrupt(path)
        message = f"{path}{message}"
    else:
        write_parquet(path, corrupt)
        message = f"{path}{message}"
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        load_corpus("nq", data_dir=str(tmp_path))


def test_names_that_there_are_not(tmp_path):
    with pytest.raises(ValueError, match="dataset 'nqq' is not one of nq, yahoo_answers"):
        load_corpus("nqq")
    with pytest.raises(ValueError, match="subset 'triplet' is not one of pair"):
        load_corpus("nq", "triplet", str(tmp_path))

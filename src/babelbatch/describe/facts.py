"""Counts of a corpus and of a benchmark, as plain dictionaries: what babelbatch-data shows and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from babelbatch.describe.lengths import characters, summary, tokens
from babelbatch.records import ABSENT, Benchmark, Corpus

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder

Facts = dict[str, object]

_ROWS = 1 << 18


def corpus_facts(corpus: Corpus, encoder: Encoder | None, sample: int) -> Facts:
    """What a corpus holds, as a whole and by language.

    pairs: items with both texts in the language (X-X). cells: the same for a question and a passage language, both
    X-X and X-Y. crosslingual_items: those with a question in one language and a passage in another.
    repeated_queries: items whose question another item asks too, in the same language. ambiguous_queries: of those,
    the items where the other's passage has another key, so that each is a wrong answer to the other.
    repeated_pairs: items whose question and passage an earlier item has.
    Lengths are of the texts of items, each as often as items have it.
    """
    cells, crosslingual = _cells(corpus)
    size = {
        "query": characters(corpus.query_texts, "queries"),
        "passage": characters(corpus.passage_texts, "passages"),
    }
    languages = {}
    for column, language in enumerate(corpus.languages):
        queries, passages = np.array(corpus.queries[:, column]), np.array(corpus.passages[:, column])
        both = (queries != ABSENT) & (passages != ABSENT)
        pairs = queries[both].astype(np.int64) << 32 | passages[both]
        asked, ambiguous = _repeated(queries, corpus.passage_keys)
        found: Facts = {
            "queries": int((queries != ABSENT).sum()),
            "passages": int((passages != ABSENT).sum()),
            "pairs": int(both.sum()),
            "negatives": int((np.asarray(corpus.negatives[:, column]) != ABSENT).sum()),
            "repeated_queries": asked,
            "ambiguous_queries": ambiguous,
            "repeated_pairs": len(pairs) - len(np.unique(pairs)),
        }
        for role, rows, texts in (
            ("query", queries, corpus.query_texts),
            ("passage", passages, corpus.passage_texts),
        ):
            rows = rows[rows != ABSENT]
            found[f"{role}_characters"] = summary(size[role][rows])
            if encoder is not None:
                found[f"{role}_tokens"] = tokens(encoder, texts, rows, role, sample)
        languages[language] = found
    return {
        "name": corpus.name,
        "fingerprint": corpus.fingerprint,
        "items": len(corpus),
        "crosslingual_items": crosslingual,
        "passage_keys": len(np.unique(corpus.passage_keys)),
        "negatives_an_item": corpus.negatives.shape[2],
        "languages": languages,
        "cells": _named(cells, corpus.languages),
    }


def benchmark_facts(benchmark: Benchmark, encoder: Encoder | None, sample: int) -> Facts:
    """What a benchmark holds, as a whole and by language.

    cells: queries in one language that have a relevant candidate in the other. relevant: candidates that a query of the
    language has, on average, in all languages. repeated_queries: whose text another id has too, in the same language.
    """
    answers = np.diff(benchmark.relevant_offsets)
    query = np.repeat(np.arange(len(answers)), answers)
    count = len(benchmark.languages)
    seen = np.unique(query * count + benchmark.candidate_languages[benchmark.relevant])
    cells = np.zeros((count, count), np.int64)
    np.add.at(cells, (benchmark.query_languages[seen // count], seen % count), 1)
    size = {
        "query": characters(benchmark.query_texts, "queries"),
        "candidate": characters(benchmark.candidate_texts, "candidates"),
    }
    number: dict[str, int] = {}
    text_of = np.array([number.setdefault(text, len(number)) for text in benchmark.query_texts], np.int64)
    languages = {}
    for column, language in enumerate(benchmark.languages):
        queries = np.flatnonzero(benchmark.query_languages == column)
        candidates = np.flatnonzero(benchmark.candidate_languages == column)
        found: Facts = {
            "queries": len(queries),
            "candidates": len(candidates),
            "relevant": float(answers[queries].mean()) if len(queries) else None,
            "repeated_queries": _repeated(text_of[queries], text_of[queries])[0],
            "query_characters": summary(size["query"][queries]),
            "candidate_characters": summary(size["candidate"][candidates]),
        }
        if encoder is not None:
            found["query_tokens"] = tokens(encoder, benchmark.query_texts, queries, "query", sample)
            found["candidate_tokens"] = tokens(encoder, benchmark.candidate_texts, candidates, "passage", sample)
        languages[language] = found
    return {
        "name": benchmark.name,
        "fingerprint": benchmark.fingerprint,
        "protocol": benchmark.protocol,
        "queries": len(benchmark.query_ids),
        "candidates": len(benchmark.candidate_ids),
        "languages": languages,
        "cells": _named(cells, benchmark.languages),
    }


def _cells(corpus: Corpus) -> tuple[np.ndarray, int]:
    """(L, L) items with a question in the row's language and a passage in the column's; and how many can be X-Y."""
    count = len(corpus.languages)
    cells, crosslingual = np.zeros((count, count), np.int64), 0
    for first in range(0, len(corpus), _ROWS):
        queries = corpus.queries[first : first + _ROWS] != ABSENT
        passages = corpus.passages[first : first + _ROWS] != ABSENT
        cells += (queries.T.astype(np.float32) @ passages.astype(np.float32)).astype(np.int64)  # exact below 2**24
        in_two = (queries | passages).sum(axis=1) > 1
        crosslingual += int((queries.any(axis=1) & passages.any(axis=1) & in_two).sum())
    return cells, crosslingual


def _repeated(texts: np.ndarray, keys: np.ndarray) -> tuple[int, int]:
    """How many of the rows that are not ABSENT have a text that another one has; and of them, how many share it with
    one of another key."""
    present = np.flatnonzero(texts != ABSENT)
    _, group, counts = np.unique(texts[present], return_inverse=True, return_counts=True)
    key = keys[present]
    least, most = np.full(len(counts), np.iinfo(np.int64).max), np.full(len(counts), np.iinfo(np.int64).min)
    np.minimum.at(least, group, key)
    np.maximum.at(most, group, key)
    return int(counts[counts > 1].sum()), int(counts[least != most].sum())


def _named(cells: np.ndarray, languages: tuple[str, ...]) -> dict[str, int]:
    return {
        f"{one}-{other}": int(cells[row, column])
        for row, one in enumerate(languages)
        for column, other in enumerate(languages)
    }

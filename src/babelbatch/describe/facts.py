"""Counts of a corpus and of a benchmark, as dictionaries that JSON can write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

import numpy as np
import numpy.typing as npt

from babelbatch.describe.lengths import Lengths, TokenLengths, characters, summary, tokens
from babelbatch.progress import bar
from babelbatch.records import ABSENT, Benchmark, Corpus

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder

_BLOCK = 1 << 18  # items at a time

Kind = Literal["query", "passage", "candidate"]


class LanguageFacts(TypedDict, total=False):
    """Counts of one language; see `corpus_facts` and `benchmark_facts`. Tokens are counted only with an encoder."""

    queries: int
    passages: int
    candidates: int
    pairs: int
    negatives: int
    relevant: float | None
    repeated_queries: int
    ambiguous_queries: int
    repeated_pairs: int
    query_characters: Lengths | None
    query_tokens: TokenLengths | None
    passage_characters: Lengths | None
    passage_tokens: TokenLengths | None
    candidate_characters: Lengths | None
    candidate_tokens: TokenLengths | None


class Facts(TypedDict):
    """Counts of a corpus or a benchmark. cells: by `<query language>-<passage or candidate language>`. skipped_rows: of
    the source, that were left out."""

    name: str
    skipped_rows: int
    fingerprint: str
    languages: dict[str, LanguageFacts]
    cells: dict[str, int]


class CorpusFacts(Facts):
    items: int
    crosslingual_items: int
    passage_keys: int
    negatives_an_item: int


class BenchmarkFacts(Facts):
    protocol: str
    queries: int
    candidates: int


CHARACTERS: dict[Kind, Literal["query_characters", "passage_characters", "candidate_characters"]] = {
    "query": "query_characters",
    "passage": "passage_characters",
    "candidate": "candidate_characters",
}
TOKENS: dict[Kind, Literal["query_tokens", "passage_tokens", "candidate_tokens"]] = {
    "query": "query_tokens",
    "passage": "passage_tokens",
    "candidate": "candidate_tokens",
}


def corpus_facts(corpus: Corpus, encoder: Encoder | None, sample: int) -> CorpusFacts:
    """Counts of a corpus, in all and by language.

    pairs: items with query and passage in the language (X-X). cells: items with a query in the one language and a
    passage in the other. crosslingual_items: those with a query and a passage in different languages (X-Y).
    repeated_queries: items that share their query with another item, in the same language. ambiguous_queries: those of
    them whose passage has another key, so that each is a false negative of the other. repeated_pairs: items with the
    query and the passage of an earlier item. Characters count a text once for each item that has it, tokens once.

    encoder: also count tokens. sample: of so many distinct texts a language.
    """
    cells, crosslingual = _cells(corpus)
    tasks = corpus.query_tasks()
    query_sizes = characters(corpus.query_texts, "queries")
    passage_sizes = characters(corpus.passage_texts, "passages")
    languages: dict[str, LanguageFacts] = {}
    for column, language in enumerate(corpus.languages):
        queries, passages = np.array(corpus.queries[:, column]), np.array(corpus.passages[:, column])
        both = (queries != ABSENT) & (passages != ABSENT)
        pairs = queries[both].astype(np.int64) << 32 | passages[both]
        repeated, ambiguous = _repeated(queries, corpus.passage_keys)
        facts: LanguageFacts = {
            "queries": int((queries != ABSENT).sum()),
            "passages": int((passages != ABSENT).sum()),
            "pairs": int(both.sum()),
            "negatives": int((np.asarray(corpus.negatives[:, column]) != ABSENT).sum()),
            "repeated_queries": repeated,
            "ambiguous_queries": ambiguous,
            "repeated_pairs": len(pairs) - len(np.unique(pairs)),
        }
        _add_lengths(
            facts, "query", query_sizes, corpus.query_texts, queries[queries != ABSENT], encoder, sample, tasks
        )
        _add_lengths(
            facts, "passage", passage_sizes, corpus.passage_texts, passages[passages != ABSENT], encoder, sample
        )
        languages[language] = facts
    return {
        "name": corpus.name,
        "skipped_rows": corpus.skipped_rows.count,
        "fingerprint": corpus.fingerprint,
        "items": len(corpus),
        "crosslingual_items": crosslingual,
        "passage_keys": len(np.unique(corpus.passage_keys)),
        "negatives_an_item": corpus.negatives.shape[2],
        "languages": languages,
        "cells": _by_name(cells, corpus.languages),
    }


def benchmark_facts(benchmark: Benchmark, encoder: Encoder | None, sample: int) -> BenchmarkFacts:
    """Counts of a benchmark, in all and by language.

    cells: queries in the one language that have a relevant candidate in the other. relevant: mean number of relevant
    candidates of a query, in all languages. repeated_queries: those that share their text with another id, in the same
    language. encoder, sample: as in `corpus_facts`.
    """
    answers = np.diff(benchmark.relevant_offsets)
    query = np.repeat(np.arange(len(answers)), answers)
    count = len(benchmark.languages)
    answered = np.unique(query * count + benchmark.candidate_languages[benchmark.relevant])
    cells = np.zeros((count, count), np.int64)
    np.add.at(cells, (benchmark.query_languages[answered // count], answered % count), 1)
    query_sizes = characters(benchmark.query_texts, "queries")
    candidate_sizes = characters(benchmark.candidate_texts, "candidates")
    number: dict[str, int] = {}
    text_of = np.array([number.setdefault(text, len(number)) for text in benchmark.query_texts], np.int64)
    languages: dict[str, LanguageFacts] = {}
    for column, language in enumerate(benchmark.languages):
        queries = np.flatnonzero(benchmark.query_languages == column)
        candidates = np.flatnonzero(benchmark.candidate_languages == column)
        facts: LanguageFacts = {
            "queries": len(queries),
            "candidates": len(candidates),
            "relevant": float(answers[queries].mean()) if len(queries) else None,
            "repeated_queries": _repeated(text_of[queries], text_of[queries])[0],
        }
        _add_lengths(facts, "query", query_sizes, benchmark.query_texts, queries, encoder, sample, benchmark.name)
        _add_lengths(facts, "candidate", candidate_sizes, benchmark.candidate_texts, candidates, encoder, sample)
        languages[language] = facts
    return {
        "name": benchmark.name,
        "skipped_rows": benchmark.skipped_rows.count,
        "fingerprint": benchmark.fingerprint,
        "protocol": benchmark.protocol,
        "queries": len(benchmark.query_ids),
        "candidates": len(benchmark.candidate_ids),
        "languages": languages,
        "cells": _by_name(cells, benchmark.languages),
    }


def _add_lengths(
    facts: LanguageFacts,
    kind: Kind,
    sizes: npt.NDArray[np.int32],
    texts: Sequence[str],
    rows: npt.NDArray[np.integer],
    encoder: Encoder | None,
    sample: int,
    task: str | npt.NDArray[np.object_] | None = None,
) -> None:
    facts[CHARACTERS[kind]] = summary(sizes[rows])
    if encoder is not None:
        role: Literal["query", "passage"] = "query" if kind == "query" else "passage"
        facts[TOKENS[kind]] = tokens(encoder, texts, rows, role, sample, task)


def _cells(corpus: Corpus) -> tuple[npt.NDArray[np.int64], int]:
    """(L, L) items with a query in the row's language and a passage in the column's; and the number of X-Y items."""
    count = len(corpus.languages)
    cells, crosslingual = np.zeros((count, count), np.int64), 0
    with bar("counting cells", len(corpus)) as progress:
        for first in range(0, len(corpus), _BLOCK):
            queries = corpus.queries[first : first + _BLOCK] != ABSENT
            passages = corpus.passages[first : first + _BLOCK] != ABSENT
            cells += (queries.T.astype(np.float32) @ passages.astype(np.float32)).astype(np.int64)  # exact below 2**24
            in_two = (queries | passages).sum(axis=1) > 1
            crosslingual += int((queries.any(axis=1) & passages.any(axis=1) & in_two).sum())
            progress.advance(len(queries))
    return cells, crosslingual


def _repeated(texts: npt.NDArray[np.integer], keys: npt.NDArray[np.int64]) -> tuple[int, int]:
    """The number of rows that share their text with another row, and of those that share it with one of another key.
    ABSENT is no text."""
    present = np.flatnonzero(texts != ABSENT)
    _, group, counts = np.unique(texts[present], return_inverse=True, return_counts=True)
    key = keys[present]
    least, most = np.full(len(counts), np.iinfo(np.int64).max), np.full(len(counts), np.iinfo(np.int64).min)
    np.minimum.at(least, group, key)
    np.maximum.at(most, group, key)
    return int(counts[counts > 1].sum()), int(counts[least != most].sum())


def _by_name(cells: npt.NDArray[np.int64], languages: tuple[str, ...]) -> dict[str, int]:
    return {
        f"{one}-{other}": int(cells[row, column])
        for row, one in enumerate(languages)
        for column, other in enumerate(languages)
    }

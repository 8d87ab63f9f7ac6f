"""The validation items as a small benchmark, so that hyperparameters can be selected without the test data."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from babelbatch.records import ABSENT, Benchmark, Corpus

NAME = "validation"


def validation_benchmark(corpus: Corpus, items: NDArray[np.int64] | None, most: int) -> Benchmark | None:
    """The queries of at most `most` items, in all their languages, over the passages of these items in all languages.

    items: the validation items; None: all of the corpus. Which of them are in is a function of their ids alone.
    Every passage with the item's passage key is relevant, in every language. Queries of one passage are a cluster.
    None if `most` is 0 or no item has both a query and a passage.
    """
    chosen = _chosen(corpus, np.arange(len(corpus)) if items is None else items, most)
    query_items, query_languages = np.nonzero(corpus.queries[chosen].T != ABSENT)[::-1]
    passage_items, passage_languages = np.nonzero(corpus.passages[chosen].T != ABSENT)[::-1]
    rows = corpus.passages[chosen][passage_items, passage_languages]
    keys = corpus.passage_keys[chosen]
    # A passage that several items share is one candidate.
    _, first = np.unique(np.stack([passage_languages, rows, keys[passage_items]]), axis=1, return_index=True)
    first.sort()
    rows, candidate_languages, candidate_keys = rows[first], passage_languages[first], keys[passage_items[first]]
    answers = [np.flatnonzero(candidate_keys == key) for key in keys]
    answered = np.array([len(answers[item]) > 0 for item in query_items], bool)
    query_items, query_languages = query_items[answered], query_languages[answered]
    if len(query_items) == 0:
        return None
    relevant = [answers[item] for item in query_items]
    clusters = np.unique(keys, return_inverse=True)[1]
    texts = corpus.queries[chosen][query_items, query_languages]
    tasks = corpus.query_tasks()
    return Benchmark(
        name=NAME,
        languages=corpus.languages,
        query_ids=tuple(corpus.ids[int(item)] for item in chosen[query_items]),
        query_texts=tuple(corpus.query_texts[int(row)] for row in texts),
        query_languages=query_languages.astype(np.int16),
        candidate_ids=[
            f"{row}-{corpus.languages[code]}-{key}"
            for row, code, key in zip(rows, candidate_languages, candidate_keys, strict=True)
        ],
        candidate_texts=[corpus.passage_texts[int(row)] for row in rows],
        candidate_languages=candidate_languages.astype(np.int16),
        relevant_offsets=np.cumsum([0, *map(len, relevant)]),
        relevant=np.concatenate(relevant),
        protocol=f"validation items of {corpus.name}",
        clusters=clusters[query_items].astype(np.int32),
        cluster_unit="passage",
        query_tasks=None if tasks is None else tuple(tasks[texts]),
    )


def _chosen(corpus: Corpus, items: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The items with the smallest checksums of their ids, in the order of the corpus."""
    checksums = [zlib.crc32(corpus.ids[int(item)].encode()) for item in items]
    return np.sort(items[np.argsort(checksums, kind="stable")[:most]])

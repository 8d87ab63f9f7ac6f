"""Which of the passages that a search finds are negatives of a question, and which answer it after all."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from babelbatch.records import ABSENT, Corpus


@dataclass(frozen=True)
class Mining:
    """What to mine.

    negatives: of each item and language, at most.
    first_rank, last_rank: what they are drawn from. Rank 1 is the best of the passages that do not answer the question.
    languages: where they come from: `same`: from the passages in the language that they are for; `any`: from those of
        all languages.
    relative_margin: a negative scores at most this share below the positive: 0.05 keeps those up to 95 % of its score,
        as NV-Retriever does (Moreira et al. 2024, TopK-PercPos). What scores higher often answers the question as well.
    absolute_margin: a negative scores at most the positive's score less this. Both margins may be None.
    choice: the best that are left, or random ones of them. seed: of the random choice.
    """

    negatives: int = 5
    first_rank: int = 1
    last_rank: int = 100
    languages: Literal["same", "any"] = "same"
    relative_margin: float | None = 0.05
    absolute_margin: float | None = None
    choice: Literal["best", "random"] = "best"
    seed: int = 0

    def ceiling(self, positive_scores: np.ndarray) -> np.ndarray:
        """The highest score that a negative may have, for each positive's score."""
        ceiling = np.full(positive_scores.shape, np.inf)
        if self.relative_margin is not None:
            ceiling = np.minimum(ceiling, positive_scores - self.relative_margin * np.abs(positive_scores))
        if self.absolute_margin is not None:
            ceiling = np.minimum(ceiling, positive_scores - self.absolute_margin)
        return ceiling


@dataclass(frozen=True, slots=True)
class SearchPool:
    """Passages that are searched together.

    name: of the language, or `all`. rows: (P,) int32 rows of `passage_texts`, one a text.
    groups: (P,) int64, what each of them answers, see `answer_groups`.
    items, languages: (S,) the slots that the pool's passages may become negatives of: an item, and the language of its
        passage. questions: (S,) int32, rows of `query_texts`. positives: (S,) int64, where their own passages are in
        `rows`.
    """

    name: str
    rows: np.ndarray
    groups: np.ndarray
    items: np.ndarray
    languages: np.ndarray
    queries: np.ndarray
    positives: np.ndarray


def answer_groups(corpus: Corpus) -> np.ndarray:
    """(N,) int64: items of one group answer each other's questions, so far as the corpus can tell.

    They share a passage key, the text of a passage or the text of a question, in whatever language; and so do the items
    in between, where there are some (connected components). Texts are compared by `comparable`.
    """
    count = len(corpus)
    sides = [corpus.passage_keys[:, None]]
    for rows, texts in ((corpus.queries, corpus.query_texts), (corpus.passages, corpus.passage_texts)):
        number_of = _numbers(map(comparable, texts))
        sides.append(np.where(rows == ABSENT, ABSENT, number_of[rows]))
    items, nodes, first = [], [], count
    for shared in sides:
        item, column = np.nonzero(shared != ABSENT)
        values, node = np.unique(shared[item, column], return_inverse=True)
        items.append(item)
        nodes.append(node + first)
        first += len(values)
    row, column = np.concatenate(items), np.concatenate(nodes)
    graph = coo_array((np.ones(len(row), bool), (row, column)), shape=(first, first))
    return connected_components(graph, directed=False)[1][:count].astype(np.int64)


def comparable(text: str) -> str:
    """What makes two texts the same: not case, spaces, or the way in which characters are composed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def search_pools(corpus: Corpus, groups: np.ndarray, languages: Literal["same", "any"]) -> list[SearchPool]:
    """One pool a language, or one of all. A pool has the passages of the items, each text once.

    A slot's question is the one in the slot's language; of an item that is not asked in it, the one in the first
    language that it is asked in. Items without any question have no slots.
    """
    asked = corpus.queries != ABSENT
    fallback = corpus.queries[np.arange(len(corpus)), asked.argmax(axis=1)]
    queries = np.where(asked, corpus.queries, fallback[:, None])
    whole = list(range(len(corpus.languages)))
    columns_of = {"all": whole} if languages == "any" else {corpus.languages[column]: [column] for column in whole}
    pools = []
    for name, columns in columns_of.items():
        item, place = np.nonzero(corpus.passages[:, columns] != ABSENT)
        language = np.array(columns)[place]
        passage = corpus.passages[item, language]
        present = np.unique(passage)
        text_of = _numbers(corpus.passage_texts[row] for row in present)
        first = np.unique(text_of, return_index=True)[1]  # of each text, the first row
        positives = text_of[np.searchsorted(present, passage)]
        group_of = np.empty(len(first), np.int64)
        group_of[positives] = groups[item]
        slots = asked[item].any(axis=1)
        pools.append(
            SearchPool(
                name=name,
                rows=present[first].astype(np.int32),
                groups=group_of,
                items=item[slots],
                languages=language[slots],
                queries=queries[item, language][slots],
                positives=positives[slots],
            )
        )
    return pools


def search_depth(pool: SearchPool, settings: Mining) -> int:
    """How many neighbours must be looked at, so that every slot sees `last_rank` of those that do not answer it."""
    answers = np.bincount(pool.groups, minlength=1)[pool.groups[pool.positives]]
    return min(len(pool.rows), settings.last_rank + int(answers.max(initial=0)))


def choose_negatives(
    found: np.ndarray,
    scores: np.ndarray,
    answers: np.ndarray,
    positive_scores: np.ndarray,
    settings: Mining,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Which neighbours become negatives.

    found: (Q, k) bool, whether there is a neighbour. scores: (Q, k), best first. answers: (Q, k) bool, whether it
    answers the question. positive_scores: (Q,).
    Returns (Q, n) columns of the chosen, best first and ABSENT where there are fewer, and (Q, k) ranks from 1, of what
    does not answer.
    """
    wrong = found & ~answers
    ranks = np.cumsum(wrong, axis=1)
    fits = wrong & (ranks >= settings.first_rank) & (ranks <= settings.last_rank)
    fits &= scores <= settings.ceiling(positive_scores)[:, None]
    columns = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    priority = random.random(scores.shape) if settings.choice == "random" else columns
    order = np.argsort(np.where(fits, priority, np.inf), axis=1, kind="stable")[:, : settings.negatives]
    chosen = np.where(np.take_along_axis(fits, order, axis=1), order, scores.shape[1])
    chosen.sort(axis=1)
    return np.where(chosen == scores.shape[1], ABSENT, chosen), ranks


def _numbers(texts: Iterable[str]) -> np.ndarray:
    """Equal texts get equal numbers, counted from 0 in order of first occurrence."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(text, len(number)) for text in texts], np.int64)


def used_queries(pools: Sequence[SearchPool]) -> np.ndarray:
    """The rows of `query_texts` that some slot asks, sorted."""
    return np.unique(np.concatenate([pool.queries for pool in pools]))

"""Chooses hard negatives among the passages that a search finds, without those that answer the query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from babelbatch.progress import bar
from babelbatch.records import ABSENT, Corpus, same_text


@dataclass(frozen=True)
class Mining:
    """What to mine.

    negatives: number per item and language, at most.
    first_rank, last_rank: ranks that they are chosen from. Rank 1 is the best passage that does not answer the query.
    languages: `same`: passages in the language of the positive; `any`: passages in all languages.
    relative_margin: a negative's score is lower than the positive's by at least this share: 0.05 allows up to 95 % of
        it, as NV-Retriever does (Moreira et al. 2024, TopK-PercPos). A passage that scores higher often answers the
        query as well.
    absolute_margin: a negative's score is lower than the positive's by at least this. Both margins may be None.
    choice: the best of those that remain, or random ones. seed: of the random choice.
    """

    negatives: int = 5
    first_rank: int = 1
    last_rank: int = 100
    languages: Literal["same", "any"] = "same"
    relative_margin: float | None = 0.05
    absolute_margin: float | None = None
    choice: Literal["best", "random"] = "best"
    seed: int = 0

    def ceiling(self, positive_scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """The greatest score that a negative may have, for each positive's score."""
        ceiling: NDArray[np.float64] = np.full(positive_scores.shape, np.inf)
        if self.relative_margin is not None:
            ceiling = np.minimum(ceiling, positive_scores - self.relative_margin * np.abs(positive_scores))
        if self.absolute_margin is not None:
            ceiling = np.minimum(ceiling, positive_scores - self.absolute_margin)
        return ceiling


WITHOUT = ("only_answers", "outside_ranks", "too_close")
"""Why a slot has no negatives, see `Tally`."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was searched for, and why slots got no negatives.

    slots: number. positive_scores: their sum over all slots. Slots without negatives: only_answers: every passage found
    answers the query. outside_ranks: none of the others is in the ranks. too_close: those in the ranks score closer to
    the positive than the margins allow.
    """

    slots: int = 0
    positive_scores: float = 0.0
    only_answers: int = 0
    outside_ranks: int = 0
    too_close: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class SearchPool:
    """Passages that are searched together, and the slots that they may become negatives of.

    A slot is an item with the language of its passage.

    name: of the language, or `all`. rows: (P,) int32 rows of `passage_texts`, one per distinct text.
    groups: (P,) int64 answer group of each passage, see `answer_groups`.
    items, languages: (S,) of each slot. queries: (S,) int32 rows of `query_texts`. positives: (S,) int64 place of each
        slot's own passage in `rows`.
    """

    name: str
    rows: NDArray[np.int32]
    groups: NDArray[np.int64]
    items: NDArray[np.int64]
    languages: NDArray[np.int64]
    queries: NDArray[np.int32]
    positives: NDArray[np.int64]


def answer_groups(corpus: Corpus) -> NDArray[np.int64]:
    """(N,) the group of each item. Items of one group answer each other's queries.

    They share a passage key, a passage text or a query text, in any language, directly or through other items
    (connected components). Texts are compared by `records.same_text`.
    """
    count = len(corpus)
    sides = [corpus.passage_keys[:, None]]
    for rows, texts in ((corpus.queries, corpus.query_texts), (corpus.passages, corpus.passage_texts)):
        number_of = _number_texts(map(same_text, texts), len(texts))
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
    groups: NDArray[np.int64] = connected_components(graph, directed=False)[1][:count].astype(np.int64)
    return groups


def search_pools(corpus: Corpus, groups: NDArray[np.int64], languages: Literal["same", "any"]) -> list[SearchPool]:
    """One pool for each language, or one of all, with the passages of the items, each text once.

    The query of a slot is the item's in the slot's language or, if there is none, in its first language that has one.
    Items without a query have no slots.
    """
    has_query = corpus.queries != ABSENT
    fallback = corpus.queries[np.arange(len(corpus)), has_query.argmax(axis=1)]
    queries = np.where(has_query, corpus.queries, fallback[:, None])
    all_columns = list(range(len(corpus.languages)))
    if languages == "any":
        return [_pool(corpus, groups, queries, has_query, "all", all_columns)]
    return [_pool(corpus, groups, queries, has_query, corpus.languages[column], [column]) for column in all_columns]


def _pool(
    corpus: Corpus,
    groups: NDArray[np.int64],
    queries: NDArray[np.int32],
    has_query: NDArray[np.bool_],
    name: str,
    columns: list[int],
) -> SearchPool:
    """The pool of the passages in the languages `columns`. queries: (N, L) rows of the query texts for each slot."""
    item, place = np.nonzero(corpus.passages[:, columns] != ABSENT)
    language = np.array(columns)[place]
    passage = corpus.passages[item, language]
    present = np.unique(passage)
    text_of = _number_texts((corpus.passage_texts[row] for row in present.tolist()), len(present))
    first = np.unique(text_of, return_index=True)[1]  # the first row of each text
    positives = text_of[np.searchsorted(present, passage)]
    group_of = np.empty(len(first), np.int64)
    group_of[positives] = groups[item]
    slots = has_query[item].any(axis=1)
    return SearchPool(
        name=name,
        rows=present[first].astype(np.int32),
        groups=group_of,
        items=item[slots],
        languages=language[slots],
        queries=queries[item, language][slots],
        positives=positives[slots],
    )


def search_depth(pool: SearchPool, settings: Mining) -> int:
    """How many neighbours a search needs so that every slot gets `last_rank` passages that do not answer it."""
    answers = np.bincount(pool.groups, minlength=1)[pool.groups[pool.positives]]
    return min(len(pool.rows), settings.last_rank + int(answers.max(initial=0)))


def choose_negatives(
    found: NDArray[np.bool_],
    scores: NDArray[np.float32],
    answers: NDArray[np.bool_],
    positive_scores: NDArray[np.float32],
    settings: Mining,
    random: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Chooses which neighbours become negatives.

    found: (Q, k) whether there is a neighbour. scores: (Q, k), best first. answers: (Q, k) whether it answers the
    query. positive_scores: (Q,).
    Returns (Q, n) columns of the chosen neighbours, best first, ABSENT where there are fewer; and (Q, k) ranks, from 1,
    among the neighbours that do not answer the query.
    """
    wrong = found & ~answers
    ranks = np.cumsum(wrong, axis=1, dtype=np.int64)
    allowed = wrong & (ranks >= settings.first_rank) & (ranks <= settings.last_rank)
    allowed &= scores <= settings.ceiling(positive_scores)[:, None]
    columns = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    priority = random.random(scores.shape) if settings.choice == "random" else columns
    order = np.argsort(np.where(allowed, priority, np.inf), axis=1, kind="stable")[:, : settings.negatives]
    chosen = np.where(np.take_along_axis(allowed, order, axis=1), order, scores.shape[1])
    chosen.sort(axis=1)
    return np.where(chosen == scores.shape[1], ABSENT, chosen), ranks


def tally(
    found: NDArray[np.bool_],
    answers: NDArray[np.bool_],
    positive_scores: NDArray[np.float32],
    chosen: NDArray[np.int64],
    ranks: NDArray[np.int64],
    settings: Mining,
) -> Tally:
    """The arguments and results of `choose_negatives`, counted."""
    is_empty = (chosen == ABSENT).all(axis=1)
    wrong = found & ~answers
    has_other = wrong.any(axis=1)
    is_in_ranks = (wrong & (ranks >= settings.first_rank) & (ranks <= settings.last_rank)).any(axis=1)
    return Tally(
        slots=len(chosen),
        positive_scores=float(positive_scores.sum(dtype=np.float64)),
        only_answers=int((is_empty & ~has_other).sum()),
        outside_ranks=int((is_empty & has_other & ~is_in_ranks).sum()),
        too_close=int((is_empty & is_in_ranks).sum()),
    )


def used_queries(pools: Sequence[SearchPool]) -> NDArray[np.int32]:
    """The rows of `query_texts` in any slot, sorted."""
    return np.unique(np.concatenate([pool.queries for pool in pools]))


def _number_texts(texts: Iterable[str], count: int) -> NDArray[np.int64]:
    """Numbers `count` texts from 0 in order of first occurrence; equal texts share a number."""
    number: dict[str, int] = {}
    numbers = np.empty(count, np.int64)
    with bar(f"comparing {count:,} texts", count, unit="texts") as progress:
        for place, text in enumerate(texts):
            numbers[place] = number.setdefault(text, len(number))
            progress.advance(1)
    return numbers

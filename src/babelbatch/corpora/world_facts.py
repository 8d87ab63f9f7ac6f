"""The built-in training corpus: facts from CLDR in eleven languages. Nothing is downloaded."""

from __future__ import annotations

import numpy as np

from babelbatch.records import ABSENT, Corpus
from babelbatch.sources.world_facts import Fact, facts, select_fact_languages, split, texts


def load_corpus(
    languages: list[str] | None = None, negatives: int = 0, split_seed: int = 0, held_out: float = 0.2
) -> Corpus:
    """One item per training fact, with its query and its passage in every language. The passage key is the fact.

    languages: some of the eleven; default all.
    negatives: hard negatives per query, all of them passages of training facts: first other facts about the subject,
        then the same relation of other subjects, those with the same object first. ABSENT where there are too few.
    split_seed, held_out: the draw of the facts that are left to the benchmark `world_facts`. Give it the same values.

    Raises ValueError for an unknown language, negatives < 0, and held_out not between 0 and 1.
    """
    selected = select_fact_languages(languages)
    if negatives < 0:
        raise ValueError(f"negatives must be 0 or more, not {negatives}")
    train, _ = split(split_seed, held_out)
    all_texts = [texts(language) for language in selected]
    first_row = np.arange(len(selected), dtype=np.int32) * len(train)
    rows = first_row + np.arange(len(train), dtype=np.int32)[:, None]
    keys = np.array(train, np.int64)

    near = _near([facts()[row] for row in train], negatives)
    shape = (len(train), len(selected), negatives)
    hard = np.where(near[:, None, :] == ABSENT, ABSENT, near[:, None, :] + first_row[:, None])
    hard_keys = np.where(near == ABSENT, ABSENT, keys[near])
    return Corpus(
        name="world_facts",
        languages=selected,
        ids=tuple(facts()[row].id for row in train),
        query_texts=tuple(text.queries[row] for text in all_texts for row in train),
        passage_texts=tuple(text.passages[row] for text in all_texts for row in train),
        queries=rows,
        passages=rows.copy(),
        passage_keys=keys,
        negatives=hard.astype(np.int32),
        negative_keys=np.broadcast_to(hard_keys[:, None, :], shape).copy(),
    )


def _near(train: list[Fact], count: int) -> np.ndarray:
    """(N, count) int32: for each fact the rows of the facts most similar to it, or ABSENT.

    After the facts about the same subject follow those of the same relation, sorted by object and then by subject, from
    the next one on and cyclically.
    """
    near = np.full((len(train), count), ABSENT, np.int32)
    if not count:
        return near
    about: dict[tuple[str, str], list[int]] = {}
    by_relation: dict[str, list[int]] = {}
    for row in sorted(range(len(train)), key=lambda row: (train[row].object, train[row].subject)):
        about.setdefault(train[row].entities[0], []).append(row)
        by_relation.setdefault(train[row].relation, []).append(row)
    for rows in by_relation.values():
        for place, row in enumerate(rows):
            same_subject = sorted(other for other in about[train[row].entities[0]] if other != row)
            following = [rows[(place + step) % len(rows)] for step in range(1, min(count + 1, len(rows)))]
            found = (same_subject + following)[:count]
            near[row, : len(found)] = found
    return near

"""The built-in training corpus: facts from CLDR in eleven languages. Nothing is downloaded."""

from __future__ import annotations

import numpy as np

from babelbatch.records import ABSENT, Corpus
from babelbatch.sources.world_facts import Fact, choose_languages, facts, split, texts


def load_corpus(
    languages: list[str] | None = None, negatives: int = 0, split_seed: int = 0, held_out: float = 0.2
) -> Corpus:
    """One item a training fact, with its question and its passage in every language. The passage key is the fact.

    languages: which of the eleven; default all.
    negatives: hard negatives a question, all of them passages of training facts: first what else is known about the
        subject, then the same relation of other subjects, those with the same object first. ABSENT where they run out.
    split_seed, held_out: the draw of the facts that the benchmark `world_facts` asks about and this corpus leaves out.
        Give both sides the same values.

    ValueError: a language that there is not, fewer than 0 negatives, held_out not between 0 and 1.
    """
    chosen = choose_languages(languages)
    if negatives < 0:
        raise ValueError(f"negatives must be 0 or more, not {negatives}")
    train, _ = split(split_seed, held_out)
    told = [texts(language) for language in chosen]
    first_row = np.arange(len(chosen), dtype=np.int32) * len(train)
    rows = first_row + np.arange(len(train), dtype=np.int32)[:, None]
    keys = np.array(train, np.int64)

    near = _near([facts()[row] for row in train], negatives)
    shape = (len(train), len(chosen), negatives)
    hard = np.where(near[:, None, :] == ABSENT, ABSENT, near[:, None, :] + first_row[:, None])
    hard_keys = np.where(near == ABSENT, ABSENT, keys[near])
    return Corpus(
        name="world_facts",
        languages=chosen,
        ids=tuple(facts()[row].id for row in train),
        query_texts=tuple(text.questions[row] for text in told for row in train),
        passage_texts=tuple(text.passages[row] for text in told for row in train),
        queries=rows,
        passages=rows.copy(),
        passage_keys=keys,
        negatives=hard.astype(np.int32),
        negative_keys=np.broadcast_to(hard_keys[:, None, :], shape).copy(),
    )


def _near(train: list[Fact], count: int) -> np.ndarray:
    """(N, count) int32: for each fact the rows of the facts that are easiest to mistake for it, or ABSENT.

    Facts of one relation stand in a ring, sorted by object and then by subject; they are taken from there going round.
    """
    near = np.full((len(train), count), ABSENT, np.int32)
    if not count:
        return near
    about: dict[tuple[str, str], list[int]] = {}
    rings: dict[str, list[int]] = {}
    for row in sorted(range(len(train)), key=lambda row: (train[row].object, train[row].subject)):
        about.setdefault(train[row].entities[0], []).append(row)
        rings.setdefault(train[row].relation, []).append(row)
    for ring in rings.values():
        for place, row in enumerate(ring):
            same_subject = sorted(other for other in about[train[row].entities[0]] if other != row)
            round_the_ring = [ring[(place + step) % len(ring)] for step in range(1, min(count + 1, len(ring)))]
            found = (same_subject + round_the_ring)[:count]
            near[row, : len(found)] = found
    return near

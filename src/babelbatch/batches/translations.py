"""Another language for each text of a step: a pure function of (seed, step), like the plan that it adds to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from babelbatch.records import ABSENT, BatchRequirements, Corpus, Plan
from babelbatch.sampling import random_below

# Streams of their own, beside those of `sampling`: whoever needs translations trains on the same batches as others.
_QUERIES, _PASSAGES = 64, 65

_LOOK = 1 << 16  # items that are looked at together for one with two languages; mostly the first has them


class Translations:
    """Adds to a plan one more language of each question, of each positive, or of both, as an objective needs them.

    languages: those to draw from, by default all of the corpus. Each text draws by itself, uniformly from those that
    its item has it in beside the planned one.
    Raises ValueError if no item has such a text in two of the languages.
    """

    def __init__(self, corpus: Corpus, languages: list[str] | None, seed: int, requirements: BatchRequirements) -> None:
        names = corpus.languages if languages is None else languages
        self._columns = np.array([corpus.languages.index(name) for name in names])
        self._seed = seed
        self._queries = corpus.queries if requirements.query_translations else None
        self._passages = corpus.passages if requirements.passage_translations else None
        for table, text in ((self._queries, "query"), (self._passages, "passage")):
            if table is not None and not _any_in_two(table, self._columns):
                raise ValueError(
                    f"loss: it compares translations, but no item of the corpus {corpus.name} has its {text} in two of "
                    f"{', '.join(names)}; set loss=contrastive, or another loss.sides"
                )

    def __call__(self, plan: Plan, step: int) -> Plan:
        """The plan of `step` with other languages."""
        queries = self._drawn(self._queries, plan.items, plan.query_languages, _QUERIES, step)
        passages = self._drawn(self._passages, plan.items, plan.passage_languages, _PASSAGES, step)
        return replace(plan, query_translation_languages=queries, passage_translation_languages=passages)

    def _drawn(
        self, table: np.ndarray | None, items: np.ndarray, planned: np.ndarray, purpose: int, step: int
    ) -> np.ndarray | None:
        if table is None:
            return None
        exists = (table.take(items, axis=0) != ABSENT).T.take(self._columns, axis=0)  # (L, B)
        exists &= self._columns[:, None] != planned
        running = exists.cumsum(axis=0)
        limits = np.maximum(running[-1], 1)
        place = (running <= random_below(limits, len(items), self._seed, purpose, step)).sum(axis=0)
        return np.where(running[-1] > 0, self._columns[place % len(self._columns)], ABSENT)


def _any_in_two(table: np.ndarray, columns: np.ndarray) -> bool:
    return any(
        ((table[start : start + _LOOK, columns] != ABSENT).sum(axis=1) > 1).any()
        for start in range(0, len(table), _LOOK)
    )

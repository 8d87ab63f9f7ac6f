"""A second language for the texts of a step: a pure function of (seed, step), as plans are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from babelbatch.records import ABSENT, BatchRequirements, Corpus, Plan, find_language
from babelbatch.sampling import random_below

# Separate from the purposes of `sampling`: objectives with and without translations train on the same batches.
_QUERIES, _PASSAGES = 64, 65

_BLOCK = 1 << 16  # items searched at a time for one with two languages; mostly the first block has one


class Translations:
    """Adds a second language of each query, of each positive, or of both to a plan, as an objective requires.

    languages: those to draw from, by default all of the corpus. Each text is drawn independently, uniformly from the
        other languages that its item has it in.
    Raises ValueError if no item has such a text in two of the languages.
    """

    def __init__(self, corpus: Corpus, languages: list[str] | None, seed: int, requirements: BatchRequirements) -> None:
        names = corpus.languages if languages is None else languages
        self._columns = np.array(
            [corpus.languages.index(find_language(name, corpus.languages) or name) for name in names]
        )
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
        """The plan of `step` with the languages of the translations."""
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
        ((table[start : start + _BLOCK, columns] != ABSENT).sum(axis=1) > 1).any()
        for start in range(0, len(table), _BLOCK)
    )

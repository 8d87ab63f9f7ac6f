"""Training data: queries and passages, parallel over languages as far as the data goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from babelbatch.records.checks import Checks, described, first_where
from babelbatch.records.fingerprint import fingerprint
from babelbatch.records.skipped_rows import SkippedRows

ABSENT = -1
"""Marks a text that an item does not have in a language."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """The parts of a corpus that mixes several: P corpora, each of them consecutive items.

    names: P distinct names. starts: the first item of each part, ascending from 0.
    exponent: a batch is of a part with probability proportional to n ** exponent, n being the items of the part that
        the batch can be drawn from.
    """

    names: tuple[str, ...]
    starts: tuple[int, ...]
    exponent: float

    def spans(self, items: int) -> list[tuple[str, int, int]]:
        """(name, first item, last item + 1) of each part of a corpus of `items` items."""
        return list(zip(self.names, self.starts, (*self.starts[1:], items), strict=True))


@dataclass(frozen=True, slots=True)
class Corpus:
    """Query-passage pairs for training: N items in L languages. An item is one query with the passage that answers it,
    each in every language that the source has it in. Raises RecordError, which names the field, if the fields do not
    fit together; tables on disk are read once for that, in blocks.

    languages: L distinct ISO codes; elsewhere a language is an index into this tuple.
    ids: N distinct names, for messages and logs.
    query_texts, passage_texts: the distinct texts (of a mixture, distinct within each part). These and the arrays may
        be on disk, see `corpora.stored`.
    queries, passages: (N, L) int32, row of `query_texts` and `passage_texts`, or ABSENT.
    passage_keys: (N,) int64, not ABSENT. Items share a key if their passages answer the same thing, in any language.
    negatives: (N, L, H) int32, hard negatives for the passage in that language: row of `passage_texts`, or ABSENT. H
        may be 0.
    negative_keys: (N, L, H) int64, the passage key of each hard negative, or ABSENT if no item has that passage.
    mixture: the parts, from one of which each batch is drawn; None for a corpus of one part.
    skipped_rows: rows of the source that were left out.
    """

    name: str
    languages: tuple[str, ...]
    ids: Sequence[str]
    query_texts: Sequence[str] = field(metadata={"hashed_as": "question_texts"})
    passage_texts: Sequence[str]
    queries: npt.NDArray[np.int32] = field(metadata={"hashed_as": "questions"})
    passages: npt.NDArray[np.int32]
    passage_keys: npt.NDArray[np.int64] = field(metadata={"hashed_as": "keys"})
    negatives: npt.NDArray[np.int32]
    negative_keys: npt.NDArray[np.int64]
    mixture: Mixture | None = None
    skipped_rows: SkippedRows = field(default=SkippedRows(), metadata={"fingerprint": False})

    def __post_init__(self) -> None:
        checks = Checks("corpus", self.name)
        checks.instance("skipped_rows", self.skipped_rows, SkippedRows)
        checks.languages("languages", self.languages)
        checks.texts("ids", self.ids)
        if len(self.ids) == 0:
            raise checks.refuse("ids", "there are none; a corpus needs an item")
        checks.distinct("ids", self.ids)
        checks.texts("query_texts", self.query_texts)
        checks.texts("passage_texts", self.passage_texts)
        shape = (len(self.ids), len(self.languages))
        meaning = f"{shape[0]:,} ids and {shape[1]} languages"
        for name, table, texts in (
            ("queries", self.queries, "query_texts"),
            ("passages", self.passages, "passage_texts"),
            ("negatives", self.negatives, "passage_texts"),
        ):
            checks.array(name, table, np.int32, (*shape, None) if name == "negatives" else shape, meaning)
            checks.within(name, table, ABSENT, len(getattr(self, texts)), texts, self._place)
        checks.array("passage_keys", self.passage_keys, np.int64, shape[:1], f"{shape[0]:,} ids")
        if (row := first_where(self.passage_keys, lambda block: block == ABSENT)) is not None:
            raise checks.refuse(
                "passage_keys",
                f"item '{self.ids[row[0]]}' has {ABSENT}, which marks a passage that no item has; use another number",
            )
        of_negatives = f"negatives of the shape {self.negatives.shape}"
        checks.array("negative_keys", self.negative_keys, np.int64, self.negatives.shape, of_negatives)
        if self.mixture is not None:
            self._check_mixture(self.mixture, checks)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any text, id, language or relation."""
        return fingerprint(self)

    def query_tasks(self) -> npt.NDArray[np.object_] | None:
        """The name of the part that each of `query_texts` belongs to, by which an encoder may have a prompt for it.
        None for a corpus of one part."""
        if self.mixture is None:
            return None
        tasks = np.full(len(self.query_texts), self.mixture.names[0], object)
        for name, start, stop in self.mixture.spans(len(self))[1:]:
            rows = np.asarray(self.queries[start:stop])
            tasks[rows[rows != ABSENT]] = name
        return tasks

    def _place(self, index: tuple[int, ...]) -> str:
        return f"item '{self.ids[index[0]]}' in '{self.languages[index[1]]}'"

    def _check_mixture(self, mixture: Mixture, checks: Checks) -> None:
        if not isinstance(mixture, Mixture):
            raise checks.refuse("mixture", f"is {described(mixture)}; give a Mixture or None")
        checks.names("mixture.names", mixture.names)
        starts = mixture.starts
        parts = len(mixture.names)
        if len(starts) != parts or starts[0] != 0 or any(a >= b for a, b in pairwise((*starts, len(self)))):
            raise checks.refuse(
                "mixture.starts",
                f"is {starts}; give the first item of each of {parts} parts, ascending from 0 and below {len(self):,}",
            )
        checks.number("mixture.exponent", mixture.exponent)

"""The rows and languages that batches may be drawn from: a corpus, or one part of a mixture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babelbatch.records import Corpus
from babelbatch.sampling.pools import Availability, Pool


@dataclass(frozen=True)
class Part:
    """The rows [start, stop) of a corpus, restricted to some languages; a part of a mixture if it has a name.

    availability: of these rows. columns: (L,) the languages to train on. rows: rows of the corpus to draw from, within
        [start, stop); None: all of them.
    """

    corpus: Corpus
    availability: Availability
    columns: NDArray[np.int64]
    rows: NDArray[np.int64] | None
    name: str | None = None
    start: int = 0
    stop: int | None = None

    @property
    def languages(self) -> list[str]:
        """(L,) ISO codes."""
        return [self.corpus.languages[column] for column in self.columns]

    @property
    def tables(self) -> tuple[NDArray[np.int32], NDArray[np.int32]] | None:
        """The queries and passages of the rows, as `Corpus` has them; None if every text exists."""
        if self.availability.complete:
            return None
        return self.corpus.queries[self.start : self.stop], self.corpus.passages[self.start : self.stop]

    def monolingual(self) -> list[Pool]:
        """For each language, the items that have both texts in it."""
        return self.availability.monolingual(self.columns, self._relative_rows)

    def any_monolingual(self, columns: NDArray[np.int64] | None = None) -> Pool:
        """The items that have both texts in at least one of the languages, or of `columns`."""
        return self.availability.any_monolingual(self.columns if columns is None else columns, self._relative_rows)

    def crosslingual(self, allowed: NDArray[np.bool_] | None = None) -> Pool:
        """The items that have a query in one language and a passage in another, of the `allowed` pairs if given."""
        return self.availability.crosslingual(self.columns, self._relative_rows, allowed)

    def pair_counts(self) -> NDArray[np.int64]:
        """(L, L) number of items with a query in the one language and a passage in the other."""
        return self.availability.pairs(self.columns, self._relative_rows)

    def fills_batch(self, pool: Pool, batch_size: int, purpose: str, language: str | None = None) -> bool:
        """Whether a pool has the items of a batch.

        Only a part of a mixture may have no batch of a kind, or in a language; otherwise ValueError.
        """
        if len(pool) >= batch_size:
            return True
        source, remedy = "", "leave the language out of sampling.languages"
        if self.name is not None:
            if len(pool) == 0:
                return False
            source = f" from part '{self.name}'"
            remedy = f"leave '{language}' out of that part" if language else "leave the part out"
        raise ValueError(
            f"{purpose}{source} needs {batch_size} items, there are {len(pool)} to train on; lower "
            f"sampling.batch_size or {remedy}"
        )

    def refuse_if_unusable(self) -> None:
        """Raises ValueError if no strategy could draw a batch from these rows in these languages."""
        if len(self.any_monolingual()) == len(self.crosslingual()) == 0:
            raise ValueError(
                f"part '{self.name}' has nothing to train on in {', '.join(self.languages)}; leave it out of "
                "corpus.parts, or add its languages to sampling.languages"
            )

    @property
    def _relative_rows(self) -> NDArray[np.int64] | None:
        return self.rows - self.start if self.start and self.rows is not None else self.rows

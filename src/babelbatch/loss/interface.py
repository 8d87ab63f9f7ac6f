"""The interface of an objective: an encoded batch in, a loss out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from babelbatch.records import BatchRequirements

if TYPE_CHECKING:
    from babelbatch.loss.teacher import Teacher

Side = Literal["queries", "passages"]
Sides = Literal["queries", "passages", "both"]


@dataclass(frozen=True, slots=True)
class PairedVectors:
    """Further vectors for some of a rank's pairs: of translations, or a teacher's.

    vectors: (v, d). pairs: (v,) int64, the rank's pair that each belongs to. counts: number of them on each rank.
    """

    vectors: Tensor
    pairs: Tensor
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Number of them in the global batch; at least 1, so that a mean over none is 0."""
        return max(1, sum(self.counts))


@dataclass(frozen=True, slots=True)
class Encoded:
    """The vectors of a batch: this rank's share, with the keys and counts of the global batch.

    queries, candidates, keys and counts: see `contrastive_loss`.
    translated_queries, translated_passages: vectors of the queries and the positives in a second language, (v, d).
    teacher_queries, teacher_passages: a teacher's vectors of the queries and the positives, (v, the teacher's d).
    Each of the four is None unless the objective requires it.
    """

    queries: Tensor
    candidates: Tensor
    positive_keys: Tensor | None = None
    candidate_keys: Tensor | None = None
    query_counts: tuple[int, ...] | None = None
    candidate_counts: tuple[int, ...] | None = None
    translated_queries: PairedVectors | None = None
    translated_passages: PairedVectors | None = None
    teacher_queries: PairedVectors | None = None
    teacher_passages: PairedVectors | None = None

    def vectors(self, side: Side) -> Tensor:
        """(b, d) the queries, or (c, d) the candidates, whose first b rows are the positives."""
        return self.queries if side == "queries" else self.candidates

    @property
    def translations(self) -> list[tuple[Side, PairedVectors]]:
        """The translations of each side that has some."""
        return _present(self.translated_queries, self.translated_passages)

    @property
    def teacher_vectors(self) -> list[tuple[Side, PairedVectors]]:
        """The teacher's vectors of each side that has some."""
        return _present(self.teacher_queries, self.teacher_passages)


def _present(queries: PairedVectors | None, passages: PairedVectors | None) -> list[tuple[Side, PairedVectors]]:
    sides: list[tuple[Side, PairedVectors | None]] = [("queries", queries), ("passages", passages)]
    return [(side, found) for side, found in sides if found is not None]


@dataclass(frozen=True, slots=True)
class Loss:
    """value: scalar, the mean over the global batch; with several ranks this rank's part of it: the parts add up to it.

    masked: (b,) number of candidates masked for each of this rank's queries because they share its passage key.
    parts: the terms whose weighted sum is the value, by the names in `Objective.parts`; scalars like it. Empty if the
        value is a single term.
    """

    value: Tensor
    masked: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)


def translations_of(sides: Sides) -> BatchRequirements:
    """The translations that an objective over these sides requires."""
    return BatchRequirements(query_translations=sides != "passages", passage_translations=sides != "queries")


def mean_of(terms: Sequence[Tensor], like: Tensor) -> Tensor:
    """The mean of scalars, one for each side; without any, 0 as a scalar of the kind of `like`."""
    return torch.stack(list(terms)).mean() if terms else torch.zeros_like(like)


class Objective(nn.Module):
    """Called with an `Encoded` and the progress of the run (the share of its steps done so far); returns a `Loss`.

    parts: the names of the terms, the contrastive loss first; empty if the loss is the contrastive loss alone.
    requirements: what a batch must contain beside queries and candidates.
    teacher: the encoder whose vectors are targets, or None.
    matryoshka: the sizes of vectors that it is summed over, largest first; empty for whole vectors alone.
    """

    parts: tuple[str, ...] = ()
    requirements = BatchRequirements()
    teacher: Teacher | None = None
    matryoshka: tuple[int, ...] = ()

    @property
    def temperature(self) -> Tensor:
        """The divisor of the cosines."""
        raise NotImplementedError

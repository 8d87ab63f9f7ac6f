"""What every objective takes and gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from babelbatch.records import Needs

if TYPE_CHECKING:
    from babelbatch.loss.teacher import Teacher


@dataclass(frozen=True, slots=True)
class Counterparts:
    """Vectors that stand beside some of a rank's pairs: of a translation, or a teacher's.

    vectors: (v, d). pairs: (v,) int64, which of the rank's pairs each belongs to. counts: how many each rank holds.
    """

    vectors: Tensor
    pairs: Tensor
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many the global batch holds, at least 1, so that a mean over none of them is 0."""
        return max(1, sum(self.counts))


@dataclass(frozen=True, slots=True)
class Encoded:
    """The vectors of a batch: this rank's share, and what it must know about the global batch.

    questions, candidates, keys and counts: see `contrastive_loss`.
    other_queries, other_passages: of the questions and the positives in another language, (v, d).
    taught_queries, taught_passages: a teacher's vectors for the questions and the positives, (v, its own d).
    Each of the four is None unless the objective needs it.
    """

    queries: Tensor
    candidates: Tensor
    positive_keys: Tensor | None = None
    candidate_keys: Tensor | None = None
    query_counts: tuple[int, ...] | None = None
    candidate_counts: tuple[int, ...] | None = None
    other_queries: Counterparts | None = None
    other_passages: Counterparts | None = None
    taught_queries: Counterparts | None = None
    taught_passages: Counterparts | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """value: scalar, the mean over the batch; of several ranks this one's part of it, so that the parts add up to it.

    masked: (b,) how many candidates each of this rank's questions met, and had masked, because they share its
    passage key.
    parts: what the value is a weighted sum of, by the names in `Objective.parts`; scalars like it. Empty if it has one.
    """

    value: Tensor
    masked: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)


def averaged(found: Sequence[Tensor], like: Tensor) -> Tensor:
    """The mean of scalars, one a side; 0 of none, a scalar as `like` is."""
    return torch.stack(list(found)).mean() if found else torch.zeros_like(like)


class Objective(nn.Module):
    """Called with an `Encoded` and the progress of the run, the share of its steps that are done; gives a `Loss`.

    parts: the names of the parts, of which the first is the contrastive loss; none if the loss is that alone.
    needs: what the batches must hold beside questions and candidates.
    teacher: the encoder whose vectors are targets, or None.
    """

    parts: ClassVar[tuple[str, ...]] = ()
    needs = Needs()
    teacher: Teacher | None = None

    @property
    def temperature(self) -> Tensor:
        """What divides the cosine."""
        raise NotImplementedError

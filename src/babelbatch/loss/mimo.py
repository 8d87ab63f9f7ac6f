"""Contrastive loss and distillation from a teacher's vectors in one language: MIMO.

Jang, Hong and Lim 2026, "Multilingual Information Retrieval via Monolingual Objectives", arXiv 2605.31171, as the
authors' repository (yjoonjang/MIMO) describes it. `docs/training.md` lists the differences.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, linear

from babelbatch.loss.contrastive import Contrastive
from babelbatch.loss.interface import Encoded, Loss, PairedVectors, mean_of
from babelbatch.loss.teacher import Teacher, TeacherEncoder
from babelbatch.records import BatchRequirements


class Mimo(Contrastive):
    """c * contrastive + (1 - c) * distillation.

    The distillation is the mean of 1 - cos(W u + b, t) over the queries, averaged with the same mean over the
    positives. u is the vector of a text in its language in the batch, t the teacher's vector of the same text in
    `language`. W and b are trained and are not used in retrieval. Items without a text in `language` have no such term.
    With `matryoshka`, a cut vector is projected by the first columns of W.

    dimensions: of the trained encoder. teacher: an encoder. language: of the texts that the teacher encodes.
    contrastive_weight: c. warmup: share of the steps at the start with c = 0, that is with distillation alone.
    Other arguments: see `Contrastive`.
    """

    parts = ("contrastive", "distillation")

    def __init__(
        self,
        dimensions: int,
        teacher: TeacherEncoder,
        language: str = "en",
        contrastive_weight: float = 0.2,
        warmup: float = 0.1,
        temperature: float = 0.05,
        learn_temperature: bool = False,
        mask_same_passage: bool = True,
        symmetric: bool = False,
        matryoshka: Sequence[int] | None = None,
    ) -> None:
        super().__init__(temperature, learn_temperature, mask_same_passage, symmetric, matryoshka)
        self.teacher = Teacher(teacher)
        self.requirements = BatchRequirements(teacher_language=language)
        self.projection = nn.Linear(dimensions, self.teacher.dimensions)
        self.contrastive_weight = contrastive_weight
        self.warmup = warmup

    def of_vectors(self, encoded: Encoded, progress: float) -> Loss:
        loss = super().of_vectors(encoded, progress)
        terms = [
            cosine_distance(self.projection, encoded.vectors(side), targets)
            for side, targets in encoded.teacher_vectors
        ]
        distillation = mean_of(terms, like=loss.value)
        weight = 0.0 if progress < self.warmup else self.contrastive_weight
        value = weight * loss.value + (1 - weight) * distillation
        return Loss(value, loss.masked, {"contrastive": loss.value, "distillation": distillation})


def cosine_distance(projection: nn.Linear, vectors: Tensor, targets: PairedVectors) -> Tensor:
    """The mean of 1 - cos(projection(u), t) over the global batch's pairs that have a teacher vector; with several
    ranks, this rank's part. A vector that was cut is projected as if the other components were 0."""
    with torch.autocast(vectors.device.type, enabled=False):
        projected = linear(vectors[targets.pairs].float(), projection.weight[:, : vectors.shape[1]], projection.bias)
        return (1 - cosine_similarity(projected, targets.vectors.float(), dim=-1)).sum() / targets.total

"""Contrastive loss and distillation from a teacher's vectors in one language: MIMO.

Jang, Hong and Lim 2026, "Multilingual Information Retrieval via Monolingual Objectives", arXiv 2605.31171, as the
authors' repository (yjoonjang/MIMO) describes it. `docs/training.md` says what differs here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from babelbatch.loss.contrastive import Contrastive
from babelbatch.loss.interface import Counterparts, Encoded, Loss, averaged
from babelbatch.loss.teacher import Teacher
from babelbatch.records import Needs


class Mimo(Contrastive):
    """c * contrastive + (1 - c) * distillation.

    The distillation is the mean of 1 - cos(W u + b, t) over the questions, and the same over the positives, averaged: u
    is the vector of a text in the language that the batch has it in, t the teacher's vector of the same text in
    `language`. W and b are trained and take no part in retrieval. Items without that text have no such term.

    dimensions: of the encoder that is trained. teacher: an encoder. language: of what the teacher reads.
    contrastive_weight: c. warmup: the share of the steps, at the start, that c is 0 in: distillation alone.
    The others: see `Contrastive`.
    """

    parts = ("contrastive", "distillation")

    def __init__(
        self,
        dimensions: int,
        teacher: nn.Module,
        language: str = "en",
        contrastive_weight: float = 0.2,
        warmup: float = 0.1,
        temperature: float = 0.05,
        learn_temperature: bool = False,
        mask_same_passage: bool = True,
        symmetric: bool = False,
    ) -> None:
        super().__init__(temperature, learn_temperature, mask_same_passage, symmetric)
        self.teacher = Teacher(teacher)
        self.needs = Needs(taught_language=language)
        self.projection = nn.Linear(dimensions, self.teacher.dimensions)
        self.contrastive_weight = contrastive_weight
        self.warmup = warmup

    def forward(self, encoded: Encoded, progress: float = 0.0) -> Loss:
        loss = super().forward(encoded, progress)
        sides = ((encoded.queries, encoded.taught_queries), (encoded.candidates, encoded.taught_passages))
        found = [cosine_distance(self.projection, vectors, taught) for vectors, taught in sides if taught is not None]
        distillation = averaged(found, loss.value)
        weight = 0.0 if progress < self.warmup else self.contrastive_weight
        value = weight * loss.value + (1 - weight) * distillation
        return Loss(value, loss.masked, {"contrastive": loss.value, "distillation": distillation})


def cosine_distance(projection: nn.Linear, vectors: Tensor, taught: Counterparts) -> Tensor:
    """The mean of 1 - cos(projection(u), t) over the global batch's pairs that the teacher has a vector for; of several
    ranks, this one's part."""
    with torch.autocast(vectors.device.type, enabled=False):
        projected = projection(vectors[taught.pairs].float())
        return (1 - cosine_similarity(projected, taught.vectors.float(), dim=-1)).sum() / taught.total

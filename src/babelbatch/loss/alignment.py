"""Contrastive loss, and a penalty on the distance between translations.

The distance of multilingual knowledge distillation (Reimers and Gurevych 2020, arXiv 2004.09813), between two vectors
of the encoder that is trained instead of a teacher's and its own.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from babelbatch.loss.contrastive import Contrastive
from babelbatch.loss.interface import Counterparts, Encoded, Loss, averaged
from babelbatch.records import Needs


class Alignment(Contrastive):
    """contrastive + weight * distance.

    The distance is the mean of |u - v|^2 over the translations u, v in the global batch: of a question and its version
    in another language, of a positive and its version. It is summed over the dimensions, so that the weight means the
    same for any encoder: of unit vectors it is 2 - 2 cos(u, v). Both vectors are trained.

    sides: which texts are drawn together; `both`: the mean of the two distances. The others: see `Contrastive`.
    """

    parts = ("contrastive", "alignment")

    def __init__(
        self,
        weight: float = 1.0,
        sides: Literal["queries", "passages", "both"] = "both",
        temperature: float = 0.05,
        learn_temperature: bool = False,
        mask_same_passage: bool = True,
        symmetric: bool = False,
    ) -> None:
        super().__init__(temperature, learn_temperature, mask_same_passage, symmetric)
        self.weight = weight
        self.needs = Needs(queries=sides != "passages", passages=sides != "queries")

    def forward(self, encoded: Encoded, progress: float = 0.0) -> Loss:
        loss = super().forward(encoded, progress)
        sides = ((encoded.queries, encoded.other_queries), (encoded.candidates, encoded.other_passages))
        found = [squared_distance(vectors, others) for vectors, others in sides if others is not None]
        distance = averaged(found, loss.value)
        value = loss.value + self.weight * distance
        return Loss(value, loss.masked, {"contrastive": loss.value, "alignment": distance})


def squared_distance(vectors: Tensor, others: Counterparts) -> Tensor:
    """The mean of |u - v|^2 over the global batch's pairs with a counterpart; of several ranks, this one's part."""
    return (vectors[others.pairs].float() - others.vectors.float()).square().sum() / others.total

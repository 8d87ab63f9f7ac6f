"""Contrastive loss, and a penalty on the distance between translations.

The distance of multilingual knowledge distillation (Reimers and Gurevych 2020, arXiv 2004.09813), here between two
vectors of the trained encoder instead of a teacher's and a student's.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from babelbatch.loss.contrastive import Contrastive
from babelbatch.loss.interface import Encoded, Loss, PairedVectors, Sides, mean_of, translations_of


class Alignment(Contrastive):
    """contrastive + weight * distance.

    The distance is the mean of |u - v|^2 over the pairs of translations u, v in the global batch: a query and its
    translation, a positive and its translation. It is summed over the dimensions; for unit vectors it equals
    2 - 2 cos(u, v), whatever the encoder's size. Both vectors receive gradients.

    weight: of the distance.
    sides: which texts are aligned; `both`: the mean of the two distances. Other arguments: see `Contrastive`.
    """

    parts = ("contrastive", "alignment")

    def __init__(
        self,
        weight: float = 1.0,
        sides: Sides = "both",
        temperature: float = 0.05,
        learn_temperature: bool = False,
        mask_same_passage: bool = True,
        symmetric: bool = False,
        matryoshka: Sequence[int] | None = None,
    ) -> None:
        super().__init__(temperature, learn_temperature, mask_same_passage, symmetric, matryoshka)
        self.weight = weight
        self.requirements = translations_of(sides)

    def of_vectors(self, encoded: Encoded, progress: float) -> Loss:
        loss = super().of_vectors(encoded, progress)
        terms = [squared_distance(encoded.vectors(side), translations) for side, translations in encoded.translations]
        distance = mean_of(terms, like=loss.value)
        value = loss.value + self.weight * distance
        return Loss(value, loss.masked, {"contrastive": loss.value, "alignment": distance})


def squared_distance(vectors: Tensor, translations: PairedVectors) -> Tensor:
    """The mean of |u - v|^2 over the global batch's pairs that have a translation; with several ranks, this rank's
    part."""
    differences = vectors[translations.pairs].float() - translations.vectors.float()
    return differences.square().sum() / translations.total

"""An encoder with shorter vectors: the first components of its own, scaled to unit length again."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import nn

from babelbatch.encoder.model import Encoder, Role


def truncated(encoder: Encoder, dimensions: int) -> Encoder:
    """A copy whose vectors are the first `dimensions` components, normalised if the encoder normalises.

    The projection keeps its first rows; where there is none, one that copies components is added, so that every reader
    of the folder computes the same vectors. Raises ValueError unless there are more components than that.
    """
    if not 1 <= dimensions < encoder.dimensions:
        raise ValueError(
            f"dimensions: {dimensions} of vectors of {encoder.dimensions}; set it to 1 to {encoder.dimensions - 1}, or "
            "leave it out"
        )
    cut = copy.deepcopy(encoder)
    size = encoder.dimensions
    cut.settings = replace(encoder.settings, dimensions=dimensions)
    roles: tuple[Role, ...] = ("query",) if cut.settings.shared else ("query", "passage")
    for role in roles:
        tower = cut.tower(role)
        weight = torch.eye(size) if tower.projection is None else tower.projection.weight.detach()
        projection = nn.Linear(weight.shape[1], dimensions, bias=False)
        projection.weight = nn.Parameter(weight[:dimensions].clone())
        tower.projection = projection
    return cut

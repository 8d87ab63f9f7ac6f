"""The layers of a transformer."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from babelbatch.encoder import Encoder


def backbones_of(encoder: Encoder) -> list[PreTrainedModel]:
    """The transformers of an encoder: one if its towers share their weights, else two."""
    backbones = [tower.backbone for tower in dict.fromkeys(encoder.towers.values())]
    assert all(isinstance(backbone, PreTrainedModel) for backbone in backbones)
    return [backbone for backbone in backbones if isinstance(backbone, PreTrainedModel)]


def layers_of(backbone: PreTrainedModel) -> nn.ModuleList | None:
    """The layers of a transformer, lowest first; None if it has no list of them."""
    count = getattr(backbone.config, "num_hidden_layers", None)
    for module in backbone.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    return None

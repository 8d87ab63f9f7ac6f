"""An encoder whose frozen weights were in half precision, as its readers will compute it."""

from __future__ import annotations

import copy

import torch

from babelbatch.encoder.four_bit import FourBitLinear
from babelbatch.encoder.merging import merged_state_dict
from babelbatch.encoder.model import Encoder


def in_float32(encoder: Encoder) -> Encoder:
    """A copy with all weights in float32 and adapters merged into them; an encoder in float32 is returned as it is.

    The sum W + s B A is not rounded to the type of W. What is evaluated and saved is then what every reader of the
    folder computes.
    """
    if all(weight.dtype == torch.float32 for weight in encoder.parameters()):
        return encoder
    whole = copy.deepcopy(encoder)
    for tower in set(whole.towers.values()):
        backbone = tower.get_submodule("backbone")
        state = {
            name: weight.float() if weight.is_floating_point() else weight
            for name, weight in merged_state_dict(backbone).items()
        }
        for name, layer in list(backbone.named_modules()):
            if hasattr(layer, "get_delta_weight"):  # a layer of peft
                backbone.set_submodule(name, layer.get_submodule("base_layer"))
        for name, layer in list(backbone.named_modules()):
            if isinstance(layer, FourBitLinear):
                backbone.set_submodule(name, layer.expanded())
        backbone.float()
        backbone.load_state_dict(state)
    return whole.float()

"""The weights of a backbone with its adapters merged."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from babelbatch.encoder.four_bit import expanded_state_dict


def merged_state_dict(backbone: nn.Module) -> dict[str, Tensor]:
    """The state dict under the names from before adapters were added, with each adapter's change added to its weight.

    That is W + s B A for LoRA (Hu et al. 2021, section 4.1), as peft's layers compute it. The backbone is unchanged.
    """
    state = expanded_state_dict(backbone)
    for name, module in backbone.named_modules():
        if not hasattr(module, "get_delta_weight"):  # a peft layer has it; peft itself may not be installed
            continue
        layer: Any = module
        base = f"{name}.base_layer."
        of_layer = {key: state.pop(key) for key in list(state) if key.startswith(f"{name}.")}
        merged = {f"{name}.{key.removeprefix(base)}": value for key, value in of_layer.items() if key.startswith(base)}
        for adapter in layer.active_adapters:
            change = layer.get_delta_weight(adapter).detach()
            merged[f"{name}.weight"] = merged[f"{name}.weight"] + change
        state |= merged
    return state

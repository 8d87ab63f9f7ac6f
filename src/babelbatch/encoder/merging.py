"""The weights of a backbone without what training may have hung onto it."""

from __future__ import annotations

from torch import Tensor, nn


def plain_weights(backbone: nn.Module) -> dict[str, Tensor]:
    """The backbone's state under the names that it had before adapters, with each adapter's change added to its weight.

    W + s B A for LoRA (Hu et al. 2021, section 4.1), as peft's layers compute it. The backbone stays as it is.
    """
    state = backbone.state_dict()
    for name, layer in backbone.named_modules():
        if not hasattr(layer, "get_delta_weight"):  # what a peft layer has; peft itself may not be installed
            continue
        base = f"{name}.base_layer."
        own = {key: state.pop(key) for key in list(state) if key.startswith(f"{name}.")}
        plain = {f"{name}.{key.removeprefix(base)}": value for key, value in own.items() if key.startswith(base)}
        for adapter in layer.active_adapters:
            change = layer.get_delta_weight(adapter).detach()
            plain[f"{name}.weight"] = plain[f"{name}.weight"] + change
        state |= plain
    return state

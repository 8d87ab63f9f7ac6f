"""Which weights of an encoder are trained, with which memory savings, and which of them decay."""

from __future__ import annotations

import os
import shutil
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from babelbatch.encoder import Encoder, is_unpadded, to_four_bits
from babelbatch.training.layers import backbones_of, layers_of


def full(
    encoder: Encoder,
    frozen_layers: int = 0,
    freeze_embeddings: bool = False,
    activation_checkpointing: bool = False,
    compile: bool = False,
) -> Encoder:
    """Trains the weights of the encoder themselves. Changes it in place and returns it.

    frozen_layers: number of layers of each backbone, from the lowest, that are not trained.
    freeze_embeddings: do not train the token embeddings either, with their positions, types and norm.
    activation_checkpointing: store only the input of each layer and recompute the rest in the backward pass (Chen et
        al. 2016), dropout included: equal gradients in less memory and more time.
    compile: compile each layer with torch.compile, for inputs of any size. Equal numbers up to rounding; other dropout
        masks.
    Raises ValueError if this encoder or this machine does not support it.
    """
    for backbone in backbones_of(encoder):
        if freeze_embeddings:
            _embeddings(backbone).requires_grad_(False)
        if frozen_layers:
            layers = _layers(backbone, "frozen_layers")
            if frozen_layers > len(layers):
                raise ValueError(
                    f"tuning.frozen_layers: {frozen_layers}, but the encoder has {len(layers)} layers; set at most that"
                )
            layers[:frozen_layers].requires_grad_(False)
    if not any(parameter.requires_grad for parameter in encoder.parameters()):
        raise ValueError(
            "tuning.frozen_layers: with the embeddings frozen too, nothing is left to train; freeze fewer layers, "
            "or set encoder.dimensions to train a projection"
        )
    _spend_memory(encoder, activation_checkpointing, compile)
    return encoder


def lora(
    encoder: Encoder,
    rank: int = 16,
    alpha: float = 32.0,
    dropout: float = 0.0,
    targets: list[str] | None = None,
    four_bit: bool = False,
    activation_checkpointing: bool = False,
    compile: bool = False,
) -> Encoder:
    """Trains low-rank adapters of the backbone's weights (LoRA, Hu et al. 2021), and the projection if there is one.

    W becomes W + alpha / rank * B A. B starts at 0, so the first vectors equal those of the original encoder. Changes
    the encoder in place and returns it; `babelbatch.encoder.save` merges the adapters into plain weights. Adapters are
    in float32 whatever the type of the frozen weights.

    rank: rows of A. alpha: scale. dropout: of the input of A.
    targets: linear maps of the layers to adapt, by the end of their names, such as ["query", "value"]; None: all.
    four_bit: store the frozen weights of all linear maps of the layers in four bits (QLoRA, Dettmers et al. 2023).
        Training starts from these rounded weights, and `save` writes them with the adapters merged, in the usual types.
    activation_checkpointing, compile: see `full`.
    Raises ValueError if this encoder or this machine does not support it, and without peft.
    """
    if four_bit and compile:
        raise ValueError("tuning.compile: weights in four bits cannot be compiled; set tuning.compile=false")
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise ValueError(
            "tuning: lora needs peft, which is not installed; pip install 'babelbatch[lora]', or set tuning=full"
        ) from None
    for backbone in backbones_of(encoder):
        config = LoraConfig(
            r=rank,
            lora_alpha=alpha,  # type: ignore[arg-type]  # peft scales by any number
            lora_dropout=dropout,
            target_modules=_linear_maps(backbone, targets),
        )
        backbone.requires_grad_(False)
        if four_bit:
            to_four_bits(backbone, _linear_maps(backbone, None))
        inject_adapter_in_model(config, backbone)
        for parameter in backbone.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()  # peft makes them in the type of the frozen weights
    _spend_memory(encoder, activation_checkpointing, compile)
    return encoder


def parameter_groups(encoder: nn.Module, loss: nn.Module) -> list[dict[str, Any]]:
    """The trained parameters as groups of an optimiser: those with its weight decay, then those without.

    The encoder's matrices decay. Its vectors (norms, biases) and all parameters of the loss do not: weight decay is a
    prior for 0, and a temperature has no such prior. Either group may be empty.
    """
    trained = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    exempt = [parameter for parameter in trained if parameter.ndim < 2]
    exempt += [parameter for parameter in loss.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim >= 2]},
        {"params": exempt, "weight_decay": 0.0},
    ]


def _layers(backbone: PreTrainedModel, option: str) -> nn.ModuleList:
    """The layers of a transformer. Raises ValueError if it has none."""
    layers = layers_of(backbone)
    if layers is None:
        kind = backbone.config.model_type
        raise ValueError(f"tuning.{option}: the encoder ('{kind}') has no transformer layers; leave the option out")
    return layers


def _embeddings(backbone: PreTrainedModel) -> nn.Module:
    """The part of a transformer that lies before its layers. Raises ValueError if there is nothing but embeddings."""
    layers, tokens = _layers(backbone, "freeze_embeddings"), backbone.get_input_embeddings()
    for part in backbone.children():
        inside = set(part.modules())
        if tokens in inside and layers not in inside:
            return part
    return tokens


def _linear_maps(backbone: PreTrainedModel, targets: list[str] | None) -> list[str]:
    """The full names of the linear maps in the layers, those that `targets` names."""
    layers = set(_layers(backbone, "targets").modules())
    names = [name for name, part in backbone.named_modules() if isinstance(part, nn.Linear) and part in layers]
    if targets is None:
        return names
    for target in targets:
        if not any(f".{name}".endswith(f".{target}") for name in names):
            within = sorted({name.split(".", names[0].split(".").index("0") + 1)[-1] for name in names})
            raise ValueError(
                f"tuning.targets: no linear map of a layer is called '{target}'; there are: {', '.join(within)}"
            )
    return [name for name in names if any(f".{name}".endswith(f".{target}") for target in targets)]


def _spend_memory(encoder: Encoder, activation_checkpointing: bool, compile: bool) -> None:
    for backbone in backbones_of(encoder):
        if activation_checkpointing:
            _layers(backbone, "activation_checkpointing")
            if not backbone.supports_gradient_checkpointing:
                kind = backbone.config.model_type
                raise ValueError(
                    f"tuning.activation_checkpointing: transformers cannot do it for '{kind}'; leave the option out"
                )
            backbone.activation_checkpointing_enable()
            backbone.disable_input_require_grads()  # frozen layers at the bottom need no backward pass
            backbone.gradient_checkpointing = False  # the layers have flags of their own; this one warns about decoding
        if compile:
            _require_compiler()
            if activation_checkpointing and is_unpadded(backbone):
                raise ValueError(
                    "tuning.compile: encoder.attention=unpadded cannot be compiled, and with activation checkpointing "
                    "nor can the layer around it; leave one of the three out"
                )
            for layer in _layers(backbone, "compile"):
                layer.compile(dynamic=True)  # in place: names of weights stay; layers share what is compiled


def _require_compiler() -> None:
    named = [os.environ[name] for name in ("CXX", "CC") if name in os.environ]
    if not any(shutil.which(name) for name in (*named, "g++", "clang++", "gcc", "clang", "cl")):
        raise ValueError(
            "tuning.compile: torch.compile needs a C++ compiler, and none is found; install one (such as g++), "
            "or set tuning.compile=false"
        )

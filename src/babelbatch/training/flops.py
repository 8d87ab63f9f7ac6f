"""Floating-point operations of training, from the shapes of the encoder's weights and the lengths of the texts.

Counted are matrix products, two operations for each multiplication and addition: the linear maps of the layers for each
token, attention for each pair of tokens of a text, and pooler, dense layers and projection for each text.
`docs/protocol.md` has the formula and says what is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from babelbatch.encoder import Encoder, is_unpadded
from babelbatch.records import Workload
from babelbatch.training.layers import backbones_of, layers_of

_READS_THE_LAYERS_INPUT = {"query", "key", "value", "q_proj", "k_proj", "v_proj", "qkv_proj", "Wqkv", "q", "k", "v"}


@dataclass(frozen=True)
class FlopRates:
    """Operations for each token, for each ordered pair of tokens in one text, and for each text.

    unpadded: whether padding is left out of the computation.
    """

    per_token: float
    per_pair: float
    per_text: float
    unpadded: bool

    def of(self, work: Workload) -> float:
        """The operations for a workload."""
        tokens = work.real_tokens if self.unpadded else work.padded_tokens
        pairs = work.real_pairs if self.unpadded else work.padded_pairs
        return self.per_token * tokens + self.per_pair * pairs + self.per_text * work.texts


def forward_rates(encoder: Encoder) -> FlopRates | None:
    """The cost of encoding; None for an architecture whose layers are not found."""
    return _rates(encoder, training=False, grad_cache=False)


def training_rates(encoder: Encoder, grad_cache: bool = False) -> FlopRates | None:
    """The cost of encoding and of the backward pass; None for an architecture whose layers are not found.

    A trained linear map costs its forward product again for the gradient of its input and once more for that of its
    weight. A frozen one has no gradient of the weight, and nothing below the lowest trained weight has a gradient.
    Activation checkpointing adds a forward pass of the layers that have a gradient, GradCache one of everything.
    """
    return _rates(encoder, training=True, grad_cache=grad_cache)


def _rates(encoder: Encoder, *, training: bool, grad_cache: bool) -> FlopRates | None:
    backbone = backbones_of(encoder)[0]  # a second tower has the same shapes
    layers = layers_of(backbone)
    linears = [part for part in backbone.modules() if isinstance(part, nn.Linear)]
    if layers is None and linears:
        return None
    count = _Counter(training, grad_cache)
    if layers is not None:
        _count_backbone(count, backbone, layers)
    tower = encoder.tower("query")
    reached = any(parameter.requires_grad for parameter in backbone.parameters())
    pooler = getattr(backbone, "pooler", None)
    for module in (pooler, tower.dense, tower.projection):
        for part in module.modules() if module is not None else ():
            if isinstance(part, nn.Linear):
                count.per_text += count.linear(part, reached)
                reached |= part.weight.requires_grad
    return FlopRates(count.per_token, count.per_pair, count.per_text, is_unpadded(backbone))


def _count_backbone(count: _Counter, backbone: PreTrainedModel, layers: nn.ModuleList) -> None:
    inside = set(layers.modules())
    pooler = getattr(backbone, "pooler", None)
    elsewhere = inside | (set(pooler.modules()) if pooler is not None else set())
    before = [part for part in backbone.modules() if part not in elsewhere]
    for part in before:
        if isinstance(part, nn.Linear):  # between embeddings of another size and the layers
            count.per_token += count.linear(part, input_has_gradient=False)
    reached = any(parameter.requires_grad for part in before for parameter in part.parameters(recurse=False))
    for layer in layers:
        below, reached = reached, reached or any(parameter.requires_grad for parameter in layer.parameters())
        recomputed = reached and bool(getattr(layer, "gradient_checkpointing", False))
        for name, part in _linear_maps(layer):
            first = bool(set(name) & _READS_THE_LAYERS_INPUT) and "lora_B" not in name
            count.per_token += count.linear(part, below if first else reached, recomputed)
        count.per_pair += count.product(4 * _attention_size(backbone), 2 if reached else 0, recomputed)


@dataclass
class _Counter:
    """Sums of operations for each token, pair of tokens and text."""

    training: bool
    grad_cache: bool
    per_token: float = 0.0
    per_pair: float = 0.0
    per_text: float = 0.0

    def linear(self, part: nn.Linear, input_has_gradient: bool, recomputed: bool = False) -> float:
        """The operations of a linear map for one row."""
        backward = int(input_has_gradient) + int(part.weight.requires_grad)
        return self.product(2 * part.in_features * part.out_features, backward, recomputed)

    def product(self, forward: float, backward: int, recomputed: bool) -> float:
        """The operations of a product: its forward cost, as often as it is computed.

        backward: products of the same size in the backward pass. recomputed: whether checkpointing repeats it there.
        """
        times = 1 if not self.training else 1 + int(self.grad_cache) + int(recomputed) + backward
        return float(forward * times)


def _linear_maps(layer: nn.Module) -> Iterator[tuple[list[str], nn.Linear]]:
    for name, part in layer.named_modules():
        if isinstance(part, nn.Linear):
            yield name.split("."), part


def _attention_size(backbone: PreTrainedModel) -> int:
    """The size of all attention heads of a layer together."""
    config = backbone.config
    heads: int = config.num_attention_heads
    size: int | None = getattr(config, "head_dim", None) or getattr(config, "d_kv", None)
    return heads * (size or config.hidden_size // heads)

"""Frozen linear maps in four bits (NF4 with double quantisation, Dettmers et al. 2023), below trained adapters.

bitsandbytes quantises and expands the numbers. Its own layers are not used, because they store a weight as a special
type of parameter, which checkpoints and merging would have to support. Here a weight is six ordinary buffers.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

_KIND = "nf4"
_BLOCK = 64  # weights that share a scale, as in the paper
_BLOCK_OF_SCALES = 256

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # on a CPU it recommends kernels that are not used here


class FourBitLinear(nn.Linear):
    """A frozen linear map whose weight takes about 0.52 bytes a number.

    Reading `weight` expands it, in the forward and again in the backward pass, so activations do not include it. The
    numbers are the same in training, in evaluation and in the saved encoder.
    """

    def __init__(self, linear: nn.Linear) -> None:
        """Quantises the weight of `linear` and shares its bias."""
        nn.Module.__init__(self)
        before = linear.weight.detach()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self._dtype = linear.weight.dtype
        packed, state = _functions().quantize_4bit(
            before.contiguous(), blocksize=_BLOCK, compress_statistics=True, quant_type=_KIND
        )
        self.register_parameter("bias", linear.bias)
        self.register_buffer("packed", packed)
        self.register_buffer("scales", state.absmax)
        self.register_buffer("code", state.code)
        self.register_buffer("scales_of_scales", state.state2.absmax)
        self.register_buffer("code_of_scales", state.state2.code)
        self.register_buffer("mean_of_scales", state.offset.reshape(1))
        self._squares = [float(each.double().square().sum()) for each in (self.weight.detach() - before, before)]

    @property
    def weight(self) -> Tensor:  # type: ignore[override]  # a parameter there
        """The numbers that the four bits stand for, of shape (out_features, in_features)."""
        functions, of = _functions(), cast("dict[str, Tensor]", dict(self.named_buffers(recurse=False)))
        scales = functions.QuantState(
            absmax=of["scales_of_scales"], blocksize=_BLOCK_OF_SCALES, code=of["code_of_scales"], dtype=torch.float32
        )
        state = functions.QuantState(
            absmax=of["scales"], shape=torch.Size((self.out_features, self.in_features)), code=of["code"],
            blocksize=_BLOCK, quant_type=_KIND, dtype=self._dtype, offset=of["mean_of_scales"].reshape(()),
            state2=scales,
        )  # fmt: skip
        expanded: Tensor = functions.dequantize_4bit(of["packed"], state)
        return expanded

    def forward(self, input: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return self._product(input)
        return cast(Tensor, checkpoint(self._product, input, use_reentrant=False, preserve_rng_state=False))

    def _product(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight.to(input.dtype), self.bias)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> FourBitLinear:
        """Moves the buffers to another device. Scales stay in float32 when the type of the encoder changes."""
        scales = {name: buffer for name, buffer in self.named_buffers(recurse=False) if buffer.is_floating_point()}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, before in scales.items():
            self.register_buffer(name, before.to(self.get_buffer(name).device))
        return self

    def expanded(self) -> nn.Linear:
        """An ordinary linear map with the same numbers."""
        linear = nn.Linear(self.in_features, self.out_features, self.bias is not None, device="meta")
        linear.weight = nn.Parameter(self.weight, requires_grad=False)
        linear.bias = self.bias
        return linear


def to_four_bits(backbone: nn.Module, names: list[str]) -> None:
    """Replaces the linear maps of these names. Raises ValueError without bitsandbytes."""
    for name in names:
        linear = backbone.get_submodule(name)
        assert isinstance(linear, nn.Linear), name
        backbone.set_submodule(name, FourBitLinear(linear))


def describe_four_bits(module: nn.Module) -> str | None:
    """How many maps are in four bits, and the norm of the change of their weights divided by the norm of these; None if
    there are none."""
    maps = [part for part in module.modules() if isinstance(part, FourBitLinear)]
    if not maps:
        return None
    changed, total = (sum(part._squares[place] for part in maps) for place in range(2))
    share = (changed / total) ** 0.5 if total else 0.0
    return (
        f"{len(maps)} linear maps in four bits; training starts {100 * share:.1f} % of their norm away from the "
        "weights of the encoder"
    )


def expanded_state_dict(module: nn.Module) -> dict[str, Tensor]:
    """The state dict that the module would have with ordinary linear maps of the same numbers."""
    state: dict[str, Tensor] = module.state_dict()
    for name, part in module.named_modules():
        if isinstance(part, FourBitLinear):
            start = f"{name}." if name else ""
            for buffer in dict(part.named_buffers(recurse=False)):
                del state[start + buffer]
            state[f"{start}weight"] = part.weight
    return state


def parameter_count(module: nn.Module) -> int:
    """The number of weights, those in four bits included."""
    four_bit = sum(part.in_features * part.out_features for part in module.modules() if isinstance(part, FourBitLinear))
    return four_bit + sum(parameter.numel() for parameter in module.parameters())


def digest_in_four_bits(digest: str) -> str:
    """A digest of quantised weights, derived from that of the weights that were quantised."""
    return hashlib.sha256(f"{digest} in {_KIND}".encode()).hexdigest()


def _functions() -> Any:
    try:
        from bitsandbytes import functional as functions
    except ImportError:
        raise ValueError(
            "tuning.four_bit: needs bitsandbytes, which is not installed; pip install 'babelbatch[qlora]', "
            "or set tuning=lora"
        ) from None
    return functions

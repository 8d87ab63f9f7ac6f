"""The weighted average of the weights of encoders of one architecture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from babelbatch.encoder.model import Encoder


def interpolated(encoders: Iterator[Encoder], weights: Sequence[float]) -> Encoder:
    """An encoder whose every weight is the sum of the encoders' own, each times its factor in `weights`.

    A factor of 1 beside zeros gives that encoder to the bit. Encoders are read one after the other, so that two are in
    memory at a time. Sums are in float32 at least. The result is the first encoder, changed in place.
    Raises ValueError if names, shapes or integers (buffers such as positions) of the encoders differ.
    """
    first = next(encoders)
    sums = {name: _scaled(tensor, weights[0]) for name, tensor in first.state_dict().items()}
    for number, (encoder, weight) in enumerate(zip(encoders, weights[1:], strict=True), 1):
        state = encoder.state_dict()
        if different := sorted(state.keys() ^ sums.keys()):
            raise ValueError(
                f"runs: encoders 0 and {number} do not have the same weights: {different[0]} is in one only"
            )
        for name, tensor in state.items():
            if tensor.shape != sums[name].shape:
                shapes = f"{tuple(sums[name].shape)} and {tuple(tensor.shape)}"
                raise ValueError(f"runs: encoders 0 and {number} have {name} in the shapes {shapes}")
            if tensor.is_floating_point():
                sums[name] += _scaled(tensor, weight)
            elif not torch.equal(tensor, sums[name]):
                raise ValueError(f"runs: encoders 0 and {number} differ in {name}, which is no weight")
    first.load_state_dict({name: total.to(first.state_dict()[name].dtype) for name, total in sums.items()})
    return first


def _scaled(tensor: Tensor, weight: float) -> Tensor:
    if not tensor.is_floating_point():
        return tensor.clone()
    wide = torch.promote_types(tensor.dtype, torch.float32)
    # Zero times an infinite weight would be no number.
    return tensor.to(wide) * weight if weight else torch.zeros_like(tensor, dtype=wide)

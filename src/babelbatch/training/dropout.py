"""Dropout on a CPU with masks from a generator that is several times as fast as torch's.

torch draws the numbers of a mask one by one, in one thread, with a Mersenne Twister. docs/performance.md has the cost.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import dropout, scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from babelbatch.encoder import Encoder, Role
from babelbatch.records import Padded

EncodeChunk = Callable[[Padded, Role], Tensor]


class FastDropout(TorchFunctionMode):
    """Inside this context `dropout` and `scaled_dot_product_attention` draw fast masks for tensors on a CPU.

    Each element becomes 0 with probability p, independently of the others. The rest are divided by 1 - p, as in torch.
    p is rounded to a multiple of 2^-32. Other functions that drop elements draw from torch's generator as usual. Do not
    use it around a module that the backward pass computes again: outside the context its masks would be others.

    seed: a non-negative integer that determines the masks.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._bits = np.random.SFC64(seed)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is dropout:
            return self._dropout(*args, **kwargs)
        if func is scaled_dot_product_attention:
            return self._attention(*args, **kwargs)
        return func(*args, **kwargs)

    def _dropout(self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not (training and 0 < p < 1 and _is_supported(input)):
            return dropout(input, p, training, inplace)
        mask = self._mask(input, p)
        return input.mul_(mask) if inplace else input * mask

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        if not (0 < dropout_p < 1 and _is_supported(query)):
            return scaled_dot_product_attention(
                query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
            )
        if enable_gqa:
            key, value = (each.repeat_interleave(query.shape[-3] // each.shape[-3], -3) for each in (key, value))
        if is_causal:
            attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
        found_type = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else query.dtype
        scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
        with _without_autocast():  # like torch: rounded inputs, but sums in float32
            query, key, value = (each.to(found_type).float() for each in (query, key, value))
            weights = _attention_weights((query * scale) @ key.transpose(-2, -1), attn_mask)
            return ((weights * self._mask(weights, dropout_p)) @ value).to(found_type)

    def _mask(self, like: Tensor, p: float) -> Tensor:
        """A tensor of this shape and type: 0 with probability p, else 1 / (1 - p)."""
        count = like.numel()
        integers = torch.from_numpy(self._bits.random_raw((count + 1) // 2).view(np.int32)[:count])
        lowest_kept = min(round(p * 2**32), 2**32 - 1) - 2**31  # the integers are uniform from -2^31 to 2^31 - 1
        bits_of_scale = int(np.array(1 / (1 - p), np.float32).view(np.int32))
        # 1 where an element is kept, else 0. Multiplied by the bits of 1 / (1 - p), that is the mask.
        bits = integers.ge_(lowest_kept).mul_(bits_of_scale)
        return bits.view(torch.float32).view(like.shape).to(like.dtype)


def draw_seed() -> int:
    """A seed, drawn from torch's generator."""
    return int(torch.empty((), dtype=torch.int64).random_())


def can_mask_fast(encoder: Encoder) -> bool:
    """Whether `FastDropout` can be used: in training on a CPU, unless something in the encoder is compiled, or computed
    again in the backward pass (activation checkpointing)."""
    if not encoder.training or next(encoder.parameters()).device.type != "cpu":
        return False
    return not any(
        module._compiled_call_impl is not None or getattr(module, "gradient_checkpointing", False)
        for module in encoder.modules()
    )


def draws_masks_only(encoder: Encoder, texts: Padded, role: Role) -> bool:
    """Whether, with fast masks, encoding the first of these texts draws nothing from torch's generator.

    If not, the encoder has random numbers of its own, which it may draw again in the backward pass, as Reformer does to
    compute its layers again. Nothing is changed by asking.
    """
    shared = (encoder.tokenizer, *encoder.parameters())  # not the buffers, which encoding may change
    state, separate = torch.get_rng_state(), copy.deepcopy(encoder, {id(each): each for each in shared})
    with torch.no_grad(), FastDropout(0):
        separate(Padded(texts.input_ids[:1], texts.attention_mask[:1]), role)
    unchanged = torch.equal(torch.get_rng_state(), state)
    torch.set_rng_state(state)
    return unchanged


def with_fast_dropout(encode: EncodeChunk) -> EncodeChunk:
    """`encode` with fast masks. Each call draws its own."""

    def encode_within(texts: Padded, role: Role) -> Tensor:
        with FastDropout(draw_seed()):
            return encode(texts, role)

    return encode_within


def _is_supported(tensor: Tensor) -> bool:
    """Whether a tensor can be masked here. Hooks for what is saved for the backward pass mean that it may be computed
    again there (`torch.utils.checkpoint` in a module's own code)."""
    if tensor.device.type != "cpu" or not tensor.is_floating_point() or tensor.dtype == torch.float64:
        return False
    return torch._C._autograd._top_saved_tensors_default_hooks(True) is None


def _attention_weights(scores: Tensor, mask: Tensor | None) -> Tensor:
    """The softmax of the scores over the last axis. A boolean mask says which scores count; any other mask is added to
    them. A row in which none counts is 0."""
    if mask is None:
        return scores.softmax(dim=-1)
    excluded = ~mask if mask.dtype == torch.bool else mask == -math.inf
    empty = excluded.all(dim=-1, keepdim=True)
    if mask.dtype == torch.bool:
        scores = scores.masked_fill(excluded & ~empty, -math.inf)
    else:
        scores = scores + mask.masked_fill(empty, 0.0)
    weights = scores.softmax(dim=-1)
    return weights.masked_fill(empty, 0.0) if bool(empty.any()) else weights


@contextmanager
def _without_autocast() -> Iterator[None]:
    enabled = torch.is_autocast_enabled("cpu")
    torch.set_autocast_enabled("cpu", False)  # not `torch.autocast`: its exit clears the cache of converted weights
    try:
        yield
    finally:
        torch.set_autocast_enabled("cpu", enabled)

"""Pooling: from the vectors of a text's tokens to one vector."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Pooling = Literal["cls", "mean", "pooler", "max", "last", "weighted_mean", "mean_sqrt_length"]


def pooled(states: Tensor, attention_mask: Tensor, pooling: Pooling) -> Tensor:
    """(rows, size) vectors from (rows, tokens, size) states, which are padded on the right. Padding is ignored.

    `cls`: the first token. `last`: the last token. `mean`, `max`: over all tokens. `weighted_mean`: token p, counted
    from 1, has the weight p. `mean_sqrt_length`: the sum divided by the square root of the number of tokens.
    A text without tokens gets zeros from each kind of mean.
    """
    if pooling == "cls":
        return states[:, 0]
    if pooling == "last":
        return states[torch.arange(len(states), device=states.device), attention_mask.sum(dim=1) - 1]
    if pooling == "max":
        return states.masked_fill(attention_mask.unsqueeze(-1) == 0, float("-inf")).amax(dim=1)
    places = attention_mask.cumsum(dim=1) if pooling == "weighted_mean" else 1
    weights = (attention_mask * places).unsqueeze(-1).to(states.dtype)
    total = weights.sum(dim=1).clamp(min=1)
    return (states * weights).sum(dim=1) / (total.sqrt() if pooling == "mean_sqrt_length" else total)

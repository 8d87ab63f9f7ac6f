"""How attention is computed: in one of transformers' ways, or over texts laid end to end, without any padding.

Laid end to end, every token that the backbone sees is a real one, and attention stays within each text. On a GPU torch
has kernels for that (fused attention on jagged tensors); on a CPU each run of equally long texts is one dense product.
"""

from __future__ import annotations

import importlib.util
from itertools import groupby
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

Attention = Literal["sdpa", "eager", "flash_attention_2", "unpadded"]

COUNT_POSITIONS_FROM_PADDING = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"}
_UNPADDED = "babelbatch_unpadded"
_UNPADDED_BACKBONES = {"bert", "roberta", "xlm-roberta", "camembert"}


def use_attention(backbone: PreTrainedModel, attention: Attention | None) -> None:
    """Makes a backbone compute its attention as asked; None leaves it to transformers (sdpa, where it can be had).

    Raises ValueError if the machine or the architecture cannot do it.
    """
    if attention is None:
        return
    architecture = backbone.config.model_type
    if attention == "flash_attention_2":
        if not torch.cuda.is_available():
            raise ValueError("encoder.attention: flash_attention_2 needs a GPU; set encoder.attention=sdpa")
        if importlib.util.find_spec("flash_attn") is None:
            raise ValueError(
                "encoder.attention: flash_attention_2 needs the package flash-attn (pip install flash-attn); "
                "encoder.attention=unpadded reaches torch's own flash kernels without it"
            )
    if attention == "unpadded" and architecture not in _UNPADDED_BACKBONES:
        raise ValueError(
            f"encoder.attention: unpadded is not supported for '{architecture}' (it is for "
            f"{', '.join(sorted(_UNPADDED_BACKBONES))}); set encoder.attention=sdpa"
        )
    name = _UNPADDED if attention == "unpadded" else attention
    try:
        backbone.set_attn_implementation(name)
    except (ValueError, ImportError) as error:
        raise _unusable(architecture, attention, str(error).splitlines()[0]) from error
    if backbone.config._attn_implementation != name or not backbone.is_backend_compatible():
        raise _unusable(architecture, attention, "its code does not let it be chosen")


def _unusable(architecture: str, attention: str, reason: str) -> ValueError:
    return ValueError(
        f"encoder.attention: '{architecture}' cannot use {attention} ({reason}); set encoder.attention=null"
    )


def is_unpadded(backbone: PreTrainedModel) -> bool:
    """Whether `use_attention` made this backbone one for `unpadded_states`."""
    return backbone.config._attn_implementation == _UNPADDED


def unpadded_states(backbone: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """(rows, longest row, hidden size) last hidden states, 0 where there is padding, computed from real tokens alone.

    The numbers are those of the padded computation. With dropout its masks are others, being drawn for other shapes.
    """
    real = attention_mask.flatten().nonzero().squeeze(1)  # a GPU is waited for here, once, and nowhere else
    positions = attention_mask.cumsum(dim=1) - 1 + first_position(backbone)
    states = backbone(
        input_ids=input_ids.flatten()[real].unsqueeze(0),
        position_ids=positions.flatten()[real].unsqueeze(0),
        cu_seq_lens_q=pad(attention_mask.sum(dim=1).cumsum(dim=0), (1, 0)),  # transformers hands these two on
        max_length_q=attention_mask.shape[1],
    ).last_hidden_state.squeeze(0)
    padded = states.new_zeros(attention_mask.numel(), states.shape[-1]).index_copy(0, real, states)
    return padded.unflatten(0, attention_mask.shape)


def first_position(backbone: PreTrainedModel) -> int:
    """The position id of a text's first token: RoBERTa and its kin count from the one after padding's."""
    config = backbone.config
    return config.pad_token_id + 1 if config.model_type in COUNT_POSITIONS_FROM_PADDING else 0


@torch.compiler.disable
def attend_within_texts(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    cu_seq_lens_q: Tensor,
    max_length_q: int,
    **_: object,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention of each token to those of its own text.

    query, key, value: (1, heads, tokens, size). cu_seq_lens_q: (texts + 1,) where each text begins, and the end.
    max_length_q: no text is longer. Returns (1, tokens, heads, size), as transformers asks of an attention function.
    """
    attend = _attend_jagged if query.is_cuda else _attend_by_length
    return attend(query, key, value, cu_seq_lens_q, max_length_q, dropout, scaling), None


def _attend_jagged(
    query: Tensor, key: Tensor, value: Tensor, offsets: Tensor, longest: int, dropout: float, scaling: float | None
) -> Tensor:
    jagged = [
        torch.nested.nested_tensor_from_jagged(
            states.squeeze(0).transpose(0, 1).contiguous(),
            offsets,
            min_seqlen=1,  # bounds are enough, and spare the GPU a wait for the exact values
            max_seqlen=longest,
        ).transpose(1, 2)
        for states in (query, key, value)
    ]
    attended = scaled_dot_product_attention(*jagged, dropout_p=dropout, scale=scaling)
    return attended.transpose(1, 2).values().unsqueeze(0)


def _attend_by_length(
    query: Tensor, key: Tensor, value: Tensor, offsets: Tensor, longest: int, dropout: float, scaling: float | None
) -> Tensor:
    runs = [(length, len(list(texts))) for length, texts in groupby(offsets.diff().tolist())]
    tokens = [length * texts for length, texts in runs]
    attended = []
    for (length, texts), *states in zip(
        runs, *(states.squeeze(0).split(tokens, dim=1) for states in (query, key, value)), strict=True
    ):
        by_text = (state.unflatten(1, (texts, length)) for state in states)  # (heads, texts, length, size)
        attended.append(scaled_dot_product_attention(*by_text, dropout_p=dropout, scale=scaling).flatten(1, 2))
    return torch.cat(attended, dim=1).transpose(0, 1).unsqueeze(0)


AttentionInterface.register(_UNPADDED, attend_within_texts)

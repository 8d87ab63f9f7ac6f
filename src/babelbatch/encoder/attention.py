"""How attention is computed: by one of transformers' implementations, or unpadded, over texts laid end to end.

Unpadded, the backbone processes real tokens only, and each attends to the tokens of its own text. On a GPU that is
torch's fused attention on jagged tensors, on a CPU one dense product for each run of equally long texts.
"""

from __future__ import annotations

import importlib.util
from itertools import groupby
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

Attention = Literal["sdpa", "eager", "flash_attention_2", "unpadded"]

COUNT_POSITIONS_FROM_PADDING = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"}
_UNPADDED = "babelbatch_unpadded"
_UNPADDED_BACKBONES = {"bert", "roberta", "xlm-roberta", "camembert"}


def use_attention(backbone: PreTrainedModel, attention: Attention | None) -> None:
    """Sets how a backbone computes attention; None leaves the choice to transformers (sdpa where available).

    Raises ValueError if the machine or the architecture does not support it.
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
        raise _not_usable(architecture, attention, str(error).splitlines()[0]) from error
    if backbone.config._attn_implementation != name or not backbone.is_backend_compatible():
        raise _not_usable(architecture, attention, "its code does not let it be chosen")


def _not_usable(architecture: str, attention: str, reason: str) -> ValueError:
    return ValueError(
        f"encoder.attention: '{architecture}' cannot use {attention} ({reason}); set encoder.attention=null"
    )


def is_unpadded(backbone: PreTrainedModel) -> bool:
    """Whether `use_attention` set this backbone to unpadded attention; then `unpadded_states` computes its states."""
    return bool(backbone.config._attn_implementation == _UNPADDED)


def unpadded_states(backbone: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """(rows, longest row, hidden size) last hidden states, computed from real tokens only; 0 at padding.

    They equal those of the padded computation, except that dropout masks, drawn for other shapes, differ.
    """
    real = attention_mask.flatten().nonzero().squeeze(1)  # the only synchronisation with a GPU
    positions = _positions(backbone, input_ids, attention_mask)
    states: Tensor = backbone(
        input_ids=input_ids.flatten()[real].unsqueeze(0),
        position_ids=positions.flatten()[real].unsqueeze(0),
        cu_seq_lens_q=pad(attention_mask.sum(dim=1).cumsum(dim=0), (1, 0)),  # transformers passes these two on
        max_length_q=attention_mask.shape[1],
    ).last_hidden_state.squeeze(0)
    flat = states.new_zeros(attention_mask.numel(), states.shape[-1]).index_copy(0, real, states)
    padded: Tensor = flat.unflatten(0, attention_mask.shape)
    return padded


def _positions(backbone: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """(rows, tokens) position ids, as transformers computes them: where they start after the padding id, padding
    tokens inside a text do not count."""
    config: Any = backbone.config
    if config.model_type not in COUNT_POSITIONS_FROM_PADDING:
        return attention_mask.cumsum(dim=1) - 1
    counted = attention_mask * input_ids.ne(config.pad_token_id)
    positions: Tensor = counted.cumsum(dim=1) * counted + config.pad_token_id
    return positions


def first_position(backbone: PreTrainedModel) -> int:
    """The position id of a text's first token: RoBERTa and its variants start after the padding id."""
    config: Any = backbone.config
    return int(config.pad_token_id) + 1 if config.model_type in COUNT_POSITIONS_FROM_PADDING else 0


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
    """Scaled dot-product attention of each token to the tokens of its own text.

    query, key, value: (1, heads, tokens, size). cu_seq_lens_q: (texts + 1,) start of each text, and the end.
    max_length_q: length of the longest text. Returns (1, tokens, heads, size), as transformers expects.
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
            min_seqlen=1,  # bounds suffice; exact values would need a synchronisation
            max_seqlen=longest,
        ).transpose(1, 2)
        for states in (query, key, value)
    ]
    attended = scaled_dot_product_attention(jagged[0], jagged[1], jagged[2], dropout_p=dropout, scale=scaling)
    return attended.transpose(1, 2).values().unsqueeze(0)


def _attend_by_length(
    query: Tensor, key: Tensor, value: Tensor, offsets: Tensor, longest: int, dropout: float, scaling: float | None
) -> Tensor:
    runs = [(length, len(list(texts))) for length, texts in groupby(offsets.diff().tolist())]
    tokens = [length * texts for length, texts in runs]
    attended = []
    by_run = (states.squeeze(0).split(tokens, dim=1) for states in (query, key, value))
    for (length, texts), *states in zip(runs, *by_run, strict=True):
        q, k, v = (state.unflatten(1, (texts, length)) for state in states)  # (heads, texts, length, size)
        attended.append(scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling).flatten(1, 2))
    return torch.cat(attended, dim=1).transpose(0, 1).unsqueeze(0)


AttentionInterface.register(_UNPADDED, torch.compiler.disable(attend_within_texts))

"""What a decoder needs to become an encoder: attention in both directions, or a last token that has read all others."""

from __future__ import annotations

import logging

import torch
from tokenizers import processors
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from babelbatch.encoder.attention import is_unpadded
from babelbatch.encoder.model import Encoder
from babelbatch.encoder.preflight import TEXTS, relative_difference, token_ids
from babelbatch.encoder.static_model import StaticModel

log = logging.getLogger(__name__)

_READ_ALL = {"last", "weighted_mean"}
"""Poolings that suit causal attention: later tokens, which have read more, count more (Muennighoff 2022, SGPT)."""

_FEW = 4  # tokens, so that a sliding window contains them all
_NOTHING = 1e-6  # a relative difference that is rounding


def set_direction(config: PreTrainedConfig, bidirectional: bool | None) -> None:
    """Makes the attention of a model that is loaded with this configuration bidirectional or causal; None changes
    nothing. transformers reads `is_causal` from the configuration, so the choice is saved with the model."""
    for part in (config, config.get_text_config()):  # a model of several media has one for its text
        if bidirectional is not None and bidirectional is getattr(part, "is_causal", True):
            part.is_causal = not bidirectional


def check_direction(encoder: Encoder, name: str, *, bidirectional: bool | None, pooling_is_stored: bool) -> None:
    """Raises ValueError if attention is not as `bidirectional` demands; warns of a pooling that suits it badly.

    bidirectional: None accepts any. pooling_is_stored: whether the model's files state the pooling, so that its authors
    trained it so. name: of the model, for messages.
    """
    backbone = encoder.tower("query").backbone
    if isinstance(backbone, StaticModel) and bidirectional is not None:
        raise ValueError(f"encoder.bidirectional: {name} is a static embedding, without attention; leave it out")
    by_hardware = backbone.config._attn_implementation == "flash_attention_2"  # it needs a GPU to find out
    if by_hardware or is_unpadded(backbone) or isinstance(backbone, StaticModel):
        return
    causal = _is_causal(encoder, backbone)
    if bidirectional is not None and bidirectional is causal:
        kind = "causal" if causal else "bidirectional"
        raise ValueError(
            f"encoder.bidirectional: {name} is {kind}, and its code ({backbone.config.model_type}) does not let that "
            "be changed; leave it out"
        )
    pooling = encoder.settings.pooling
    if causal and pooling not in _READ_ALL and not pooling_is_stored:
        log.warning(
            "%s is a decoder: a token attends to earlier ones only, so pooling=%s mostly pools states that have not "
            "read the text; set encoder.pooling=last with encoder.append_eos=true, or encoder.bidirectional=true",
            name, pooling,
        )  # fmt: skip


def _is_causal(encoder: Encoder, backbone: PreTrainedModel) -> bool:
    """Whether later tokens read earlier ones only: the last state depends on the first token, but not the first state
    on the last token."""
    ids = token_ids(encoder, TEXTS[1], "passage")[:_FEW]
    other = next((id_ for id_ in token_ids(encoder, TEXTS[1], "passage") if id_ not in (ids[0], ids[-1])), None)
    if other is None:  # a tokenizer that knows no word of the text
        return False
    training = backbone.training
    backbone.eval()
    try:
        with torch.inference_mode():
            states, other_last, other_first = (
                backbone(input_ids=torch.tensor([row]), attention_mask=torch.ones(1, len(row), dtype=torch.int64))
                .last_hidden_state[0]
                .float()
                for row in (ids, [*ids[:-1], other], [other, *ids[1:]])
            )
    finally:
        backbone.train(training)
    first_reads_last = relative_difference(states[0], other_last[0]) > _NOTHING
    last_reads_first = relative_difference(states[-1], other_first[-1]) > _NOTHING
    return last_reads_first and not first_reads_last


def append_eos(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Makes a tokenizer end each text with its end-of-text token, also a text that is cut off. One that does so already
    is unchanged. The change is saved with the tokenizer.

    Raises ValueError if it has no such token, or is not a fast tokenizer. name: of the model, for messages.
    """
    eos, eos_id = tokenizer.eos_token, tokenizer.eos_token_id
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if eos is None or backend is None:
        reason = "has no end-of-text token" if eos is None else "is written in Python"
        raise ValueError(f"encoder.append_eos: the tokenizer of {name} {reason}; leave it out")
    if tokenizer("a")["input_ids"][-1] == eos_id:
        return
    ending = processors.TemplateProcessing(single=f"$A {eos}", special_tokens=[(eos, eos_id)])
    before = backend.post_processor
    backend.post_processor = ending if before is None else processors.Sequence([before, ending])

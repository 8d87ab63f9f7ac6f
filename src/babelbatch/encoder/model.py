"""From token ids to one vector a text."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from babelbatch.encoder.attention import is_unpadded, unpadded_states
from babelbatch.records import Padded

Pooling = Literal["cls", "mean", "pooler"]
Role = Literal["question", "passage"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How texts become vectors, apart from the weights.

    pooling: `cls`: the first token; `mean`: the mean over real tokens; `pooler`: the backbone's own head on the first
        token (dense and tanh), as LaBSE uses.
    question_prefix, passage_prefix: put in front of each text of that role.
    question_length, passage_length: tokens kept, special ones included.
    dimensions: size of a linear projection on top, or None for none.
    normalise: scale to unit length, so that the dot product is the cosine.
    shared: one set of weights for both roles; else two, equal at the start.
    """

    pooling: Pooling = "mean"
    question_prefix: str = ""
    passage_prefix: str = ""
    question_length: int = 64
    passage_length: int = 256
    dimensions: int | None = None
    normalise: bool = True
    shared: bool = True

    def prefix(self, role: Role) -> str:
        return self.question_prefix if role == "question" else self.passage_prefix

    def max_length(self, role: Role) -> int:
        return self.question_length if role == "question" else self.passage_length


class Encoder(nn.Module):
    """A dual encoder. `tokenizer` and `settings` say how to make its input, `forward` takes it from there."""

    def __init__(self, backbone: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, settings: Settings) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.settings = settings
        if settings.pooling != "pooler" and getattr(backbone, "pooler", None) is not None:
            backbone.pooler = None  # an unused head would only collect weight decay and break DDP
        question = _Tower(backbone, settings)
        towers = {"question": question, "passage": question if settings.shared else copy.deepcopy(question)}
        self.towers = nn.ModuleDict(towers)

    @property
    def dimensions(self) -> int:
        """The size of a vector."""
        tower = self.towers["question"]
        return self.settings.dimensions or tower.backbone.config.hidden_size

    def forward(self, texts: Padded, role: Role) -> Tensor:
        """(rows, dimensions) vectors of tokenised texts."""
        return self.towers[role](texts.input_ids, texts.attention_mask)


class _Tower(nn.Module):
    def __init__(self, backbone: PreTrainedModel, settings: Settings) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = settings.pooling
        self.normalise = settings.normalise
        size = settings.dimensions
        self.projection = None if size is None else nn.Linear(backbone.config.hidden_size, size, bias=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        if is_unpadded(self.backbone):
            states = unpadded_states(self.backbone, input_ids, attention_mask)
            pooled = self.backbone.pooler(states) if self.pooling == "pooler" else None
        else:
            output = self.backbone(input_ids=input_ids, attention_mask=attention_mask)
            states, pooled = output.last_hidden_state, output.get("pooler_output")
        if self.pooling == "pooler":
            vectors = pooled
        elif self.pooling == "cls":
            vectors = states[:, 0]
        else:
            weights = attention_mask.unsqueeze(-1).to(states.dtype)
            vectors = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)  # no token: zeros
        if self.projection is not None:
            vectors = self.projection(vectors)
        return torch.nn.functional.normalize(vectors, dim=-1) if self.normalise else vectors

"""The dual encoder: from token ids to one vector per text."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from babelbatch.encoder.attention import is_unpadded, unpadded_states
from babelbatch.encoder.dense import Dense, dense_layers
from babelbatch.encoder.pooling import Pooling, pooled
from babelbatch.records import Padded

Role = Literal["query", "passage"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How texts become vectors, apart from the weights.

    pooling: how token vectors are combined, see `pooled`; `pooler`: the backbone's own head on the first token (dense
        and tanh), as LaBSE uses.
    query_prefix, passage_prefix: prepended to each text of that role.
    query_prompts: prefixes of the queries of single tasks, in place of `query_prefix`: task -> prefix. A task is a
        benchmark, or a part of a mixture of corpora, by its name in the configuration.
    query_length, passage_length: longest texts in tokens, special ones included; longer ones are cut off.
    dimensions: size of a linear projection after the pooling and the dense layers; None for no projection.
    normalise: scale to unit length, so that the dot product is the cosine.
    shared: one set of weights for both roles; else two, equal at the start.
    dense: layers after the pooling, of a published model that has some.
    """

    pooling: Pooling = "mean"
    query_prefix: str = ""
    passage_prefix: str = ""
    query_length: int = 64
    passage_length: int = 256
    dimensions: int | None = None
    normalise: bool = True
    shared: bool = True
    dense: tuple[Dense, ...] = ()
    query_prompts: Mapping[str, str] = field(default_factory=dict)

    def prefix(self, role: Role, task: str | None = None) -> str:
        """What is prepended to a text of a role; to a query of a task, its own prompt if it has one."""
        if role == "passage":
            return self.passage_prefix
        return self.query_prompts.get(task or "", self.query_prefix)

    def max_length(self, role: Role) -> int:
        return self.query_length if role == "query" else self.passage_length


class Encoder(nn.Module):
    """A dual encoder: one tower for queries, one for passages, which may be the same.

    `tokenizer` and `settings` determine the input of `forward`, see `evaluation.encoding.tokenise_texts`.
    """

    def __init__(self, backbone: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.settings = settings
        if settings.pooling != "pooler" and getattr(backbone, "pooler", None) is not None:
            backbone.register_module("pooler", None)  # an unused head would only collect weight decay and break DDP
        query = Tower(backbone, settings)
        towers = {"query": query, "passage": query if settings.shared else copy.deepcopy(query)}
        self.towers = nn.ModuleDict(towers)
        self.register_load_state_dict_pre_hook(  # type: ignore[no-untyped-call]  # torch does not annotate it
            _rename_former_tower
        )

    @property
    def dimensions(self) -> int:
        """The size of a vector."""
        layers = [layer.size for layer in self.settings.dense]
        return self.settings.dimensions or [hidden_size(self.tower("query").backbone), *layers][-1]

    def tower(self, role: Role) -> Tower:
        """The tower that encodes texts of a role."""
        tower = self.towers[role]
        assert isinstance(tower, Tower)
        return tower

    def forward(self, texts: Padded, role: Role) -> Tensor:
        """(rows, dimensions) vectors of tokenised texts."""
        vectors: Tensor = self.towers[role](texts.input_ids, texts.attention_mask)
        return vectors


def _rename_former_tower(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Renames the query tower in checkpoints of earlier versions, which call it `question`."""
    former = f"{prefix}towers.question."
    for name in [name for name in state if name.startswith(former)]:
        state[f"{prefix}towers.query.{name.removeprefix(former)}"] = state.pop(name)


class Tower(nn.Module):
    """Backbone, pooling, dense layers, projection and normalisation of one role."""

    projection: nn.Linear | None

    def __init__(self, backbone: PreTrainedModel, settings: Settings) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = settings.pooling
        self.normalise = settings.normalise
        states = hidden_size(backbone)
        self.dense = dense_layers(states, settings.dense)
        inputs = settings.dense[-1].size if settings.dense else states
        size = settings.dimensions
        self.projection = None if size is None else nn.Linear(inputs, size, bias=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(rows, dimensions) vectors from (rows, tokens) ids and mask."""
        if is_unpadded(self.backbone):
            states = unpadded_states(self.backbone, input_ids, attention_mask)
            head = self.backbone.get_submodule("pooler")(states) if self.pooling == "pooler" else None
        else:
            output = self.backbone(input_ids=input_ids, attention_mask=attention_mask)
            states, head = output.last_hidden_state, output.get("pooler_output")
        if self.backbone.dtype != torch.float32:
            states, head = states.float(), None if head is None else head.float()
        vectors = head if self.pooling == "pooler" else pooled(states, attention_mask, self.pooling)
        vectors = self.dense(vectors)
        if self.projection is not None:
            vectors = self.projection(vectors)
        return torch.nn.functional.normalize(vectors, dim=-1) if self.normalise else vectors


def hidden_size(backbone: PreTrainedModel) -> int:
    """The size of the states. A model of several media has one for its text. Raises ValueError if there is none."""
    config = backbone.config.get_text_config()
    if not isinstance(size := getattr(config, "hidden_size", None), int):
        raise ValueError(
            f"encoder.name_or_path: {backbone.name_or_path} is a '{config.model_type}', whose configuration has no "
            "size of states (hidden_size); this architecture is not supported"
        )
    return size

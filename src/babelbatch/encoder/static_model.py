"""Token embeddings without a transformer, as a Hugging Face model: a cheap lower bound."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput


class StaticConfig(PreTrainedConfig):
    """Configuration of a `StaticModel`. kwargs: what Hugging Face stores about every model."""

    model_type = "babelbatch_static"

    def __init__(self, vocab_size: int = 8000, hidden_size: int = 128, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size


class StaticModel(PreTrainedModel):
    """last_hidden_state is the embedding of each token, independent of its context."""

    config_class = StaticConfig
    base_model_prefix = "static"

    def __init__(self, config: StaticConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.post_init()  # type: ignore[no-untyped-call]  # transformers does not annotate it

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embedding

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> BaseModelOutput:
        return BaseModelOutput(last_hidden_state=self.embedding(input_ids))


AutoConfig.register(StaticConfig.model_type, StaticConfig)
AutoModel.register(StaticConfig, StaticModel)


def new_static_model(vocab_size: int, hidden_size: int) -> StaticModel:
    """A static model with standard normal embeddings from torch's global generator."""
    return StaticModel(StaticConfig(vocab_size=vocab_size, hidden_size=hidden_size))


def static_model(embeddings: Tensor) -> StaticModel:
    """A static model with the given (tokens, size) embeddings."""
    model = new_static_model(*embeddings.shape)
    model.embedding.weight = nn.Parameter(embeddings.clone())
    return model

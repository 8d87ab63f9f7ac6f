"""Token embeddings and nothing else, in the shape of a Hugging Face model: the cheap floor."""

from __future__ import annotations

from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput


class StaticConfig(PreTrainedConfig):
    model_type = "babelbatch_static"

    def __init__(self, vocab_size: int = 8000, hidden_size: int = 128, **kwargs: object) -> None:
        # Hugging Face passes what it stores about every model through here.
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size


class StaticModel(PreTrainedModel):
    """last_hidden_state is the embedding of each token, whatever stands beside it."""

    config_class = StaticConfig
    base_model_prefix = "static"

    def __init__(self, config: StaticConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.post_init()

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


def static_model(table: Tensor) -> StaticModel:
    """A static model of the (tokens, size) embeddings that are given."""
    model = new_static_model(*table.shape)
    model.embedding.weight = nn.Parameter(table.clone())
    return model

"""Models that bring code of their own: what transformers leaves uninitialised in them is computed again."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModel

from babelbatch.encoder import Encoder, check_saved, pretrained, unstored_buffers_digest, weights_digest
from babelbatch.encoder.backbones import train_tokenizer
from babelbatch.encoder.remote_code import uninitialised_as_nan
from babelbatch.evaluation.encoding import encode

TEXTS = ["red green blue", "green", "blue and grey and white", "grün und blau"]
SIZE = 8
CODE = """
import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput


class RemoteConfig(PreTrainedConfig):
    model_type = "remote_{name}"

    def __init__(self, vocab_size=80, hidden_size=8, **rest):
        super().__init__(**rest)
        self.vocab_size, self.hidden_size = vocab_size, hidden_size


class RemoteModel(PreTrainedModel):
    config_class = RemoteConfig

    def __init__(self, config):
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        {made}
        self.post_init()

    def _init_weights(self, module):
        pass

    def get_input_embeddings(self):
        return self.embedding

    def forward(self, input_ids, attention_mask=None, **rest):
        return BaseModelOutput(last_hidden_state=self.embedding(input_ids) * self.scale)
"""
BUFFER = 'self.register_buffer("scale", {value}, persistent=False)'
FREQUENCIES = "torch.arange(1.0, config.hidden_size + 1)"


def folder_of(tmp_path: Path, name: str, made: str) -> Path:
    """A model that multiplies its embeddings by what its constructor makes."""
    folder = tmp_path / name
    tokenizer = train_tokenizer(TEXTS, 80)
    tokenizer.save_pretrained(folder)
    (folder / f"code_{name}.py").write_text(CODE.replace("{name}", name).replace("{made}", made))
    (folder / "config.json").write_text(
        f'{{"model_type": "remote_{name}", "vocab_size": {len(tokenizer)}, "hidden_size": {SIZE}, "auto_map": '
        f'{{"AutoConfig": "code_{name}.RemoteConfig", "AutoModel": "code_{name}.RemoteModel"}}}}'
    )
    weights = torch.randn(len(tokenizer), SIZE, generator=torch.Generator().manual_seed(0))
    save_file({"embedding.weight": weights}, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def loaded(folder: Path) -> Encoder:
    return pretrained(str(folder), pooling="mean", normalise=False, trust_remote_code=True)


def true_vector(encoder: Encoder, text: str) -> np.ndarray:
    ids = encoder.tokenizer(text)["input_ids"]
    rows = encoder.tower("query").backbone.get_input_embeddings().weight.detach()[ids]
    return (rows.mean(dim=0) * torch.arange(1.0, SIZE + 1)).numpy()


@pytest.mark.parametrize(
    "made",
    [BUFFER.replace("{value}", FREQUENCIES), f"self.scale = {FREQUENCIES}"],
    ids=["buffer", "attribute"],
)
def test_what_no_file_stores_is_computed_again(
    made: str, request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = request.node.callspec.id
    folder = folder_of(tmp_path, name, made)
    with uninitialised_as_nan():
        scale = AutoModel.from_pretrained(folder, trust_remote_code=True).scale
    assert scale.is_meta or scale.isnan().all(), "transformers restores it: this module has become unnecessary"
    encoder = loaded(folder)
    assert caplog.messages[-1] == (
        f"{folder}: transformers leaves what its code computes and does not store uninitialised (scale); it is "
        "computed again here, but sentence-transformers and AutoModel do not do so, and would give other vectors"
    )
    expected = [true_vector(encoder, text) for text in TEXTS]
    np.testing.assert_allclose(encode(encoder, TEXTS, "query", 1_000), expected, rtol=1e-5)
    check_saved(encoder, "it", tmp_path / "untrained", trust_remote_code=True)


def test_what_is_random_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "random", BUFFER.replace("{value}", "torch.rand(config.hidden_size)"))
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="random") as caught:
        loaded(folder)
    assert torch.equal(torch.get_rng_state(), before)
    assert str(caught.value) == (
        f"encoder.name_or_path: the code of {folder} draws scale at random and does not store it, so each process "
        "would have another model; register it as a persistent buffer and save the model again, or use another model"
    )


def test_no_code_is_run_unasked(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "unasked", "raise AssertionError")
    with pytest.raises(ValueError, match="code") as caught:
        pretrained(str(folder), pooling="mean")
    assert str(caught.value) == (
        f"encoder.trust_remote_code: {folder} needs code that it brings with it; read that code, then set "
        "encoder.trust_remote_code=true with encoder.name_or_path"
    )


def test_what_cannot_be_found_is_refused(tmp_path: Path) -> None:
    """A tensor in a list is neither a buffer nor an attribute. It cannot pass as numbers."""
    made = f"self.hidden = [{FREQUENCIES}]\n        self.__class__.scale = property(lambda self: self.hidden[0])"
    folder = folder_of(tmp_path, "listed", made)
    with pytest.raises(ValueError, match="meta") as caught:
        loaded(folder)
    assert str(caught.value) == (
        f"encoder.name_or_path: {folder} cannot encode a text (RuntimeError: Tensor on device meta is not on the "
        "expected device cpu!); it is not an encoder of text, or its code does not fit this version of transformers; "
        "use another model"
    )


def test_a_model_that_stores_everything_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = folder_of(tmp_path, "stored", "self.scale = 1.0")
    with caplog.at_level(logging.WARNING):
        encoder = loaded(folder)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    expected = [true_vector(encoder, text) / np.arange(1.0, SIZE + 1) for text in TEXTS]
    np.testing.assert_allclose(encode(encoder, TEXTS, "query", 1_000), expected, rtol=1e-5)


def test_the_switches_of_torch_are_put_back() -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    with uninitialised_as_nan():
        assert torch.empty(3).isnan().all()
    assert not torch.are_deterministic_algorithms_enabled()


def test_cached_vectors_are_those_of_the_same_buffers(tmp_path: Path) -> None:
    encoder = loaded(folder_of(tmp_path, "cached", BUFFER.replace("{value}", FREQUENCIES)))
    backbone = encoder.tower("query").backbone
    cache, weights, buffers = tmp_path / "vectors", weights_digest(encoder), unstored_buffers_digest(encoder)
    before = encode(encoder, TEXTS, "query", 1_000, cache)
    backbone.scale *= 2
    assert (weights_digest(encoder), unstored_buffers_digest(encoder) == buffers) == (weights, False)
    np.testing.assert_allclose(encode(encoder, TEXTS, "query", 1_000, cache), 2 * before, rtol=1e-6)
    assert len(list(cache.iterdir())) == 2

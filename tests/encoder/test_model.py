"""From token ids to vectors, and from a folder to an encoder and back."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from babelbatch.encoder import Encoder, load, load_architecture, pretrained, save, save_architecture, static, tiny
from babelbatch.encoder.backbones import split_runs, train_tokenizer
from babelbatch.encoder.model import Settings
from babelbatch.records import Padded
from babelbatch.tokens import tokenise

TEXTS = ["red green blue", "green", "blue and grey and white", "grün und blau"]


def new(kind: Callable[..., Encoder] = tiny, **options: object) -> Encoder:
    if kind is tiny:
        options = {"layers": 1, "heads": 2} | options
    torch.manual_seed(0)
    return kind(TEXTS, vocab_size=60, hidden_size=16, **options)


def padded(encoder: Encoder, rows: list[int] | None = None) -> Padded:
    tokens = tokenise(TEXTS, encoder.tokenizer, prefix="", max_length=40, description="")
    return tokens.padded(range(4) if rows is None else rows)


def hidden_states(encoder: Encoder, texts: Padded) -> Tensor:
    backbone = encoder.towers["query"].backbone
    return backbone(input_ids=texts.input_ids, attention_mask=texts.attention_mask).last_hidden_state


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("dimensions", [None, 8])
@pytest.mark.parametrize("pooling", ["cls", "mean", "pooler"])
def test_pooling_by_hand(pooling, dimensions, normalise):
    made = new(pooling=pooling)
    settings = replace(made.settings, dimensions=dimensions, normalise=normalise)
    encoder = Encoder(made.towers["query"].backbone, made.tokenizer, settings).eval()
    texts = padded(encoder)
    hidden = hidden_states(encoder, texts)
    lengths = texts.attention_mask.sum(dim=1).tolist()
    assert len(set(lengths)) > 1  # there is padding to ignore
    if pooling == "cls":
        expected = hidden[:, 0]
    elif pooling == "mean":
        expected = torch.stack([hidden[row, :length].mean(dim=0) for row, length in enumerate(lengths)])
    else:
        dense = encoder.towers["query"].backbone.pooler.dense
        expected = torch.tanh(hidden[:, 0] @ dense.weight.T + dense.bias)
    if dimensions is not None:
        weight = encoder.towers["query"].projection.weight
        assert weight.shape == (8, 16)
        expected = expected @ weight.T
    if normalise:
        expected = expected / expected.norm(dim=1, keepdim=True)
    found = encoder(texts, "query")
    assert encoder.dimensions == found.shape[1] == (dimensions or 16)
    torch.testing.assert_close(found, expected)
    assert torch.equal(encoder(texts, "passage"), found)


def test_static_is_the_mean_of_embeddings():
    encoder = new(static)
    texts = padded(encoder)
    table = encoder.towers["query"].backbone.embedding.weight
    rows = [texts.input_ids[row][texts.attention_mask[row] == 1] for row in range(4)]
    expected = normalize(torch.stack([table[ids].mean(dim=0) for ids in rows]), dim=1)
    torch.testing.assert_close(encoder(texts, "passage"), expected)


@pytest.mark.parametrize("kind", [tiny, static])
def test_padding_changes_nothing(kind):
    encoder = new(kind).eval()
    together = encoder(padded(encoder), "passage")
    for row in range(4):
        torch.testing.assert_close(encoder(padded(encoder, [row]), "passage")[0], together[row], atol=1e-6, rtol=1e-5)


def test_unused_head_is_gone():
    """It would only collect weight decay."""
    assert not [name for name in new(pooling="mean").state_dict() if "pooler" in name]
    assert [name for name in new(pooling="pooler").state_dict() if "pooler" in name]
    config = BertConfig(vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    settings = Settings(pooling="cls")
    encoder = Encoder(BertModel(config), new().tokenizer, settings)
    assert not [name for name in encoder.state_dict() if "pooler" in name]


def test_dropout_is_on_in_training_and_off_in_evaluation():
    encoder = new(dropout=0.5)
    texts = padded(encoder)
    assert encoder.training
    assert not torch.equal(encoder(texts, "query"), encoder(texts, "query"))
    encoder.eval()
    assert torch.equal(encoder(texts, "query"), encoder(texts, "query"))


def test_a_loaded_encoder_trains_with_dropout_too(tmp_path):
    """transformers loads in evaluation mode; Lightning leaves modes as they are."""
    save(new(dropout=0.5, shared=False), tmp_path)
    for encoder in (load(tmp_path), pretrained(str(tmp_path)), load_architecture(tmp_path, tmp_path / "step.ckpt")):
        modes = {name: module.training for name, module in encoder.named_modules()}
        assert all(modes.values()), [name for name, training in modes.items() if not training][:3]


def test_one_tower_for_both_roles():
    encoder = new()
    assert encoder.towers["query"] is encoder.towers["passage"]
    names = [name for name, _ in encoder.named_parameters()]
    assert all(name.startswith("towers.query.") for name in names)


def test_separate_towers_are_equal_at_the_start_and_trained_apart():
    encoder = new(shared=False, dimensions=8, dropout=0.0)
    texts = padded(encoder)
    start = encoder(texts, "query").detach()
    assert torch.equal(encoder(texts, "passage"), start)
    optimizer = torch.optim.SGD(encoder.parameters(), lr=1.0)
    encoder(texts, "passage")[:, 0].sum().backward()
    assert all(parameter.grad is None for parameter in encoder.towers["query"].parameters())
    optimizer.step()
    assert torch.equal(encoder(texts, "query"), start)
    assert not torch.allclose(encoder(texts, "passage"), start)


def test_the_positions_of_tiny_hold_its_lengths():
    """A text of exactly `passage_length` tokens goes through."""
    encoder = new(query_length=5, passage_length=9).eval()
    full = Padded(torch.full((1, 9), 5), torch.ones(1, 9, dtype=torch.int64))
    assert torch.isfinite(encoder(full, "passage")).all()


def moved(encoder: Encoder) -> Encoder:
    """With every weight moved, so that nothing can come back by starting anew."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return encoder


FORMS = [
    pytest.param(tiny, {}, id="shared"),
    pytest.param(tiny, {"pooling": "cls", "dimensions": 8}, id="projected"),
    pytest.param(tiny, {"pooling": "pooler"}, id="pooler"),
    pytest.param(tiny, {"shared": False}, id="separate"),
    pytest.param(tiny, {"shared": False, "dimensions": 8}, id="separate-projected"),
    pytest.param(static, {}, id="static"),
    pytest.param(static, {"shared": False}, id="static-separate"),
]


@pytest.mark.parametrize(("kind", "options"), FORMS)
def test_save_and_load(tmp_path, kind, options):
    encoder = moved(new(kind, **options)).eval()
    save(encoder, tmp_path / "here" / "encoder")
    back = load(tmp_path / "here" / "encoder").eval()
    assert back.settings == encoder.settings
    assert back.dimensions == encoder.dimensions
    texts = padded(encoder)
    assert torch.equal(padded(back).input_ids, texts.input_ids)
    for role in ("query", "passage"):
        assert torch.equal(back(texts, role), encoder(texts, role))
    assert back.state_dict().keys() == encoder.state_dict().keys()


@pytest.mark.parametrize(("kind", "options"), FORMS)
def test_architecture_and_weights(tmp_path, kind, options):
    encoder = moved(new(kind, **options)).eval()
    save_architecture(encoder, tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))
    back = load_architecture(tmp_path, tmp_path / "step.ckpt").eval()
    texts = padded(encoder)
    assert back.settings == encoder.settings
    assert torch.equal(padded(back).input_ids, texts.input_ids)
    assert not torch.equal(back(texts, "query"), encoder(texts, "query"))
    back.load_state_dict(encoder.state_dict())
    for role in ("query", "passage"):
        assert torch.equal(back(texts, role), encoder(texts, role))


@pytest.mark.parametrize(("kind", "options"), FORMS)
def test_transformers_reads_a_saved_folder(tmp_path, kind, options):
    encoder = moved(new(kind, **options)).eval()
    save(encoder, tmp_path)
    texts = padded(encoder)
    model = AutoModel.from_pretrained(tmp_path, dtype=torch.float32)
    output = model(input_ids=texts.input_ids, attention_mask=texts.attention_mask)
    assert torch.equal(output.last_hidden_state, hidden_states(encoder, texts))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer(TEXTS)["input_ids"] == encoder.tokenizer(TEXTS)["input_ids"]


def test_saving_again_replaces(tmp_path):
    """As a run does that is repeated with other settings in the same folder."""
    save(moved(new(shared=False, dimensions=8)), tmp_path)
    encoder = new()
    save(encoder, tmp_path)
    back = load(tmp_path)
    assert back.settings == encoder.settings
    texts = padded(encoder)
    assert torch.equal(back.eval()(texts, "passage"), encoder.eval()(texts, "passage"))


def test_settings_of_the_folder_and_those_asked_for(tmp_path):
    save(new(pooling="cls", query_length=10, passage_length=20), tmp_path)
    kept = Settings(pooling="cls", query_length=10, passage_length=20)
    assert pretrained(str(tmp_path)).settings == kept
    asked = {"pooling": "mean", "query_prefix": "Query: ", "passage_length": 15, "dimensions": 4, "shared": False}
    found = pretrained(str(tmp_path), **asked, normalise=False)
    assert found.settings == Settings(query_length=10, normalise=False, **asked)
    assert found.dimensions == 4


def test_plain_hugging_face_folder(tmp_path):
    encoder = new(passage_length=256)
    encoder.towers["query"].backbone.save_pretrained(tmp_path)
    encoder.tokenizer.save_pretrained(tmp_path)
    found = pretrained(str(tmp_path), pooling="cls")
    assert found.settings == Settings(pooling="cls")  # 64 and 256 tokens, normalised, shared
    texts = padded(encoder)
    expected = normalize(hidden_states(encoder.eval(), texts)[:, 0], dim=1)
    torch.testing.assert_close(found.eval()(texts, "query"), expected)


def message_of(load_it: Callable[[], object]) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers compare the whole message
        load_it()
    return str(caught.value)


def test_missing_folder(tmp_path):
    for name in (f"{tmp_path}/nothing", "./nothing", "../nothing/here", "~/nothing-here"):
        assert message_of(lambda name=name: pretrained(name)) == f"encoder.name_or_path: there is no folder {name}"


def test_folder_without_configuration(tmp_path):
    assert message_of(lambda: pretrained(str(tmp_path))) == (
        f"encoder.name_or_path: {tmp_path} has no config.json; it is not a Hugging Face model folder"
    )


def test_folder_without_weights(tmp_path):
    save_architecture(new(), tmp_path)
    assert message_of(lambda: pretrained(str(tmp_path))) == (
        f"encoder.name_or_path: {tmp_path} has no weights (model.safetensors or pytorch_model.bin); "
        "save the model there again with save_pretrained"
    )


def test_folder_without_tokenizer(tmp_path):
    new().towers["query"].backbone.save_pretrained(tmp_path)
    found = message_of(lambda: pretrained(str(tmp_path), query_length=20, passage_length=20))
    assert found.startswith(f"encoder.name_or_path: no tokenizer could be loaded from '{tmp_path}' (")
    assert found.endswith("); give a folder that holds it, or a hub name while the hub can be reached")


def test_configuration_of_an_unknown_model(tmp_path):
    save(new(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "not-a-model"}))
    found = message_of(lambda: pretrained(str(tmp_path)))
    assert re.fullmatch(
        re.escape(f"encoder.name_or_path: no model could be loaded from '{tmp_path}' (")
        + ".*not-a-model.*"
        + re.escape("); give a folder that holds it, or a hub name while the hub can be reached"),
        found,
    )


def test_hub_name_offline():
    found = message_of(lambda: pretrained("babelbatch/there-is-no-such-model"))
    assert found.startswith("encoder.name_or_path: no model could be loaded from 'babelbatch/there-is-no-such-model' (")
    assert found.endswith("); give a folder that holds it, or a hub name while the hub can be reached")


def test_damaged_weights(tmp_path):
    save(new(), tmp_path)
    (tmp_path / "checksums.json").unlink()
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    assert message_of(lambda: pretrained(str(tmp_path))).startswith(
        f"encoder.name_or_path: no model could be loaded from '{tmp_path}' ("
    )


def test_weights_that_lack_a_layer(tmp_path):
    """transformers fills the gap with random numbers; nobody should evaluate those."""
    save(new(), tmp_path)
    (tmp_path / "checksums.json").unlink()
    weights = load_file(tmp_path / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "attention" not in name}
    assert 0 < len(kept) < len(weights)
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert "attention" in message_of(lambda: pretrained(str(tmp_path)))


@pytest.mark.parametrize("lost", ["passage/model.safetensors", "passage_projection.safetensors"])
def test_a_separate_tower_that_is_lost(tmp_path, lost):
    """Not to be replaced by a copy of the query's tower or by random numbers."""
    save(moved(new(shared=False, dimensions=8)), tmp_path)
    (tmp_path / lost).unlink()
    if lost.startswith("passage/"):
        shutil.rmtree(tmp_path / "passage")
    assert lost.split("/")[0] in message_of(lambda: load(tmp_path))


def test_a_pooler_that_the_folder_lacks(tmp_path):
    """It would be random, and another one in every run."""
    save(new(pooling="mean"), tmp_path)
    assert "pooler" in message_of(lambda: pretrained(str(tmp_path), pooling="pooler"))


def test_more_tokens_than_positions(tmp_path):
    config = BertConfig(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=40,
    )
    BertModel(config).save_pretrained(tmp_path)
    new().tokenizer.save_pretrained(tmp_path)
    assert pretrained(str(tmp_path), query_length=40, passage_length=40).settings.passage_length == 40
    assert message_of(lambda: pretrained(str(tmp_path), query_length=40, passage_length=41)) == (
        f"encoder.passage_length: 41 tokens, but {tmp_path} has only 40 positions; set it to 40 or less"
    )
    assert message_of(lambda: pretrained(str(tmp_path), query_length=41, passage_length=40)) == (
        f"encoder.query_length: 41 tokens, but {tmp_path} has only 40 positions; set it to 40 or less"
    )


def test_positions_of_roberta_start_after_padding(tmp_path):
    """Of XLM-R's 514 positions a text can have 512: a text of 513 tokens would fail in the middle of training."""
    save(new(query_length=40, passage_length=40), tmp_path)
    assert pretrained(str(tmp_path), passage_length=40, query_length=40).settings.passage_length == 40
    assert message_of(lambda: pretrained(str(tmp_path), passage_length=41)) == (
        f"encoder.passage_length: 41 tokens, but {tmp_path} has only 40 positions; set it to 40 or less"
    )


def test_what_an_earlier_version_saved_is_read(tmp_path):
    """Its query tower was called `question`, in settings, files and checkpoints."""
    encoder = new(dimensions=3, shared=False)
    encoder.settings = replace(encoder.settings, query_prefix="ask: ")
    save(encoder, tmp_path)
    settings = json.loads((tmp_path / "babelbatch.json").read_text())
    former = {name.replace("query_", "question_"): value for name, value in settings.items()}
    (tmp_path / "babelbatch.json").write_text(json.dumps(former))
    (tmp_path / "query_projection.safetensors").rename(tmp_path / "question_projection.safetensors")
    read = load(tmp_path)
    assert read.settings == encoder.settings
    state = {name.replace("towers.query.", "towers.question."): value for name, value in encoder.state_dict().items()}
    other = new(dimensions=3, shared=False)
    other.load_state_dict(state)
    for found in (read, other):
        for name, value in encoder.state_dict().items():
            assert torch.equal(found.state_dict()[name], value), name


def test_a_run_without_a_blank_does_not_stall_the_training_of_a_tokenizer():
    """Without the bound the training takes 75 times as long for 300,000 characters as for 35,000."""
    draw = random.Random(0)
    run = "".join(draw.choice("abcdefgh") for _ in range(25_000))
    assert [len(part) for part in split_runs(f"before {run} after").split(" ")] == [6, 10_000, 10_000, 5_000, 5]
    for whole in (run[:10_000], "x " * 9_000, ""):
        assert split_runs(whole) == whole
    found, expected = (train_tokenizer([text], 60).get_vocab() for text in (run, split_runs(run)))
    assert found == expected

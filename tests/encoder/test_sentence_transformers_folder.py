"""Folders in the format that sentence-transformers publishes, written by hand; and what their vectors must be.

`bench/sentence_transformers_folders.py` compares with the library itself.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from transformers import Qwen3Config, Qwen3Model, T5Config, T5EncoderModel

from babelbatch.batches.chunks import length_sorted_chunks
from babelbatch.encoder import load, load_architecture, pretrained, save, tiny
from babelbatch.encoder.dense import Dense
from babelbatch.encoder.model import Settings
from babelbatch.encoder.pooling import pooled
from babelbatch.evaluation.encoding import encode

TEXTS = ["red green blue", "green", "blue and grey and white", "grün und blau"]
SIZE = 16

Write = Callable[..., Path]


def old_style(mode: str) -> dict:
    """The pooling's file until version 5: a flag each."""
    names = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    flags = {f"pooling_mode_{name}": name == mode for name in names}
    return {"word_embedding_dimension": SIZE, **flags, "include_prompt": True}


MEAN = old_style("mean_tokens")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a folder with `modules` of these classes, the files of the transformer and the pooling, and those of dense
    layers as (config, weights)."""

    def write(
        pooling: dict = MEAN,
        modules: Sequence[str] = ("Transformer", "Pooling"),
        transformer: dict | None = None,
        main: dict | None = None,
        dense: Sequence[tuple[dict, dict[str, Tensor]]] = (),
        package: str = "sentence_transformers.models",
        body: str = "",
    ) -> Path:
        torch.manual_seed(0)
        encoder = tiny(TEXTS, vocab_size=60, hidden_size=SIZE, layers=1, heads=2, passage_length=38)
        (tmp_path / body).mkdir(exist_ok=True)
        encoder.towers["query"].backbone.save_pretrained(tmp_path / body)
        encoder.tokenizer.save_pretrained(tmp_path / body)
        paths = [f"{number}_{name}" if number else body for number, name in enumerate(modules)]
        listed = [
            {"idx": number, "name": str(number), "path": path, "type": f"{package}.{name}"}
            for number, (path, name) in enumerate(zip(paths, modules, strict=True))
        ]
        (tmp_path / "modules.json").write_text(json.dumps(listed))
        if "Pooling" in modules:
            folder = tmp_path / paths[modules.index("Pooling")]
            folder.mkdir()
            (folder / "config.json").write_text(json.dumps(pooling))
        if transformer is not None:
            (tmp_path / body / "sentence_bert_config.json").write_text(json.dumps(transformer))
        if main is not None:
            (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(main))
        places = [path for path, name in zip(paths, modules, strict=True) if name == "Dense"]
        for place, (config, weights) in zip(places, dense, strict=False):
            (tmp_path / place).mkdir()
            (tmp_path / place / "config.json").write_text(json.dumps(config))
            save_file(weights, tmp_path / place / "model.safetensors")
        return tmp_path

    return write


def message_of(load_it: Callable[[], object]) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers compare the whole message
        load_it()
    return str(caught.value)


STATES = torch.tensor([[[1.0, -8], [3, 4], [5, 1]], [[2, 6], [4, -2], [90, 90]]])
MASK = torch.tensor([[1, 1, 1], [1, 1, 0]])


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("cls", [[1, -8], [2, 6]]),
        ("last", [[5, 1], [4, -2]]),
        ("max", [[5, 4], [4, 6]]),
        ("mean", [[3, -1], [3, 2]]),
        ("weighted_mean", [[(1 + 6 + 15) / 6, (-8 + 8 + 3) / 6], [(2 + 8) / 3, (6 - 4) / 3]]),
        ("mean_sqrt_length", [[9 / math.sqrt(3), -3 / math.sqrt(3)], [6 / math.sqrt(2), 4 / math.sqrt(2)]]),
    ],
)
def test_poolings_by_hand(pooling, expected):
    torch.testing.assert_close(pooled(STATES, MASK, pooling), torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        (MEAN, "mean"),
        (old_style("cls_token"), "cls"),
        (old_style("max_tokens"), "max"),
        (old_style("lasttoken"), "last"),
        (old_style("weightedmean_tokens"), "weighted_mean"),
        (old_style("mean_sqrt_len_tokens"), "mean_sqrt_length"),
        ({"word_embedding_dimension": SIZE, "pooling_mode": "cls", "include_prompt": True}, "cls"),
        ({"embedding_dimension": SIZE, "pooling_mode": "lasttoken", "include_prompt": True}, "last"),
        ({"embedding_dimension": SIZE, "pooling_mode": ["mean"]}, "mean"),
    ],
)
def test_the_pooling_of_a_folder(write, pooling, expected):
    assert pretrained(str(write(pooling, transformer={"max_seq_length": 20}))).settings == Settings(
        pooling=expected, query_length=20, passage_length=20
    )


def test_what_is_said_counts_for_more(write):
    folder = write(old_style("cls_token"), ("Transformer", "Pooling", "Normalize"), {"max_seq_length": 20})
    found = pretrained(str(folder)).settings
    assert found == Settings(pooling="cls", query_length=20, passage_length=20)
    assert pretrained(str(folder), query_length=8, normalise=False, pooling="mean").settings == replace(
        found, query_length=8, normalise=False, pooling="mean"
    )


def test_since_version_6_the_tokenizer_says_how_long_a_text_may_be(write):
    """The transformer's file has other things in it, and the classes other packages."""
    transformer = {
        "transformer_task": "feature-extraction",
        "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
        "module_output_name": "token_embeddings",
    }
    folder = write(transformer=transformer, package="sentence_transformers.base.modules.transformer")
    config = folder / "tokenizer_config.json"
    stated = json.loads(config.read_text())
    for limit, kept in ((12, 12), (10**30, 48)):  # the model has 48 positions after padding's
        config.write_text(json.dumps(stated | {"model_max_length": limit}))
        found = pretrained(str(folder)).settings
        assert (found.query_length, found.passage_length) == (kept, kept)
    (folder / "sentence_bert_config.json").write_text(json.dumps(transformer | {"query_length": 5}))
    found = pretrained(str(folder)).settings
    assert (found.query_length, found.passage_length) == (5, 48)


def test_similarity(write):
    """Only a model that says `dot` is scored by the plain dot product."""
    folder = write(main={"similarity_fn_name": "dot"})
    assert pretrained(str(folder)).settings.normalise is False
    (folder / "config_sentence_transformers.json").write_text("{}")
    assert pretrained(str(folder)).settings.normalise is True


NO_DOCUMENT = "encode_document uses none, since it has no prompt 'document'"
NO_QUERY = "encode_query uses none, since it has no prompt 'query'"
UNUSED = "prompts that no role uses: {}; to use one, set encoder.query_prefix or encoder.passage_prefix"


@pytest.mark.parametrize(
    ("prompts", "default", "query", "passage", "warnings"),
    [
        ({}, None, "", "", []),
        ({"query": "q: ", "document": "d: "}, None, "q: ", "d: ", []),
        ({"query": "q: "}, None, "q: ", "", []),
        ({"document": "d: ", "passage": "p: "}, None, "", "d: ", [UNUSED.format("passage ('p: ')")]),
        ({"query": "q: ", "document": "", "passage": "p: "}, None, "q: ", "", [UNUSED.format("passage ('p: ')")]),
        ({"query": "", "document": "d: "}, "document", "", "d: ", []),
        ({"query": None, "document": None}, None, "", "", []),
        ({"query": "q: ", "passage": "p: "}, None, "q: ", "p: ", [f"'passage'; sentence-transformers' {NO_DOCUMENT}"]),
        ({"corpus": "c: ", "query": ""}, None, "", "c: ", [f"'corpus'; sentence-transformers' {NO_DOCUMENT}"]),
        ({"both": "x: ", "query": ""}, "both", "", "x: ", [NO_DOCUMENT]),
        ({"both": "x: "}, "both", "x: ", "x: ", [NO_QUERY, NO_DOCUMENT]),
        (
            {"s2p_query": "Instruct: search\nQuery: ", "s2s_query": "", "web": "w: "}, None, "", "",
            [UNUSED.format(r"s2p_query ('Instruct: search\nQuery: '), web ('w: ')")],
        ),
    ],
)  # fmt: skip
def test_prompts(write, caplog, prompts, default, query, passage, warnings):
    """The prefixes are what sentence-transformers' two methods use; where they are not, a warning says so."""
    folder = write(main={"prompts": prompts, "default_prompt_name": default})
    settings = pretrained(str(folder)).settings
    assert (settings.query_prefix, settings.passage_prefix) == (query, passage)
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [end in line for line, end in zip(lines, warnings, strict=True)] == [True] * len(warnings)
    model = SentenceTransformer(str(folder), device="cpu")
    for method, name, prefix in (
        (model.encode_query, "encode_query", query), (model.encode_document, "encode_document", passage)
    ):  # fmt: skip
        theirs = "" if any(f"{name} uses none" in line for line in lines) else prefix
        np.testing.assert_allclose(method(TEXTS), model.encode(TEXTS, prompt=theirs), atol=1e-6)
        if prefix:
            assert abs(model.encode(TEXTS, prompt=prefix) - model.encode(TEXTS, prompt="")).max() > 1e-4


def test_a_default_prompt_that_is_not_there(write):
    folder = write(main={"prompts": {"query": "q: "}, "default_prompt_name": "both"})
    assert message_of(lambda: pretrained(str(folder))) == (
        f"{folder}: default_prompt_name is 'both', but its prompts are query; mend config_sentence_transformers.json"
    )


def in_numpy(folder: Path, texts: list[str]) -> np.ndarray:
    """The means of the last hidden states of the transformer in it, one text at a time."""
    encoder = pretrained(str(folder)).eval()
    rows = []
    for text in texts:
        ids = torch.tensor([encoder.tokenizer(text)["input_ids"]])
        states = encoder.towers["query"].backbone(input_ids=ids).last_hidden_state
        rows.append(states.mean(dim=1).squeeze(0).detach().numpy())
    return np.stack(rows)


TANH, IDENTITY = "torch.nn.modules.activation.Tanh", "torch.nn.modules.linear.Identity"


def random_matrix(rows: int, columns: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(rows + columns))


LAYERS = [
    (
        {"in_features": SIZE, "out_features": 8, "bias": True, "activation_function": TANH},
        {"linear.weight": random_matrix(8, SIZE), "linear.bias": torch.ones(8)},
    ),
    (
        {"in_features": 8, "out_features": 8, "bias": False, "activation_function": IDENTITY, "use_residual": True},
        {"linear.weight": random_matrix(8, 8)},
    ),
    (
        {"in_features": 8, "out_features": 4, "bias": False, "activation_function": IDENTITY, "use_residual": True},
        {"linear.weight": random_matrix(4, 8), "residual.weight": torch.eye(4, 8)},
    ),
]
THREE = ("Transformer", "Pooling", "Dense", "Dense", "Dense")


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("body", ["", "0_Transformer"])
def test_dense_layers_by_hand(write, normalise, body):
    modules = (*THREE, "Normalize") if normalise else THREE
    folder = write(modules=modules, main={"similarity_fn_name": "dot"}, dense=LAYERS, body=body)
    found = encode(pretrained(str(folder)), TEXTS, "passage", 100)
    first, second, third = ({name: w.numpy() for name, w in weights.items()} for _, weights in LAYERS)
    vectors = np.tanh(in_numpy(folder, TEXTS) @ first["linear.weight"].T + 1)
    vectors = vectors @ second["linear.weight"].T + vectors
    vectors = vectors @ third["linear.weight"].T + vectors[:, :4]
    if normalise:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert found.shape == (4, 4)
    np.testing.assert_allclose(found, vectors, atol=1e-5)


def test_weights_of_an_older_version(write):
    """Pickled ones: nothing but tensors is read from them."""
    folder = write(modules=(*THREE, "Normalize"), dense=LAYERS)
    expected = encode(pretrained(str(folder)), TEXTS, "passage", 100)
    for place in folder.glob("*_Dense"):
        torch.save(load_file(place / "model.safetensors"), place / "pytorch_model.bin")
        (place / "model.safetensors").unlink()
    assert np.array_equal(encode(pretrained(str(folder)), TEXTS, "passage", 100), expected)
    torch.save({"linear.weight": Path}, folder / "2_Dense" / "pytorch_model.bin")
    assert message_of(lambda: pretrained(str(folder))).startswith(f"{folder}/2_Dense: its weights cannot be read (")


@pytest.mark.parametrize("options", [{}, {"shared": False}, {"dimensions": 3}])
def test_dense_layers_are_trained_saved_and_read_back(write, tmp_path, options):
    encoder = pretrained(str(write(modules=(*THREE, "Normalize"), dense=LAYERS)), **options)
    assert encoder.dimensions == options.get("dimensions", 4)
    layers = [weight for name, weight in encoder.named_parameters() if re.search(r"^towers\.\w+\.dense\.", name)]
    assert len(layers) == 5 * (1 if encoder.settings.shared else 2)
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.5)
    before = encode(encoder, TEXTS, "passage", 100)
    ids = torch.tensor([encoder.tokenizer(TEXTS[0])["input_ids"]])
    for tower in encoder.towers.values():
        tower(ids, torch.ones_like(ids))[:, 0].sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in layers)
    optimizer.step()
    found = encode(encoder, TEXTS, "passage", 100)
    assert not np.allclose(found, before)
    save(encoder, tmp_path / "saved")
    back = load(tmp_path / "saved")
    assert back.settings == encoder.settings
    assert back.settings.dense[0] == Dense(size=8, bias=True, activation="Tanh")
    for role in ("query", "passage"):
        assert np.array_equal(encode(back, TEXTS, role, 100), encode(encoder, TEXTS, role, 100))
    apart = pretrained(str(tmp_path / "saved"), shared=False)  # from one tower, too
    assert np.array_equal(encode(apart, TEXTS, "passage", 100), encode(back, TEXTS, "passage", 100))
    new = load_architecture(tmp_path / "saved", tmp_path / "step.ckpt")
    new.load_state_dict(encoder.state_dict())
    assert np.array_equal(encode(new, TEXTS, "passage", 100), found)


def test_what_babelbatch_saves_without_layers_is_as_it_was(tmp_path):
    encoder = tiny(TEXTS, vocab_size=60, hidden_size=SIZE, layers=1, heads=2)
    save(encoder, tmp_path)
    assert list(json.loads((tmp_path / "babelbatch.json").read_text())) == [
        "pooling", "query_prefix", "passage_prefix", "query_length", "passage_length", "dimensions", "normalise",
        "shared",
    ]  # fmt: skip
    assert not [name for name in encoder.state_dict() if "dense" in name and "backbone" not in name]


@pytest.mark.parametrize(
    ("modules", "package", "what", "reason"),
    [
        (
            ("Transformer", "Pooling", "LayerNorm"),
            "sentence_transformers.models",
            "the sentence-transformers module LayerNorm",
            "it is rarely used",
        ),
        (
            ("Router",),
            "sentence_transformers.base.modules.router",
            "the sentence-transformers module Router",
            "queries and passages take branches of their own",
        ),
        (
            ("CLIPModel",),
            "sentence_transformers.models",
            "the sentence-transformers module CLIPModel",
            "it is made for images",
        ),
        (
            ("MLMTransformer", "SpladePooling"),
            "sentence_transformers.sparse_encoder.models",
            "the sentence-transformers module MLMTransformer",
            "its vectors are sparse",
        ),
        (("Transformer", "Pooling"), "custom_st", "the module custom_st.Transformer", "it is code of its own"),
        (
            ("Transformer", "SpladePooling"),
            "sentence_transformers.sparse_encoder.modules",
            "the sentence-transformers module SpladePooling",
            "its vectors are sparse",
        ),
        (
            ("Transformer", "Pooling", "SparseAutoEncoder"),
            "sentence_transformers.sparse_encoder.modules",
            "the sentence-transformers module SparseAutoEncoder",
            "its vectors are sparse",
        ),
        (
            ("SparseStaticEmbedding",),
            "sentence_transformers.sparse_encoder.modules",
            "the sentence-transformers module SparseStaticEmbedding",
            "its vectors are sparse",
        ),
        (
            ("Transformer", "MultiVectorMask"),
            "sentence_transformers.sparse_encoder.modules",
            "the sentence-transformers module MultiVectorMask",
            "a text is many vectors",
        ),
        (
            ("Transformer", "Pooling", "Normalize", "Dense"),
            "sentence_transformers.models",
            "the modules Transformer, Pooling, Normalize, Dense",
            "an encoder has another order",
        ),
        (("Transformer",), "sentence_transformers.models", "the modules Transformer", "an encoder has another order"),
    ],
)
def test_modules_that_an_encoder_cannot_have(write, modules, package, what, reason):
    folder = write(modules=modules, package=package)
    assert message_of(lambda: pretrained(str(folder))) == (
        f"encoder.name_or_path: {folder} has {what}, which is not supported ({reason}); point it at the transformer "
        "inside and set encoder.pooling, or at another model"
    )


@pytest.mark.parametrize(
    ("pooling", "named"),
    [
        (MEAN | {"pooling_mode_cls_token": True}, "the pooling cls + mean"),
        ({"pooling_mode": ["max", "mean"]}, "the pooling max + mean"),
        ({"pooling_mode": "attention"}, "the pooling attention"),
        (old_style(""), "the pooling none"),
    ],
)
def test_poolings_that_an_encoder_cannot_have(write, pooling, named):
    folder = write(pooling)
    assert message_of(lambda: pretrained(str(folder))) == (
        f"encoder.name_or_path: {folder} has {named}, which is not supported (one of cls, mean, max, lasttoken, "
        "weightedmean, mean_sqrt_len_tokens is); point it at the transformer inside and set encoder.pooling, or at "
        "another model"
    )


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (
            {"pooling": MEAN | {"include_prompt": False}, "main": {"prompts": {"query": "q: "}}},
            "Pooling with include_prompt=false",
        ),
        ({"transformer": {"transformer_task": "fill-mask"}}, "a transformer for fill-mask"),
        (
            {"transformer": {"modality_config": {"text": {"method_output_name": "pooler_output"}}}},
            "a transformer that gives pooler_output",
        ),
        (
            {"modules": THREE[:3], "dense": [(LAYERS[0][0] | {"activation_function": "my.Own"}, {})]},
            "the activation my.Own",
        ),
        (
            {"modules": THREE[:3], "dense": [(LAYERS[0][0] | {"module_input_name": "token_embeddings"}, {})]},
            "a Dense layer on tokens",
        ),
    ],
)
def test_settings_that_an_encoder_cannot_have(write, files, what):
    folder = write(**files)
    assert f" has {what}, which is not supported (" in message_of(lambda: pretrained(str(folder)))


def test_prompts_that_are_left_out_matter_only_where_there_are_some(write):
    assert pretrained(str(write(MEAN | {"include_prompt": False}))).settings.pooling == "mean"


def test_lower_case_is_left_to_the_texts(write):
    folder = write(transformer={"do_lower_case": True})
    assert message_of(lambda: pretrained(str(folder))) == (
        f"{folder}: do_lower_case in sentence_bert_config.json is not supported; lower-case the texts"
    )


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda folder: (folder / "2_Dense" / "model.safetensors").unlink(), "has lost its weights (model.safetensors"),
        (lambda folder: (folder / "2_Dense" / "config.json").unlink(), "config.json: there is no such file; save"),
        (lambda folder: (folder / "2_Dense" / "config.json").write_text("{"), "config.json: not valid JSON ("),
        (
            lambda folder: save_file({"linear.weight": torch.ones(8, 3)}, folder / "2_Dense" / "model.safetensors"),
            ": its weights do not fit its config.json (",
        ),
        (
            lambda folder: (folder / "2_Dense" / "model.safetensors").write_bytes(b"cut"),
            ": its weights cannot be read (",
        ),
    ],
)
def test_a_damaged_layer(write, damage, expected):
    folder = write(modules=("Transformer", "Pooling", "Dense"), dense=LAYERS[:1])
    damage(folder)
    message = message_of(lambda: pretrained(str(folder)))
    assert message.startswith(f"{folder}/2_Dense")
    assert expected in message


WORDS = ["[PAD]", "[UNK]", "red", "green", "blue"]
TABLE = torch.tensor([[9.0, 9], [0, 0], [1, 0], [0, 2], [3, 4]])


def static_folder(folder: Path, weights: dict[str, Tensor], *names: str, words: Sequence[str] = WORDS) -> Path:
    tokenizer = Tokenizer(models.WordLevel({word: row for row, word in enumerate(words)}, unk_token=words[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="red $A", special_tokens=[("red", 2)])
    tokenizer.enable_truncation(2)
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(weights, folder / "model.safetensors")
    package = "sentence_transformers.sentence_transformer.modules"
    modules = [{"path": f"{n}_{name}" if n else "", "type": f"{package}.{name}"} for n, name in enumerate(names)]
    (folder / "modules.json").write_text(json.dumps(modules))
    return folder


def test_a_static_embedding_by_hand(tmp_path):
    """The mean of the words' rows: nothing is added, nothing cut off. A text without any gets zeros."""
    folder = static_folder(tmp_path, {"embedding.weight": TABLE}, "StaticEmbedding")
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps({"similarity_fn_name": "dot"}))
    encoder = pretrained(str(folder))
    assert encoder.settings.pooling == "mean"
    texts = ["red", "red blue", "green green red", "red " * 300 + "blue", "", "unheard"]
    expected = [[1, 0], [2, 2], [1 / 3, 4 / 3], [303 / 301, 4 / 301], [0, 0], [0, 0]]
    for budget in (1, 1_000):
        np.testing.assert_allclose(encode(encoder, texts, "query", budget), expected, rtol=1e-6)
    assert np.array_equal(encode(encoder, ["", ""], "passage", 10), np.zeros((2, 2)))
    normalised = pretrained(str(static_folder(tmp_path, {"embedding.weight": TABLE}, "StaticEmbedding", "Normalize")))
    np.testing.assert_allclose(encode(normalised, ["red blue"], "query", 9), [[0.5**0.5, 0.5**0.5]], rtol=1e-6)


def test_a_static_embedding_as_model2vec_saves_it(tmp_path):
    weights = {
        "embeddings": torch.tensor([[0.0, 0], [1, 2]], dtype=torch.float16),
        "mapping": torch.tensor([0, 0, 1, 1, 1]),
        "weights": torch.tensor([1.0, 1, 1, 2, 5]),
    }
    encoder = pretrained(str(static_folder(tmp_path, weights, "StaticEmbedding")), normalise=False)
    assert encode(encoder, ["red blue"], "query", 9).tolist() == [[3, 6]]


def test_a_static_embedding_is_saved_and_read_back(tmp_path):
    encoder = pretrained(str(static_folder(tmp_path / "st", {"embedding.weight": TABLE}, "StaticEmbedding")))
    save(encoder, tmp_path / "saved")
    back = load(tmp_path / "saved")
    assert back.settings == encoder.settings
    texts = ["red", "green green blue unheard"]
    assert back.tokenizer(texts)["input_ids"] == [[2], [3, 3, 4, 1]]
    assert np.array_equal(encode(back, texts, "passage", 9), encode(encoder, texts, "passage", 9))


def test_static_embeddings_that_cannot_be_read(tmp_path):
    folder = static_folder(tmp_path, {"embedding.weight": TABLE[:4]}, "StaticEmbedding")
    assert message_of(lambda: pretrained(str(folder))) == (
        f"{folder}: 5 tokens, but 4 embeddings; save the model there again"
    )
    static_folder(tmp_path, {"other": TABLE}, "StaticEmbedding")
    assert message_of(lambda: pretrained(str(folder))) == (
        f"{folder}: its weights have no 'embedding.weight'; save the model there again"
    )
    static_folder(tmp_path, {"embedding.weight": TABLE}, "StaticEmbedding", words=["a", "b", "red", "green", "blue"])
    assert message_of(lambda: pretrained(str(folder))) == (
        f"{folder}: its tokenizer has no token to pad with; add one, such as [PAD], and save it again"
    )
    (folder / "tokenizer.json").write_text("{")
    assert message_of(lambda: pretrained(str(folder))) == (
        f"{folder}/tokenizer.json cannot be read (EOF while parsing an object at line 1 column 1); copy it there again"
    )
    (folder / "tokenizer.json").unlink()
    assert message_of(lambda: pretrained(str(folder))) == (
        f"{folder} has lost 'tokenizer.json'; copy it there, or save the model again"
    )


def test_texts_without_tokens_are_a_chunk_like_others():
    chunks = length_sorted_chunks(np.array([0, 3, 0]), overhead=1, token_limit=4)
    assert sorted(row for chunk in chunks for row in chunk.tolist()) == [0, 1, 2]


def t5(tokens: int) -> T5EncoderModel:
    return T5EncoderModel(T5Config(vocab_size=tokens, d_model=SIZE, d_kv=8, d_ff=32, num_layers=1, num_heads=2))


def qwen3(tokens: int) -> Qwen3Model:
    sizes = {"hidden_size": SIZE, "intermediate_size": 32, "num_hidden_layers": 1, "head_dim": 8}
    return Qwen3Model(Qwen3Config(vocab_size=tokens, num_attention_heads=2, num_key_value_heads=1, **sizes))


@pytest.mark.parametrize(("kind", "pooling"), [(t5, "mean"), (qwen3, "last")])
def test_half_of_a_translator_and_a_model_that_reads_to_the_left(tmp_path, kind, pooling):
    """Of T5 the decoder is neither asked for nor kept. Padding on the right leaves what is to its left alone."""
    torch.manual_seed(0)
    made = tiny(TEXTS, vocab_size=60, hidden_size=SIZE, layers=1, heads=2)
    backbone = kind(len(made.tokenizer)).eval()
    backbone.save_pretrained(tmp_path / "plain")
    made.tokenizer.save_pretrained(tmp_path / "plain")
    encoder = pretrained(str(tmp_path / "plain"), pooling=pooling, normalise=False)
    found = encode(encoder, TEXTS, "passage", 1_000)
    for text, vector in zip(TEXTS, found, strict=True):
        states = backbone(input_ids=torch.tensor([made.tokenizer(text)["input_ids"]])).last_hidden_state[0]
        expected = states[-1] if pooling == "last" else states.mean(dim=0)
        np.testing.assert_allclose(vector, expected.detach(), atol=1e-5)
    save(encoder, tmp_path / "saved")
    assert np.array_equal(encode(load(tmp_path / "saved"), TEXTS, "passage", 1_000), found)
    again = load_architecture(tmp_path / "saved", tmp_path / "step.ckpt")
    again.load_state_dict(encoder.state_dict())
    assert np.array_equal(encode(again, TEXTS, "passage", 1_000), found)


def test_an_adapter_without_its_model(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    assert message_of(lambda: pretrained(str(tmp_path))) == (
        f"encoder.name_or_path: {tmp_path} has an adapter that does not name its model; merge it yourself "
        "(peft: merge_and_unload) and save the result"
    )

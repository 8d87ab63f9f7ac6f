"""A saved encoder, loaded by sentence-transformers: a text has the same vector there, whatever the encoder is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)

from babelbatch.encoder import Encoder, load, pretrained, save, static, tiny
from babelbatch.encoder.backbones import train_tokenizer
from babelbatch.encoder.dense import Dense
from babelbatch.encoder.model import Settings
from babelbatch.encoder.sentence_transformers_export import why_not_exportable
from babelbatch.encoder.static_model import new_static_model
from babelbatch.evaluation.encoding import encode
from babelbatch.training.tuning import lora

TEXTS = [
    "red green blue", "green", "blue and grey and white, and red again and again and again and again", "grün und blau",
    "Το νόμισμα του Περού", "秘鲁的货币是索尔", "สกุลเงินของเปรูคือซอล", "عملة بيرو هي السول", "",
]  # fmt: skip
PREFIXES = {"query_prefix": "query: ", "passage_prefix": "passage: "}
SIZE = 16


def randomised(encoder: Encoder) -> Encoder:
    """With random weights everywhere: the towers differ, and no bias or norm has the value it starts at."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return encoder.eval()


def new(backbone: nn.Module | None = None, **settings: object) -> Encoder:
    torch.manual_seed(0)
    made = tiny(TEXTS, vocab_size=120, hidden_size=SIZE, layers=1, heads=2, pooling="pooler", passage_length=64)
    settings = {"query_length": 12, "passage_length": 16} | settings
    return randomised(Encoder(backbone or made.tower("query").backbone, made.tokenizer, Settings(**settings)))


def of(kind: type[nn.Module], config: object) -> Encoder:
    torch.manual_seed(0)
    return new(kind(config), **PREFIXES)


def two_towers_with_all() -> Encoder:
    dense = (Dense(size=12, activation="GELU"), Dense(size=12, residual=True), Dense(size=8, residual=True))
    return new(shared=False, dimensions=6, dense=dense, pooling="weighted_mean", **PREFIXES)


def static_encoder(query_length: int, passage_length: int, shared: bool = True) -> Encoder:
    """Without special tokens."""
    words = sorted({word for text in [*TEXTS, "query : passage"] for word in text.split()})
    tokenizer = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1} | {w: n for n, w in enumerate(words, 2)}, "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    torch.manual_seed(0)
    settings = Settings(query_length=query_length, passage_length=passage_length, shared=shared, **PREFIXES)
    return randomised(Encoder(new_static_model(len(words) + 2, SIZE), wrapped, settings))


def demo_static(query_length: int, passage_length: int, shared: bool = True) -> Encoder:
    """With the special tokens of its tokenizer."""
    torch.manual_seed(0)
    return static_with(query_length=query_length, passage_length=passage_length, shared=shared, **PREFIXES)


def static_with(**settings: object) -> Encoder:
    encoder = static(TEXTS, vocab_size=120, hidden_size=SIZE)
    return randomised(Encoder(encoder.tower("query").backbone, encoder.tokenizer, Settings(**settings)))


COMMON = {"hidden_size": SIZE, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
VOCABULARY = len(train_tokenizer(TEXTS, 120))
BERT = BertConfig(**COMMON, vocab_size=VOCABULARY, max_position_embeddings=64)
QWEN = Qwen3Config(**COMMON, vocab_size=VOCABULARY, num_key_value_heads=1, head_dim=8)
T5 = T5Config(vocab_size=VOCABULARY, d_model=SIZE, d_kv=8, d_ff=24, num_layers=2, num_heads=2)

CASES: dict[str, Callable[[], Encoder]] = {
    **{
        pooling: lambda pooling=pooling: new(pooling=pooling, **PREFIXES)
        for pooling in ("cls", "mean", "pooler", "max", "last", "weighted_mean", "mean_sqrt_length")
    },
    "no prefixes": lambda: new(),
    "one prefix": lambda: new(query_prefix="Instruct: answer\nQuery: "),
    "one length": lambda: new(query_length=14, passage_length=14),
    "the longer length for queries": lambda: new(query_length=20, passage_length=10),
    "not normalised": lambda: new(normalise=False),
    "a projection": lambda: new(dimensions=5, **PREFIXES),
    "dense layers": lambda: new(dense=(Dense(size=9, bias=False, activation="Identity"), Dense(size=7))),
    "the pooler and a projection": lambda: new(pooling="pooler", dimensions=5),
    "two towers": lambda: new(shared=False, **PREFIXES),
    "two towers, not normalised": lambda: new(shared=False, normalise=False),
    "two towers with the pooler": lambda: new(shared=False, pooling="pooler"),
    "two towers with everything": two_towers_with_all,
    "adapters": lambda: randomised(lora(new(shared=False, **PREFIXES), rank=2)),
    "adapters on every layer, the pooler's too": lambda: randomised(
        lora(new(pooling="pooler"), rank=2, targets=["query", "value", "dense"])
    ),
    "BERT": lambda: of(BertModel, BERT),
    "Qwen3, last token": lambda: new(Qwen3Model(QWEN), pooling="last", **PREFIXES),
    "T5": lambda: of(T5EncoderModel, T5),
    "static": lambda: static_encoder(6, 6),
    "static with two lengths": lambda: static_encoder(4, 6),
    "static with two towers": lambda: static_encoder(6, 6, shared=False),
    "the demo's static encoder": lambda: demo_static(8, 8),
    "the demo's with two lengths": lambda: demo_static(5, 9),
    "the demo's with two towers": lambda: demo_static(5, 9, shared=False),
    "embeddings, the maximum and a projection": lambda: static_with(pooling="max", dimensions=5, **PREFIXES),
}


@pytest.mark.parametrize("case", CASES)
def test_equal_vectors(case: str, tmp_path: Path) -> None:
    encoder = CASES[case]()
    folder = tmp_path / "encoder"
    texts = [text for text in TEXTS if text or case != "Qwen3, last token"]  # an empty text has no last token there
    if case.startswith("static"):
        texts = [text for text in texts if text]  # nor here
    ours = {role: encode(encoder, texts, role, 256) for role in ("query", "passage")}
    save(encoder, folder)
    theirs = SentenceTransformer(str(folder), device="cpu")
    for role, there in (("query", theirs.encode_query), ("passage", theirs.encode_document)):
        np.testing.assert_allclose(there(texts, batch_size=3), ours[role], atol=1e-5)
        np.testing.assert_allclose(encode(load(folder), texts, role, 256), ours[role], atol=1e-6)
    if case != "one length":
        assert abs(ours["query"] - ours["passage"]).max() > 0.01  # the roles are not mixed up
    expected = np.abs(ours["query"] @ ours["passage"].T)
    np.testing.assert_allclose(
        np.abs(theirs.similarity(ours["query"], ours["passage"]).numpy()), expected, atol=1e-4, rtol=1e-4
    )


def test_prompts_of_tasks(tmp_path: Path) -> None:
    """They are named prompts there, and a query of a task has the vector of `encode(prompt=...)`."""
    prompts = {"mlqa_r": "Which passage? ", "facts": ""}
    encoder = new(query_prompts=prompts, query_length=24, **PREFIXES)
    save(encoder, tmp_path)
    with pytest.raises(
        ValueError, match=r"encoder\.query_prompts\.mlqa_r: it has 17 tokens, and a query is cut to 12, so"
    ):
        pretrained(str(tmp_path), query_length=12)
    with pytest.raises(
        ValueError, match=r"encoder\.query_prompts\.document: in sentence-transformers this is the prompt"
    ):
        pretrained(str(tmp_path), query_prompts={"document": "passage: "})
    theirs = SentenceTransformer(str(tmp_path), device="cpu")
    assert {name: theirs.prompts[name] for name in ("mlqa_r", "facts")} == {"mlqa_r": "Which passage? ", "facts": ""}
    loaded = load(tmp_path)
    assert loaded.settings == encoder.settings
    for task, prompt in {"mlqa_r": "Which passage? ", "facts": "", "another": PREFIXES["query_prefix"]}.items():
        ours = encode(encoder, TEXTS, "query", 256, task=task)
        np.testing.assert_allclose(theirs.encode_query(TEXTS, prompt=prompt), ours, atol=1e-5)
        np.testing.assert_allclose(encode(loaded, TEXTS, "query", 256, task=task), ours, atol=1e-6)
    np.testing.assert_allclose(
        theirs.encode_query(TEXTS, prompt_name="mlqa_r"), encode(encoder, TEXTS, "query", 256, task="mlqa_r"), atol=1e-5
    )
    stored = json.loads((tmp_path / "babelbatch.json").read_text())
    for wrong in (["a"], {"mlqa_r": 3}):
        (tmp_path / "babelbatch.json").write_text(json.dumps(stored | {"query_prompts": wrong}))
        with pytest.raises(ValueError, match=r"query_prompts is .*, not Mapping"):
            load(tmp_path)
    each = encode(encoder, TEXTS[:3], "query", 256, task=["mlqa_r", "facts", "another"])
    alone = [
        encode(encoder, TEXTS[row : row + 1], "query", 256, task=task)[0]
        for row, task in enumerate(("mlqa_r", "facts", None))
    ]
    np.testing.assert_allclose(each, alone, atol=1e-6)
    assert abs(each[0] - encode(encoder, TEXTS[:1], "query", 256)[0]).max() > 0.01
    np.testing.assert_array_equal(
        encode(encoder, TEXTS, "passage", 256, task="mlqa_r"), encode(encoder, TEXTS, "passage", 256)
    )


def test_what_sentence_transformers_cannot_compute(tmp_path: Path) -> None:
    long = static_with(passage_length=70_000)
    assert why_not_exportable(long) == (
        "a static embedding with special tokens or pooling=mean reads at most 65,536 tokens there, and this encoder "
        "70,000"
    )
    other = new(pooling="pooler")
    other.tower("query").backbone.pooler.activation = nn.ReLU()
    assert why_not_exportable(other) == (
        "the pooler of this architecture is not a dense layer with tanh on the first token"
    )
    save(long, tmp_path)
    assert not (tmp_path / "modules.json").exists()


def test_encode_without_a_role(tmp_path: Path) -> None:
    """Where both roles have one prefix, it is the default prompt; else there is none, and the longer length counts."""
    same = new(query_prefix="text: ", passage_prefix="text: ", query_length=9, passage_length=14)
    save(same, tmp_path / "same")
    there = SentenceTransformer(str(tmp_path / "same"), device="cpu")
    np.testing.assert_allclose(there.encode(TEXTS), encode(same, TEXTS, "passage", 256), atol=1e-5)
    assert there.max_seq_length == 14
    save(new(**PREFIXES), tmp_path / "two")
    assert SentenceTransformer(str(tmp_path / "two"), device="cpu").default_prompt_name is None


def test_saved_again_by_sentence_transformers(tmp_path: Path) -> None:
    """What the library itself writes of our folder is read back, by it and by us."""
    encoder = new(dimensions=5, **PREFIXES, query_length=14, passage_length=14)
    save(encoder, tmp_path / "ours")
    SentenceTransformer(str(tmp_path / "ours"), device="cpu").save(str(tmp_path / "theirs"))
    for role in ("query", "passage"):
        expected = encode(encoder, TEXTS, role, 256)
        np.testing.assert_allclose(encode(pretrained(str(tmp_path / "theirs")), TEXTS, role, 256), expected, atol=1e-6)


def test_the_weights_are_not_pickled(tmp_path: Path) -> None:
    save(two_towers_with_all(), tmp_path)
    assert not [path for end in ("bin", "pt", "pkl", "ckpt") for path in tmp_path.rglob(f"*.{end}")]
    assert json.loads((tmp_path / "config_sentence_transformers.json").read_text())["prompts"] == {
        "query": "query: ", "document": "passage: ",
    }  # fmt: skip

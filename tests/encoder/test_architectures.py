"""The table of docs/encoders.md: each row is tried on a tiny random model of the real configuration class."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import (
    AutoModel,
    AutoModelForTextEncoding,
    AutoTokenizer,
    BertConfig,
    EuroBertConfig,
    Gemma3TextConfig,
    GteConfig,
    LlamaConfig,
    MistralConfig,
    ModernBertConfig,
    PreTrainedConfig,
    Qwen3Config,
    T5Config,
    XLMRobertaConfig,
)

from babelbatch.encoder import Encoder, check_saved, load, pretrained, save, static
from babelbatch.encoder.backbones import train_tokenizer
from babelbatch.evaluation.encoding import encode
from babelbatch.loss.teacher import Teacher
from babelbatch.records import Padded
from babelbatch.training.tuning import full, lora

TEXTS = [
    "red green blue",
    "green",
    "blue and grey and white, and red again and again",
    "grün und blau",
    "秘鲁的货币是索尔",
]
PAGE = Path(__file__).parents[2] / "docs" / "encoders.md"
TOKENIZER = train_tokenizer(TEXTS, 120)
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
SPECIAL = {"vocab_size": len(TOKENIZER), "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
DECODER = SIZES | SPECIAL | {"num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 64}
ENCODER = SIZES | SPECIAL

CONFIGURATIONS: dict[str, Callable[[], PreTrainedConfig]] = {
    "BERT": lambda: BertConfig(**ENCODER, max_position_embeddings=64),
    "XLM-R": lambda: XLMRobertaConfig(**ENCODER, max_position_embeddings=66, type_vocab_size=1),
    "ModernBERT": lambda: ModernBertConfig(
        **ENCODER, max_position_embeddings=64, cls_token_id=0, sep_token_id=2, local_attention=8
    ),
    "EuroBERT": lambda: EuroBertConfig(**DECODER, mask_token_id=3),
    "GTE": lambda: GteConfig(**ENCODER, max_position_embeddings=64),
    "T5 encoder": lambda: T5Config(
        vocab_size=len(TOKENIZER), d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=2, pad_token_id=1,
        eos_token_id=2, decoder_start_token_id=1,
    ),
    "EmbeddingGemma": lambda: Gemma3TextConfig(**DECODER, use_bidirectional_attention=True, sliding_window=8),
    "Qwen3": lambda: Qwen3Config(**DECODER),
    "Llama": lambda: LlamaConfig(**DECODER),
    "Mistral": lambda: MistralConfig(**DECODER, sliding_window=None),
    "Gemma 3": lambda: Gemma3TextConfig(**DECODER, sliding_window=8),
}  # fmt: skip
CAUSAL = ("Qwen3", "Llama", "Mistral", "Gemma 3")
UNPADDED = ("BERT", "XLM-R")


def folder_of(name: str, tmp_path: Path) -> Path:
    """As transformers saves the model: without a pooling."""
    torch.manual_seed(0)
    config = CONFIGURATIONS[name]()
    kind = AutoModelForTextEncoding if config.model_type == "t5" else AutoModel
    model = kind.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)
    model.save_pretrained(tmp_path / "published")
    TOKENIZER.save_pretrained(tmp_path / "published")
    return tmp_path / "published"


def new(name: str, tmp_path: Path, **options: object) -> Encoder:
    settings = {"query_prefix": "query: ", "query_length": 24, "passage_length": 32}
    settings |= {"pooling": "last" if name in CAUSAL else "mean"}
    return pretrained(str(folder_of(name, tmp_path)), **settings | options)


def gradients(encoder: Encoder) -> dict[str, torch.Tensor]:
    """Of a loss of two padded texts."""
    encoder.zero_grad()
    rows = TOKENIZER(TEXTS[:3], padding=True, return_tensors="pt")
    vectors = encoder(Padded(rows["input_ids"], rows["attention_mask"]), "query")
    (vectors @ torch.linspace(-1, 1, vectors.shape[1])).sum().backward()
    return {name: part.grad.clone() for name, part in encoder.named_parameters() if part.grad is not None}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_an_architecture(name: str, tmp_path: Path) -> None:
    """Trained in full, with LoRA, and with activation checkpointing; saved, and the same vectors by three loaders."""
    encoder = new(name, tmp_path).eval()
    check_saved(encoder, name, tmp_path / "untrained")
    trained = gradients(encoder)
    matrices = {part for part, weight in encoder.named_parameters() if weight.ndim == 2}
    assert len({part for part in matrices if part in trained and trained[part].abs().sum() > 0}) >= 9
    full(encoder, activation_checkpointing=True)
    again = gradients(encoder.train())
    assert again.keys() == trained.keys()
    encoder = lora(new(name, tmp_path), rank=2, activation_checkpointing=True)
    adapters = {part for part in gradients(encoder) if "lora_" in part}
    assert len(adapters) >= 8
    assert not [part for part in gradients(encoder) if "lora_" not in part]
    with torch.no_grad():
        for part, weight in encoder.named_parameters():
            if "lora_" in part:
                weight.normal_(std=0.1)
    encoder.eval()  # weights are small, so that the rounding of merged ones is not amplified
    save(encoder, tmp_path / "saved")
    vectors = {role: encode(encoder, TEXTS, role, 1_000) for role in ("query", "passage")}
    assert np.abs(vectors["query"] - encode(new(name, tmp_path), TEXTS, "query", 1_000)).max() > 1e-3

    ours = load(tmp_path / "saved")
    theirs = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    for role, expected in vectors.items():
        np.testing.assert_allclose(encode(ours, TEXTS, role, 1_000), expected, atol=1e-5)
        of_role = theirs.encode_query if role == "query" else theirs.encode_document
        np.testing.assert_allclose(of_role(TEXTS), expected, atol=1e-5)
    kind = AutoModelForTextEncoding if name == "T5 encoder" else AutoModel
    backbone = kind.from_pretrained(tmp_path / "saved").eval()
    rows = AutoTokenizer.from_pretrained(tmp_path / "saved")(TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        states = backbone(input_ids=rows["input_ids"], attention_mask=rows["attention_mask"]).last_hidden_state[0]
    pooled = states[-1] if name in CAUSAL else states.mean(dim=0)
    np.testing.assert_allclose(torch.nn.functional.normalize(pooled, dim=0), vectors["passage"][0], atol=1e-5)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_unpadded_attention(name: str, tmp_path: Path) -> None:
    if name not in UNPADDED:
        with pytest.raises(ValueError, match=r"^encoder.attention: unpadded is not supported for "):
            new(name, tmp_path, attention="unpadded")
        return
    padded, unpadded = (
        encode(new(name, tmp_path, attention=kind), TEXTS, "query", 1_000) for kind in ("sdpa", "unpadded")
    )
    np.testing.assert_allclose(unpadded, padded, atol=1e-5)


@pytest.mark.parametrize("name", CAUSAL)
def test_a_decoder_in_both_directions(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The change is saved: sentence-transformers computes it, too."""
    causal = new(name, tmp_path, pooling="mean")
    assert caplog.messages[-1] == (
        f"{tmp_path / 'published'} is a decoder: a token attends to earlier ones only, so pooling=mean mostly pools "
        "states that have not read the text; set encoder.pooling=last with encoder.append_eos=true, or "
        "encoder.bidirectional=true"
    )
    caplog.clear()
    both = new(name, tmp_path, pooling="mean", bidirectional=True)
    new(name, tmp_path, pooling="last", bidirectional=False)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    vectors = encode(both, TEXTS, "passage", 1_000)
    assert np.abs(vectors - encode(causal, TEXTS, "passage", 1_000)).max() > 1e-3
    save(both, tmp_path / "saved")
    np.testing.assert_allclose(encode(load(tmp_path / "saved"), TEXTS, "passage", 1_000), vectors, atol=1e-5)
    theirs = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    np.testing.assert_allclose(theirs.encode_document(TEXTS), vectors, atol=1e-5)
    back = pretrained(str(tmp_path / "saved"), bidirectional=False)
    np.testing.assert_allclose(
        encode(back, TEXTS, "passage", 1_000), encode(causal, TEXTS, "passage", 1_000), atol=1e-5
    )


def test_a_direction_that_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bidirectional") as caught:
        new("EmbeddingGemma", tmp_path, bidirectional=False)
    assert str(caught.value) == (
        f"encoder.bidirectional: {tmp_path / 'published'} is bidirectional, and its code (gemma3_text) does not let "
        "that be changed; leave it out"
    )


def test_a_static_embedding_has_no_direction(tmp_path: Path) -> None:
    save(static(TEXTS, vocab_size=80), tmp_path)
    with pytest.raises(ValueError, match="static") as caught:
        pretrained(str(tmp_path), bidirectional=True)
    assert str(caught.value) == (
        f"encoder.bidirectional: {tmp_path} is a static embedding, without attention; leave it out"
    )


def test_the_end_of_each_text(tmp_path: Path) -> None:
    folder = folder_of("Qwen3", tmp_path)
    plain = AutoTokenizer.from_pretrained(folder)
    plain.backend_tokenizer.post_processor = None
    plain.save_pretrained(folder)
    assert plain("red")["input_ids"][-1] != plain.eos_token_id
    options = {"pooling": "last", "query_length": 4, "passage_length": 32, "append_eos": True}
    encoder = pretrained(str(folder), **options)
    ids = encoder.tokenizer(TEXTS[2], truncation=True, max_length=4)["input_ids"]
    assert ids == [*plain(TEXTS[2])["input_ids"][:3], plain.eos_token_id]
    save(encoder, tmp_path / "saved")
    theirs = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    np.testing.assert_allclose(theirs.encode_query(TEXTS), encode(encoder, TEXTS, "query", 1_000), atol=1e-5)
    twice = pretrained(str(tmp_path / "saved"), append_eos=True)
    assert twice.tokenizer("red")["input_ids"] == encoder.tokenizer("red")["input_ids"]


def test_a_tokenizer_without_an_end(tmp_path: Path) -> None:
    folder = folder_of("Qwen3", tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(ValueError, match="append_eos") as caught:
        pretrained(str(folder), pooling="last", passage_length=32, append_eos=True)
    assert str(caught.value) == (
        f"encoder.append_eos: the tokenizer of {folder} has no end-of-text token; leave it out"
    )


@pytest.mark.parametrize("name", ["XLM-R", "Qwen3", "EmbeddingGemma"])
def test_half_of_the_memory(name: str, tmp_path: Path) -> None:
    """Vectors of bfloat16 weights are close to those of float32, and float32 themselves; a teacher has them, too."""
    whole, half = (new(name, tmp_path, dtype=dtype) for dtype in ("float32", "bfloat16"))
    sizes = [sum(weight.nbytes for weight in encoder.parameters()) for encoder in (whole, half)]
    assert sizes[1] == sizes[0] / 2
    vectors = [encode(encoder, TEXTS, "query", 1_000) for encoder in (whole, half)]
    differences = np.linalg.norm(vectors[1] - vectors[0], axis=1)
    assert 1e-6 < differences.max() < 0.05
    np.testing.assert_allclose(np.linalg.norm(vectors[1], axis=1), 1, atol=1e-6)
    rows = half.tokenizer(TEXTS, padding=True, return_tensors="pt")
    taught = Teacher(half)(Padded(rows["input_ids"], rows["attention_mask"]), "query")
    assert taught.dtype == torch.float32


def test_the_table_has_these_rows() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    head = ["architecture", "attention", "trained", "LoRA", "checkpointing", "unpadded", "exported"]
    start = rows.index(head) + 1
    table = {row[0]: row[1:] for row in rows[start : start + len(CONFIGURATIONS)]}
    assert table == {
        name: [
            "causal, or both" if name in CAUSAL else "both",
            "yes",
            "yes",
            "yes",
            "yes" if name in UNPADDED else "no",
            "yes",
        ]
        for name in CONFIGURATIONS
    }
